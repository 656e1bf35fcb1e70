#!/bin/bash
# SPDX-License-Identifier: MIT
#
# run.sh - the tests where a filter refuses io_uring, Linux AIO, both, or the calls that do not wait
#
# By the filters of well-known sandboxes, and by other seccomp filters. RTAIO_BACKEND=auto has to
# serve all the same, and RTAIO_VERBOSE and rtaio --status have to say why not by io_uring; a backend
# asked for by name has to fail, with one line. --full: more programs where one refusal is like another,
# and all of conformance/ in the sandboxes.

set -u
cd "$(dirname "$0")/../.." || exit 2
# shellcheck source=test/refused/sandboxes.sh
. test/refused/sandboxes.sh
# shellcheck source=test/refused/refusals.sh
. test/refused/refusals.sh

no_use=(io_submit getevents=ENOSYS)
nowait=(test_aio_read_streams test_aio_cancel test_aio_cancel_queued test_close_streams test_blocking_calls
	test_aio_write test_aio_write_streams test_ordering test_overlaps test_no_threads test_no_threads_events
	test_aio_read)
nowait_enosys=(test_aio_read_streams test_ordering)
conformance=(test_aio_write test_lifecycle test_aio_cancel_queued test_ordering)
if [ -n "$full" ]; then
	nowait_enosys=("${nowait[@]}")
	no_use=(io_submit io_submit=ENOSYS io_submit=EOPNOTSUPP getevents getevents=ENOSYS)
	mapfile -t conformance < <(basename -s .c test/conformance/test_*.c)
fi
mapfile -t beside < <(printf '%s\n' "${conformance[@]}" | grep -v -F -x -f <(printf '%s\n' "${programs[@]}"))

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

# By name: ENOSYS, and a line that says what to do.
check_named() {
	local backend=$1 refused=$2 output
	output=$(LD_PRELOAD=$PWD/build/librtaio.so RTAIO_BACKEND=$backend "$refuse" "$refused" -- \
		$reader LICENSE 2>&1)
	if grep -q "^rtaio: RTAIO_BACKEND=$backend cannot serve here" <<<"$output" &&
		grep -qi "not implemented" <<<"$output"; then
		pass "$backend by name fails where it is refused"
	else
		fail "$backend by name fails where it is refused" "$output"
	fi
}

check_named io_uring io_uring
check_named libaio libaio

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

equal "io_uring serves, or it is said why not" \
	"$(verbose_by env | grep -c -e "io_uring does not serve" -e "backend io_uring serves")" 1
end
