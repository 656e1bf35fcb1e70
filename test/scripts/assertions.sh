#!/bin/bash
# SPDX-License-Identifier: MIT
#
# assertions.sh - which mistakes scripts/check-assertions finds

set -u

tree=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=test/support/results.sh
. "$tree/test/support/results.sh"

work=$(mktemp -d "${TMPDIR:-/tmp}/rtaio-assertions.XXXXXX") || exit 2
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/test/conformance" "$work/test/transparency"

# Two programs, of which the second need not be cited.
printf '\tcmocka_unit_test(%s),\n' test_first test_second >"$work/test/conformance/test_one.c"
printf '\tcmocka_unit_test(\n\t\t%s),\n' test_other >"$work/test/transparency/test_two.c"

# assertions row...: writes the table; a row is "id | force | text | proof".
assertions() {
	{
		printf '| %s |\n' "id | force | promise | proof" "---|---|---|---"
		printf '| %s |\n' "$@"
	} >"$work/test/conformance/ASSERTIONS.md"
}

first="read-01 | shall | the first | test_one: test_first"
second="read-02 | may | the second | test_one: test_second; test_two: test_other"

# finds test pattern row...: the table is refused, with a message that has the pattern.
finds() {
	local test=$1 pattern=$2 output
	shift 2
	assertions "$@"
	if output=$("$tree/scripts/check-assertions" "$work"); then
		fail "$test" "accepted: $output"
	elif grep -q -e "$pattern" <<<"$output"; then
		pass "$test"
	else
		fail "$test" "$output"
	fi
}

assertions "$first" "$second" "read-03 | shall | the third | gap: too big for a test"
equal "a table without a mistake" "$("$tree/scripts/check-assertions" "$work")" \
	"check-assertions: 3 promises, 1 of them gaps"
finds "a test that does not exist" 'read-03: test_one runs no "test_third"' \
	"$first" "$second" "read-03 | shall | the third | test_one: test_third"
finds "a test of another program" 'read-03: test_two runs no "test_first"' \
	"$first" "$second" "read-03 | shall | the third | test_two: test_first"
finds "a program that does not exist" 'read-03: no test program "test_three"' \
	"$first" "$second" "read-03 | shall | the third | test_three: test_first"
finds "a conformance test that nobody cites" 'test_one: test_second proves nothing' "$first"
mkdir "$work/test/beyond"
printf '\tcmocka_unit_test(%s),\n' test_call >"$work/test/beyond/test_three.c"
finds "a test of a call beyond POSIX that nobody cites" 'test_three: test_call proves nothing' "$first" "$second"
rm -r "$work/test/beyond"
finds "an id used twice" 'read-01: used twice' "$first" "$second" "$first"
finds "a promise without test and gap" 'read-03: neither a test nor a gap' \
	"$first" "$second" "read-03 | shall | the third | "
finds "a gap without a reason" 'read-03: a gap without a reason' \
	"$first" "$second" "read-03 | shall | the third | gap:"
finds "an id that is none" '"Read 3" is no id' \
	"$first" "$second" "Read 3 | shall | the third | gap: a reason"
finds "a row with a cell too few" 'read-03: a row has four cells' \
	"$first" "$second" "read-03 | the third | gap: a reason"

finish
