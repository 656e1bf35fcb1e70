#!/bin/bash
# SPDX-License-Identifier: MIT
#
# run_tests.sh - the runner of the tests understands every version of cmocka, and runs programs side by
# side, as scripts/side-by-side does with commands

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

# ---- side by side ----

# acting_program name: one that runs what is on standard input.
acting_program() {
	{
		echo '#!/bin/sh'
		echo 'echo 1..1'
		cat
	} >"$work/$1"
	chmod +x "$work/$1"
}

# Neither of the two ends without the other.
mkfifo "$work/fifo" || exit 2
acting_program test_writes <<EOF
echo x >$work/fifo && echo ok 1 - test_is_read
EOF
acting_program test_reads <<EOF
read -r x <$work/fifo && echo ok 1 - test_is_written
EOF
# A job in the background of a shell ignores SIGINT and SIGQUIT, the second and the third bit.
acting_program test_ignores_no_interrupt <<'EOF'
grep -q 'SigIgn:.*[0189]$' /proc/self/status && echo ok 1 - test_ignores_no_interrupt
EOF
acting_program test_dies <<'EOF'
kill -9 $$
EOF

# runs test expected option...: what the runner ends with.
runs() {
	local test=$1 expected=$2
	shift 2
	equal "$test" "$(scripts/run-tests --implementation glibc --timeout 20 --results "$work/results" "$@" |
		tail -1)" "$expected"
}

runs "two programs run side by side" "2 passed, 0 failed, 0 skipped" --jobs 2 "$work/test_writes" "$work/test_reads"
runs "a crash beside others is seen" "4 passed, 7 failed, 3 skipped" --jobs 3 "$work/test_dies" \
	"$work"/test_cmocka_1* "$work/test_ignores_no_interrupt" "$work/test_cmocka_2_0"
equal "results have the order of the programs" "$(awk -F'\t' '!seen[$2]++ { print $2 }' "$work/results" | tr '\n' ' ')" \
	"test_dies test_cmocka_1_1_5 test_cmocka_1_1_7 test_ignores_no_interrupt test_cmocka_2_0 "
runs "a program may be named twice" "2 passed, 0 failed, 0 skipped" --jobs 2 \
	"$work/test_ignores_no_interrupt" "$work/test_ignores_no_interrupt"
equal "no jobs at all are refused" "$(scripts/run-tests --jobs 0 2>&1)" "run-tests: --jobs is a number from 1"

equal "two commands run side by side" "$(timeout 20 scripts/side-by-side 2 "echo x >$work/fifo" "read -r x <$work/fifo" |
	grep -c ' s$')" 2
equal "what a command prints stays together" "$(timeout 20 scripts/side-by-side 2 "echo a; cat $work/fifo; echo b" \
	"echo c; echo x >$work/fifo; echo d" | grep '^.$' | tr -d '\n' | sed 's/^\(cd\)\(axb\)$/\2\1/')" axbcd
for commands in "false true true" "true true false"; do
	# shellcheck disable=SC2086 # several words
	equal "a command that fails beside others is seen: $commands" \
		"$(scripts/side-by-side 2 $commands >/dev/null; echo $?)" 1
done
check "commands that succeed are a success" scripts/side-by-side 2 true true true
# On Debian 11 (bash 5.1) `wait -n` also returns for a job that ended earlier.
# shellcheck disable=SC2016 # for the shell of each command
count='touch $COUNTED/$$; ls $COUNTED | wc -l >>$COUNTED.counts; for i in {1..1000}; do :; done; rm $COUNTED/$$'
mapfile -t commands < <(yes "$count" | head -n 100)
mkdir "$work/counted"
COUNTED=$work/counted scripts/side-by-side 2 "${commands[@]}" >/dev/null
check "no more commands run than were asked for" test "$(sort -rn "$work/counted.counts" | head -n 1)" -le 2

finish
