#!/bin/bash
# SPDX-License-Identifier: MIT
#
# idle.sh - a program that never calls AIO shows no trace of the library
#
# Compares the system calls of test/abi/idle.c with and without the preload, from the moment the
# loader is done to the exit, in the program, its child and its thread; and that nothing is written
# by a library which was asked to be talkative but had nothing to do.

set -u

tree=$(cd "$(dirname "$0")/../.." && pwd)
library=${1:-$tree/build/librtaio.so}
# shellcheck source=test/support/results.sh
. "$tree/test/support/results.sh"

work=$(mktemp -d "${TMPDIR:-/tmp}/rtaio-idle.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT

${CC:-cc} -std=c11 -D_GNU_SOURCE -Wall -Wextra -I"$tree/test/support" -o "$work/idle" "$tree/test/abi/idle.c" -lrt -lpthread || exit 1

# trace name [VARIABLE=value...]: one file for each task in $work/name.*. strace is not preloaded.
trace() {
	local name=$1 settings=() setting
	shift
	for setting in "$@"; do
		settings+=(-E "$setting")
	done
	strace -ff -o "$work/$name" -E LD_PRELOAD "${settings[@]}" "$work/idle"
}

# calls name: what each task did, in the order the tasks were made, free of what differs between
# two runs of one program: addresses, process ids, random bytes, and who had to wait for whom. The
# loader ends by unmapping its cache.
calls() {
	local file task=0
	while IFS= read -r file; do
		if [ $task -eq 0 ]; then
			awk 'seen { print } /ld\.so\.cache/ { loading = 1 }
				loading && /^munmap\(/ { seen = 1 }' "$file"
		else
			cat "$file"
		fi | sed -E -e "s/^/task $task: /" -e 's/0x[0-9a-f]+/ADDRESS/g' \
			-e 's/getrandom..[^"]*"/getrandom(BYTES/' -e 's/\b[0-9]{2,}\b/NUMBER/g' \
			-e 's/parent_tid=\[[0-9]\]/parent_tid=[NUMBER]/' |
			grep -v -E 'SIGCHLD|: (futex|restart_syscall)\('
		task=$((task + 1))
	done < <(find "$work" -name "$1.*" | sort -t. -k2 -n)
}

if ! strace -o /dev/null true 2>/dev/null; then
	skip "a program without AIO makes the same system calls" "strace cannot trace here"
else
	check "the program runs without preload" trace plain
	check "the program runs with preload" trace preloaded "LD_PRELOAD=$library"
	check "both were traced to the end" grep -q 'exited with 0' "$(find "$work" -name 'plain.*' |
		sort | head -1)"
	calls plain >"$work/calls_plain"
	calls preloaded >"$work/calls_preloaded"
	check "a program without AIO makes the same system calls" \
		diff "$work/calls_plain" "$work/calls_preloaded"
	check "the trace has the program's own calls" \
		grep -q 'task 1: .*close' "$work/calls_preloaded"
fi

output=$(env LD_PRELOAD="$library" RTAIO_VERBOSE=1 "$work/idle" 2>&1)
equal "a program without AIO is not told about the library" "$output" ""

finish
