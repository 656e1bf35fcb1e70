#!/bin/bash
# SPDX-License-Identifier: MIT
#
# coverage.sh - scripts/check-coverage holds what gcov printed against the reasons

set -u
cd "$(dirname "$0")/../.." || exit 2

. test/support/results.sh

work=$(mktemp -d "${TMPDIR:-/tmp}/coverage.XXXXXX") || exit 2
trap 'rm -rf "$work"' EXIT

# A header in two objects, each of which takes one of its branches.
cat >"$work/gcov" <<'EOF_GCOV'
        -:    0:Source:shim/one.c
        -:    0:Graph:build/shim/one.gcno
function one called 3 returned 100% blocks executed 75%
        3:   10:int one(int x)
        -:   11:{
        3:   12:	if (x < 0)
branch  0 taken 0 (fallthrough)
branch  1 taken 3
    #####:   13:		return -1;
       3*:   14:	while (go_on(x))
call    0 returned 8
branch  1 taken 5
branch  2 taken 3 (fallthrough)
function two called 0 returned 0% blocks executed 0%
    #####:   20:int two(void)
    #####:   22:	if (errno)
branch  0 never executed (fallthrough)
branch  1 never executed
        -:    0:Source:shim/both.h
function both called 3 returned 100% blocks executed 100%
        3:    5:	return y ? 1 : 2;
branch  0 taken 3 (fallthrough)
branch  1 taken 0
        -:    0:Source:shim/both.h
function both called 2 returned 100% blocks executed 100%
        2:    5:	return y ? 1 : 2;
branch  0 taken 0 (fallthrough)
branch  1 taken 2
EOF_GCOV

# coverage: what the command prints for the reasons on standard input; its status is the last line.
coverage() {
	cat >"$work/reasons"
	scripts/check-coverage --gcov "$work/gcov" --reasons "$work/reasons" 2>&1
	echo "status $?"
}

# says test output line...: each is a line of it.
says() {
	local test=$1 output=$2 line
	shift 2
	for line in "$@"; do
		grep -q -x -F -e "$line" <<<"$output" || {
			fail "$test" "without \"$line\": $output"
			return
		}
	done
	pass "$test"
}

output=$(coverage </dev/null)
says "what was not reached has no reason" "$output" "status 1" \
	"not reached, and no reason is given: one.c one(): if (x < 0) [1 of 2]" \
	"not reached, and no reason is given: one.c two(): never run" "0 listed with a reason, 2 wrong"
says "the table adds up what all objects took" "$output" \
	"module            lines     run branches   taken" \
	"both                  1 100.0 %        2 100.0 %" \
	"one                   6  50.0 %        6  50.0 %" \
	"all                   7  57.1 %        8  62.5 %"

says "all has a reason" "$(
	coverage <<'EOF_REASONS'
# a comment
== negative numbers cannot be had

one.c one(): if (x < 0) [1 of 2]
one.c two(): never run
EOF_REASONS
)" "status 0" "2 listed with a reason, 0 wrong"

says "what has a reason is reached" "$(
	coverage <<'EOF_REASONS'
== negative numbers cannot be had
one.c one(): if (x < 0) [1 of 2]
one.c one(): while (go_on(x)) [1 of 2]
one.c two(): never run
EOF_REASONS
)" "status 1" "reached, but listed as unreached: one.c one(): while (go_on(x)) [1 of 2]"

says "what is reached now and then may be reached" "$(
	coverage <<'EOF_REASONS'
== now and then: when two threads meet
one.c one(): while (go_on(x)) [1 of 2]
one.c one(): if (x < 0) [1 of 4]
one.c two(): never run
EOF_REASONS
)" "status 0"

says "a second one of the same words is another" "$(
	sed -i 's/^branch  2.*/&\n        2:   15:	if (x < 0)\nbranch  0 taken 0\nbranch  1 taken 2/' "$work/gcov"
	coverage <<'EOF_REASONS'
== negative numbers cannot be had
one.c one(): if (x < 0) [1 of 2]
one.c two(): never run
EOF_REASONS
)" "status 1" "not reached, and no reason is given: one.c one(): if (x < 0) [1 of 2]"

says "a line without a reason" "$(coverage <<<"one.c two(): never run")" "status 1" \
	"without a reason: one.c two(): never run"

finish
