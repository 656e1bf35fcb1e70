#!/bin/bash
# SPDX-License-Identifier: MIT
#
# run.sh - the tests where the kernel refuses io_uring, Linux AIO, both, or the calls that do not wait
#
# By the filters of well-known sandboxes, by other seccomp filters, and by sysctl: io_uring disabled, or the machine's
# contexts of Linux AIO spent (as root; what is set is set back). RTAIO_BACKEND=auto has to
# serve all the same, and RTAIO_VERBOSE and rtaio --status have to say why not by io_uring; a backend
# asked for by name has to fail, with one line. --full: more programs where one refusal is like another,
# and all of conformance/ in the sandboxes.

set -u
cd "$(dirname "$0")/../.." || exit 2
# shellcheck source=test/refused/sandboxes.sh
. test/refused/sandboxes.sh

refuse=$PWD/build/test/refused/refuse
programs=(test_aio_read test_aio_read_streams test_aio_write test_aio_write_streams test_aio_cancel
	test_aio_cancel_queued test_aio_suspend test_aio_suspend_interrupted test_lio_listio test_lio_wait
	test_lio_notification test_sigevent test_signal_handlers test_callbacks test_ordering test_overlaps
	test_sigpipe test_sigxfsz test_fork test_fork_in_callbacks test_close_reuse)
many=(test_aio_read test_aio_write_streams test_aio_cancel_queued test_aio_suspend test_lio_wait test_ordering)
no_use=(io_submit getevents=ENOSYS)
nowait=(test_aio_read_streams test_aio_cancel test_aio_cancel_queued test_close_streams test_blocking_calls
	test_aio_write test_aio_write_streams test_ordering test_overlaps test_no_threads test_no_threads_events
	test_aio_read)
nowait_enosys=(test_aio_read_streams test_ordering)
conformance=(test_aio_write test_lifecycle test_aio_cancel_queued test_ordering)
if [ "${1-}" = --full ]; then
	many=("${programs[@]}")
	nowait_enosys=("${nowait[@]}")
	no_use=(io_submit io_submit=ENOSYS io_submit=EOPNOTSUPP getevents getevents=ENOSYS)
	mapfile -t conformance < <(basename -s .c test/conformance/test_*.c)
fi
mapfile -t beside < <(printf '%s\n' "${conformance[@]}" | grep -v -F -x -f <(printf '%s\n' "${programs[@]}"))
run_tests=(scripts/run-tests --jobs "${JOBS:-1}")
failed=0

run() {
	echo "-- $1"
	shift
	"$@" || failed=1
}

run "Docker's default profile" \
	env WRAPPER="$refuse ${docker[*]} --" "${run_tests[@]}" --implementation auto \
	"${programs[@]}" "${beside[@]}"
run "what gVisor answers" \
	env WRAPPER="$refuse ${gvisor[*]} --" "${run_tests[@]}" --implementation auto "${conformance[@]}"
run "SystemCallFilter=@system-service" \
	env WRAPPER="$refuse ${system_service[*]} --" "${run_tests[@]}" --implementation auto "${conformance[@]}"
run "a filter that kills who asks for io_uring or Linux AIO" \
	env WRAPPER="$refuse io_uring=kill libaio=kill ${system_service[*]} --" "${run_tests[@]}" \
	--implementation threads "${conformance[@]}"
for refused in io_uring libaio "io_uring libaio"; do
	run "seccomp refuses $refused" \
		env WRAPPER="$refuse $refused --" "${run_tests[@]}" --implementation auto "${many[@]}"
done

# A context is given, but not what it takes to use it. Without io_uring, auto finds that out as libaio does.
for refused in "${no_use[@]}"; do
	run "seccomp refuses $refused" \
		env WRAPPER="$refuse $refused --" "${run_tests[@]}" --implementation libaio "${many[@]}"
	run "seccomp refuses io_uring and $refused" \
		env WRAPPER="$refuse io_uring $refused --" "${run_tests[@]}" --implementation auto test_aio_read
done

run "seccomp refuses preadv2 and pwritev2" \
	env WRAPPER="$refuse nowait --" "${run_tests[@]}" --implementation auto "${nowait[@]}"
run "seccomp refuses preadv2 and pwritev2: ENOSYS" \
	env WRAPPER="$refuse nowait=ENOSYS --" "${run_tests[@]}" --implementation auto "${nowait_enosys[@]}"
run "seccomp refuses preadv2 and pwritev2, and there is no ring" \
	env WRAPPER="$refuse nowait --" "${run_tests[@]}" --implementation threads \
	test_no_threads test_no_threads_events

# As pipes and sockets do before Linux 6.5.
run "preadv2 and pwritev2 cannot help waiting" \
	env WRAPPER="$refuse nowait=EOPNOTSUPP --" "${run_tests[@]}" --implementation auto \
	test_aio_read_streams test_aio_write_streams test_aio_cancel test_aio_cancel_queued test_stream_writes \
	test_close_streams test_no_threads

for refused in statx statx=ENOSYS; do
	run "seccomp refuses $refused" \
		env WRAPPER="$refuse $refused --" "${run_tests[@]}" --implementation auto \
		test_aio_read test_aio_fsync test_aio_read_streams test_blocking_calls test_arguments
done

# Then it tells in another way what is a stream.
run "seccomp refuses preadv" \
	env WRAPPER="$refuse preadv --" "${run_tests[@]}" --implementation auto \
	test_aio_read_streams test_aio_cancel_queued test_ordering

