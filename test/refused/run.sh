#!/bin/bash
# SPDX-License-Identifier: MIT
#
# run.sh - the tests where the kernel refuses io_uring, Linux AIO, both, or the calls that do not wait
#
# By a seccomp filter, as container profiles do, and by sysctl: io_uring disabled, or the machine's
# contexts of Linux AIO spent (as root; what is set is set back). RTAIO_BACKEND=auto has to
# serve all the same; a backend asked for by name has to fail, with one line.

set -u
cd "$(dirname "$0")/../.." || exit 2

refuse=$PWD/build/test/refused/refuse
programs=(test_aio_read test_aio_read_streams test_aio_write test_aio_cancel test_aio_suspend test_lio_listio
	test_sigevent test_callbacks test_ordering test_overlaps test_sigpipe test_sigxfsz test_fork test_close_reuse)
failed=0

run() {
	echo "-- $1"
	shift
	"$@" || failed=1
}

for refused in io_uring libaio "io_uring libaio"; do
	run "seccomp refuses $refused" \
		env WRAPPER="$refuse $refused --" scripts/run-tests --implementation auto "${programs[@]}"
done

run "seccomp refuses preadv2 and pwritev2" \
	env WRAPPER="$refuse nowait --" scripts/run-tests --implementation auto \
	test_aio_read_streams test_aio_write test_ordering test_overlaps

restore=:
trap 'eval "$restore"' EXIT

# with_sysctl file value program...: set back afterwards, come what may.
with_sysctl() {
	local file=/proc/sys/$1 before
	if [ "$(id -u)" -ne 0 ] || [ ! -w "$file" ]; then
		echo "-- sysctl $1: skipped, it takes root and a kernel that has it"
		return
	fi
	before=$(cat "$file")
	restore="echo $before >$file"
	echo "$2" >"$file"
	run "sysctl $1=$2" scripts/run-tests --implementation auto "${@:3}"
	eval "$restore"
	restore=:
}

with_sysctl kernel/io_uring_disabled 2 "${programs[@]}"
# The contexts of Linux AIO are the machine's: none left, and room for a small one only.
with_sysctl fs/aio-max-nr "$(cat /proc/sys/fs/aio-nr)" test_aio_read test_aio_write test_ordering test_overlaps
with_sysctl fs/aio-max-nr $(($(cat /proc/sys/fs/aio-nr) + 100)) test_aio_read test_aio_write test_ordering test_overlaps

# By name: ENOSYS, and a line that says what to do.
check_named() {
	local backend=$1 refused=$2 output
	output=$(LD_PRELOAD=$PWD/build/librtaio.so RTAIO_BACKEND=$backend "$refuse" "$refused" -- \
		build/test/examples/preload_tutorial LICENSE 2>&1)
	if grep -q "^rtaio: RTAIO_BACKEND=$backend cannot serve here" <<<"$output" &&
		grep -qi "not implemented" <<<"$output"; then
		echo "ok   $backend by name fails where it is refused"
		passed=$((passed + 1))
	else
		printf 'FAIL %s by name, refused:\n%s\n' "$backend" "$output"
		failed=1
		nr_failed=$((nr_failed + 1))
	fi
}

passed=0 nr_failed=0
mkdir -p build/test/examples
cc -o build/test/examples/preload_tutorial test/examples/preload_tutorial.c || exit 2
check_named io_uring io_uring
check_named libaio libaio
echo "$passed passed, $nr_failed failed, 0 skipped"
exit $failed
