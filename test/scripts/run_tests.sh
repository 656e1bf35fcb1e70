#!/bin/bash
# SPDX-License-Identifier: MIT
#
# run_tests.sh - the runner of the tests understands every version of cmocka

set -u
cd "$(dirname "$0")/../.." || exit 2

. test/support/results.sh

work=$(mktemp -d "${TMPDIR:-/tmp}/run_tests.XXXXXX") || exit 2
trap 'rm -rf "$work"' EXIT

# program name: a program that prints what is on standard input.
program() {
	{
		printf '#!/bin/sh\ncat <<"END_OF_OUTPUT"\n'
		cat
		echo END_OF_OUTPUT
	} >"$work/$1"
	chmod +x "$work/$1"
}

program test_cmocka_1_1_5 <<'EOF'
1..4
ok 1 - test_passes
the reason
not ok 2 # SKIP test_is_skipped
not ok 3 - test_fails
# 0x1 != 0x2
# test.c:10: error: Failure!
not ok 4 - test_without_fixture Could not run test: Test setup failed
# not ok - group
EOF

program test_cmocka_1_1_7 <<'EOF'
TAP version 13
1..4
ok 1 - test_passes
the reason
ok 2 # SKIP test_is_skipped
not ok 3 - test_fails
# 0x1 != 0x2
# test.c:10: error: Failure!
not ok 4 - test_without_fixture Could not run test: Test setup failed
# not ok - group
EOF

program test_cmocka_2_0 <<'EOF'
TAP version 14
1..4
ok 1 - test_passes
the reason
ok 2 - test_is_skipped # SKIP
not ok 3 - test_fails
  ---
  message: |-
    1 != 2
    test.c:10: error: Failure!
  severity: fail
  ...
not ok 4 - test_without_fixture
  ---
  message: 'Could not run test: Test setup failed'
  severity: error
  ...
# not ok - group
EOF

# The class of each test of a program.
classes() {
	scripts/run-tests --implementation glibc --results "$work/results" "$work/$1" >/dev/null
	awk -F'\t' '{ print $3, $4 }' "$work/results"
}

# says test text: the text is part of what the runner tells of the test.
says() {
	awk -F'\t' -v test="$1" -v text="$2" \
		'$4 == test && index($5, text) { found = 1 } END { exit !found }' "$work/results"
}

for version in 1_1_5 1_1_7 2_0; do
	equal "results of cmocka $version" "$(classes test_cmocka_$version)" "pass test_passes
skip test_is_skipped
fail test_fails
fail test_without_fixture"
	check "why a test is skipped, cmocka $version" says test_is_skipped "the reason"
	check "where a test fails, cmocka $version" says test_fails "test.c:10: error: Failure!"
	check "that a fixture fails, cmocka $version" says test_without_fixture "Test setup failed"
done

equal "nothing is said of a test that passes" "$(awk -F'\t' '$4 == "test_passes" { print $5 }' "$work/results")" ""

finish