# The ring has a descriptor then; such a ring has no registered index.
run "seccomp refuses io_uring_register" \
	env RTAIO_TEST_URING=0x3e WRAPPER="$refuse io_uring_register --" "${run_tests[@]}" --implementation io_uring \
	test_aio_read test_aio_read_streams test_aio_write test_aio_write_streams test_aio_cancel \
	test_aio_cancel_queued test_replaced

# Then a child of vfork closes what is its parent's, as far as the kernel tells.
run "seccomp refuses to compare tables" \
	env WRAPPER="$refuse pidfd --" "${run_tests[@]}" --implementation auto --test '*vfork*' test_close_scope

run "seccomp refuses to take files over from another table, and to compare tables" \
	env WRAPPER="$refuse pidfd --" "${run_tests[@]}" --implementation auto --implementation threads \
	test_close_reuse test_close_many test_close_streams test_close_fails test_offload_close test_frozen \
	test_locks test_replaced

restore=:
trap 'eval "$restore"' EXIT

# with_sysctl file value command...: set back afterwards, come what may.
with_sysctl() {
	local file=/proc/sys/$1 before
	if [ "$(id -u)" -ne 0 ] || [ ! -w "$file" ]; then
		echo "-- sysctl $1: skipped, it takes root and a kernel that has it"
		return
	fi
	before=$(cat "$file")
	restore="echo $before >$file"
	echo "$2" >"$file"
	run "sysctl $1=$2" "${@:3}"
	eval "$restore"
	restore=:
}

on_auto=("${run_tests[@]}" --implementation auto)
with_sysctl kernel/io_uring_disabled 2 "${on_auto[@]}" "${many[@]}"
# The contexts of Linux AIO are the machine's: none left.
with_sysctl fs/aio-max-nr "$(cat /proc/sys/fs/aio-nr)" "${on_auto[@]}" \
	test_aio_read test_aio_write test_aio_write_streams test_ordering test_overlaps

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
cc -o build/test/examples/preload_tutorial test/examples/preload_tutorial.c -lrt || exit 2
check_named io_uring io_uring
check_named libaio libaio

# result test what is wrong: nothing is, if that is empty.
result() {
	if [ -z "$2" ]; then
		echo "ok   $1"
		passed=$((passed + 1))
	else
		printf 'FAIL %s: %s\n' "$1" "$2"
		failed=1
		nr_failed=$((nr_failed + 1))
	fi
}

# The output of a program that needs the engine; the arguments are a command to run it by.
verbose_by() {
	LD_PRELOAD=$PWD/build/librtaio.so RTAIO_VERBOSE=1 RTAIO_INLINE=0 RTAIO_OFFLOAD=0 \
		"$@" build/test/examples/preload_tutorial LICENSE 2>&1
}

# check_reason_by test error reason command...: by that command the library serves, and says once why
# not by io_uring; so does rtaio --status.
check_reason_by() {
	local test=$1 says="$2: $3" output status wrong=
	shift 3
	output=$(verbose_by "$@")
	status=$("$@" build/rtaio-status)
	grep -q "^read [1-9][0-9]* bytes" <<<"$output" || wrong+=" the program could not read;"
	[ "$(grep -c "^rtaio: io_uring does not serve: $says.* Remedy: [^ ]" <<<"$output")" = 1 ] ||
		wrong+=" RTAIO_VERBOSE does not say why;"
	grep -q "^io_uring   no    $says" <<<"$status" || wrong+=" --status does not say why;"
	grep -q "^ *remedy: [^ ]" <<<"$status" || wrong+=" --status names no remedy;"
	result "$test" "${wrong:+$wrong $output $status}"
}

# check_reason sandbox error reason
check_reason() {
	check_reason_by "why io_uring does not serve: $1" "$2" "$3" "$refuse" "$1" --
}

check_reason io_uring=EPERM "Operation not permitted" "a seccomp filter"
check_reason io_uring_enter=EPERM "Operation not permitted" "a seccomp filter"
check_reason io_uring=EACCES "Permission denied" "a security module"
# --status sees that the kernel has it.
check_reason io_uring=ENOSYS "Function not implemented" "\(the kernel has no io_uring\|a seccomp filter\)"
check_reason io_uring=EOPNOTSUPP "Operation not supported" "the kernel or a sandbox has only a part"
check_reason io_uring=EINVAL "Invalid argument" "the kernel or a sandbox knows none"
check_reason io_uring=ENOMEM "Cannot allocate memory" "memory is short"
check_reason io_uring=EMFILE "Too many open files" "the process has no descriptor"
check_reason io_uring=ENFILE "Too many open files in system" "the system has no open file"
check_reason io_uring=EAGAIN "Resource temporarily unavailable" "the kernel is short of resources"
check_reason io_uring=EBUSY "Device or resource busy" "the kernel is busy"
check_reason io_uring=EFAULT "Bad address" "the kernel or a sandbox does not accept memory"
check_reason io_uring=EXDEV "Invalid cross-device link" "rtaio does not know this error"

with_sysctl kernel/io_uring_disabled 1 check_reason_by "why io_uring does not serve: sysctl, but for root" \
	"Operation not permitted" "sysctl kernel.io_uring_disabled forbids it" \
	setpriv --bounding-set -sys_admin
with_sysctl kernel/io_uring_disabled 2 check_reason_by "why io_uring does not serve: sysctl" \
	"Operation not permitted" "sysctl kernel.io_uring_disabled forbids it" env

wrong=
[ "$(verbose_by env | grep -c -e "io_uring does not serve" -e "backend io_uring serves")" = 1 ] ||
	wrong="neither or both is said"
result "io_uring serves, or it is said why not" "$wrong"

echo "$passed passed, $nr_failed failed, 0 skipped"
exit $failed
