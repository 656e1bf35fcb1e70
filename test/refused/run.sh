#!/bin/bash
# SPDX-License-Identifier: MIT
#
# run.sh - the tests where the kernel refuses io_uring, Linux AIO, both, or the calls that do not wait
#
# By a seccomp filter, as container profiles do, and by the sysctl
# kernel.io_uring_disabled (as root; it is set back). RTAIO_BACKEND=auto has to
# serve all the same; a backend asked for by name has to fail, with one line.

set -u
cd "$(dirname "$0")/../.." || exit 2

refuse=$PWD/build/test/refused/refuse
sysctl=/proc/sys/kernel/io_uring_disabled
programs=(test_aio_read test_aio_read_streams test_aio_write test_aio_cancel test_aio_suspend test_lio_listio
	test_sigevent test_callbacks test_ordering test_sigpipe test_sigxfsz test_fork test_close_reuse)
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
	test_aio_read_streams test_aio_write test_ordering

if [ "$(id -u)" -eq 0 ] && [ -w "$sysctl" ]; then
	before=$(cat "$sysctl")
	trap 'echo "$before" >"$sysctl"' EXIT
	echo 2 >"$sysctl"
	run "sysctl kernel.io_uring_disabled=2" scripts/run-tests --implementation auto \
		"${programs[@]}"
	echo "$before" >"$sysctl"
else
	echo "-- sysctl kernel.io_uring_disabled: skipped, it takes root and Linux 6.6"
fi

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
