#!/bin/bash
# SPDX-License-Identifier: MIT
#
# differences.sh - which mistakes scripts/check-differences finds

set -u

tree=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=test/support/results.sh
. "$tree/test/support/results.sh"

work=$(mktemp -d "${TMPDIR:-/tmp}/rtaio-differences.XXXXXX") || exit 2
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/test/conformance" "$work/scripts/man"
printf '\tcmocka_unit_test(%s),\n' test_first test_second >"$work/test/conformance/test_one.c"

# manual line...: writes the list of differences.
manual() {
	{
		echo '.SS Differences from glibc'
		printf '%s\n' "$@"
		echo '.SS Limits'
		echo '.IP \(bu 3'
	} >"$work/scripts/man/rtaio.7"
}

# tests line...: writes the differences that the tests know.
tests() {
	printf '%s\n' "# a comment" "musl test_one test_first of musl the manual says nothing" "$@" \
		>"$work/test/differences.txt"
}

# finds test pattern: what is there is refused, with a message that has the pattern.
finds() {
	local output
	if output=$("$tree/scripts/check-differences" "$work"); then
		fail "$1" "accepted: $output"
	elif grep -q -e "$2" <<<"$output"; then
		pass "$1"
	else
		fail "$1" "$output"
	fi
}

entry=('.\" differs: ^a mutex' '.IP \(bu 3' 'A handler may ask.')
shown=('.\" test: test_second' '.IP \(bu' 'Another.')

tests "glibc test_one test_first a mutex is taken" "glibc test_one test_second the same"
manual "${entry[@]}" "${shown[@]}"
check "a list that fits is accepted" "$tree/scripts/check-differences" "$work"

manual "${entry[@]}" '.\" untested: the kernel decides' '.IP \(bu' 'Another.'
check "an entry may say why no test shows it" "$tree/scripts/check-differences" "$work"

manual "${entry[@]}" '.IP \(bu' 'Another.'
finds "an entry that nothing shows" "rtaio.7:5: no comment"

manual "${entry[@]}" '.\" test: test_third' '.IP \(bu' 'Another.'
finds "a test that does not exist" 'no test "test_third"'

manual "${entry[@]}" "${shown[@]}" '.\" differs: ^a queue' '.IP \(bu' 'A third.'
finds "a difference that no test knows" "no test differs so: ^a queue"

manual
finds "an empty list" "lists no difference"

manual "${entry[@]}" "${shown[@]}"
tests "glibc test_one test_first a mutex is taken" "rtaio test_one test_second a copy is made"
finds "a difference that the manual leaves out" "does not list what test_one test_second shows: a copy"

finish
