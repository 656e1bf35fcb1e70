# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
#
# refusals.sh - programs to run where something is refused, and how the reason given is checked
#
# To be sourced in the root of the tree, with the arguments of the script.

# shellcheck source=test/support/results.sh
. test/support/results.sh

refuse=$PWD/build/test/refused/refuse
full=
[ "${1-}" != --full ] || full=yes
programs=(test_aio_read test_aio_read_streams test_aio_write test_aio_write_streams test_aio_cancel
	test_aio_cancel_queued test_aio_suspend test_aio_suspend_interrupted test_lio_listio test_lio_wait
	test_lio_notification test_sigevent test_signal_handlers test_callbacks test_ordering test_overlaps
	test_sigpipe test_sigxfsz test_fork test_fork_in_callbacks test_close_reuse)
# Where one refusal is like another.
many=(test_aio_read test_aio_write_streams test_aio_cancel_queued test_aio_suspend test_lio_wait test_ordering)
[ -z "$full" ] || many=("${programs[@]}")
run_tests=(scripts/run-tests --jobs "${JOBS:-1}")
failed=0

# run name command...: the command prints its own results.
run() {
	echo "-- $1"
	shift
	"$@" || failed=1
}

# end: the results of what run did not run; the exit status is that of all.
end() {
	finish || failed=1
	exit $failed
}

reader=build/test/examples/preload_tutorial
mkdir -p "${reader%/*}" && cc -o $reader test/examples/preload_tutorial.c -lrt || exit 2

# The output of a program that needs the engine; the arguments are a command to run it by.
verbose_by() {
	LD_PRELOAD=$PWD/build/librtaio.so RTAIO_VERBOSE=1 RTAIO_INLINE=0 RTAIO_OFFLOAD=0 "$@" $reader LICENSE 2>&1
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
	equal "$test" "${wrong:+$wrong $output $status}" ""
}
