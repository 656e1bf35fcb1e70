#!/bin/bash
# SPDX-License-Identifier: MIT
#
# valgrind.sh - programs under valgrind: worker threads serve, memcheck finds nothing, and they say so
#
# io_uring and Linux AIO cannot serve there. Who asks for one of them by name gets an error, and
# nobody hangs.

set -u

tree=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=test/support/results.sh
. "$tree/test/support/results.sh"

if ! command -v valgrind >/dev/null; then
	skip "programs under valgrind" "valgrind is not installed"
	finish
	exit
fi

library=$tree/build/librtaio.so
mkdir -p "$tree/build/tmp"
work=$(mktemp -d "$tree/build/tmp/valgrind.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
export RTAIO_TEST_DEADLINE_MS=60000
# A thread that still runs at the end counts as a possible leak, on glibc as well.
memcheck=(timeout -k 1 100 valgrind -q --fair-sched=yes --error-exitcode=99 --leak-check=full
	--show-leak-kinds=definite --errors-for-leak-kinds=definite)

# is_clean test-program [filter]: passes, and valgrind has nothing to say, not even about a system call.
is_clean() {
	local output status
	output=$(LD_PRELOAD=$library RTAIO_TEST_FILTER=${2-} "${memcheck[@]}" "$tree/build/test/$1" 2>&1)
	status=$?
	[ $status -eq 0 ] && ! grep -E '^(==|--)' <<<"$output" && return
	printf 'status %d\n%s\n' $status "$(tail -40 <<<"$output")"
	return 1
}

# says test status pattern VARIABLE=value...
says() {
	local test=$1 status=$2 pattern=$3 output actual
	shift 3
	output=$(env "$@" LD_PRELOAD="$library" timeout -k 1 60 valgrind -q "$work/reads" "$work/file" 2>&1)
	actual=$?
	if [ $actual -eq "$status" ] && grep -q -E -e "$pattern" <<<"$output"; then
		pass "$test"
	else
		fail "$test" "status $actual, expected $status and '$pattern': $output"
	fi
}

if ! printf 'valgrind-3.19\n%s\n' "$(valgrind --version)" | sort -C -V; then
	skip "memcheck finds nothing" "valgrind before 3.19 warns of system calls that it does not know"
else
	for program in test_lio_listio test_lio_wait test_lio_notification test_sigevent test_signal_handlers; do
		check "memcheck finds nothing in $program" is_clean conformance/$program
	done
	check "memcheck finds nothing in closes amid requests" \
		is_clean transparency/test_close_many '*stream_requests_survive_a_range_that_ends_with_theirs'
	check "memcheck finds nothing in requests of a plugin" is_clean transparency/test_dlopen '*plugin*'
fi

${CC:-cc} -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -o "$work/reads" "$tree/test/scripts/reads.c" -lrt || exit 1
head -c 262144 /dev/zero >"$work/file"
says "it is said that worker threads serve" 0 \
	'^rtaio: io_uring does not serve: .*valgrind.*worker threads' RTAIO_VERBOSE=1 RTAIO_INLINE=0
for backend in io_uring libaio; do
	says "$backend is an error" 1 "^rtaio: RTAIO_BACKEND=$backend cannot serve here: .*valgrind" \
		RTAIO_BACKEND=$backend
done
says "threads are not" 0 '^rtaio: statistics' RTAIO_BACKEND=threads RTAIO_STATS=1
equal "rtaio-status says it" "$(timeout -k 1 60 valgrind -q "$tree/build/rtaio-status" 2>&1 |
	grep -A1 -E '^(io_uring|libaio) ' | grep -c 'valgrind cannot look into it')" 2
finish
