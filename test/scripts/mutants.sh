#!/bin/bash
# SPDX-License-Identifier: MIT
#
# mutants.sh - which faults scripts/generate-mutants makes, and do all lists name tests that there are?

set -u

tree=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=test/support/results.sh
. "$tree/test/support/results.sh"

work=$(mktemp -d "${TMPDIR:-/tmp}/rtaio-mutants.XXXXXX") || exit 2
trap 'rm -rf "$work"' EXIT
generate=$tree/scripts/generate-mutants

cat >"$work/one.c" <<'END_OF_C'
/* if (a) call(1); */
#include <x.h>
#define SIZE 64

static int first(int a, int b)
{
	/* if (a > 1)
	 * return -EINVAL; */
	if (a && b < 3) // a == b
		return -EINVAL;
	stats_inc(reads);
	log_line("a == %d && b",
		 1);
	atomic_store_explicit(&word, 1, memory_order_release);
	call("a < 1", b);
	return 0;
}
END_OF_C

# faults KIND: what becomes of the code, by line.
faults() {
	awk -f "$generate" "$work/one.c" | awk -F '\t' -v kind="$1" '{ split($1, name, ":") }
		name[3] ~ "^" kind "[0-9]*$" { printf "%s %s|", name[2], $4 }'
}

equal "a condition is turned" "$(faults condition)" '9 if (!(a && b < 3)) // a == b|'
equal "an error is ignored" "$(faults ignored)" '9 if (0 && (a && b < 3)) // a == b|'
equal "a call is left out, but for logs, counters and atomics" "$(faults call)" '15 (void)0;|'
equal "an error becomes success" "$(faults return)" '10 return 0;|'
equal "a constant is moved, outside of texts and atomics" "$(faults constant)" \
	'3 #define SIZE (64 / 2)|9 if (a && b < (3 + 1)) // a == b|16 return (0 + 1);|'
equal "a relation is moved, outside of comments" "$(faults relation)" '9 if (a && b <= 3) // a == b|'
equal "and becomes or" "$(faults logic)" '9 if (a || b < 3) // a == b|'
equal "the names are the module, the line and the kind" \
	"$(awk -f "$generate" "$work/one.c" | cut -f 1,2 | head -n 3 | tr '\t\n' ' |')" \
	'one:3:constant one:SIZE|one:9:condition one:first|one:9:ignored one:first|'
equal "one fault changes one line" \
	"$(awk -v mutant=one:9:relation -f "$generate" "$work/one.c" | diff "$work/one.c" - | grep -c '^[<>]')" 2
check "a fault that does not exist is refused" \
	bash -c "! awk -v mutant=one:9:call -f '$generate' '$work/one.c' 2>/dev/null"

# sample SEED N [AWK]
sample() {
	"${3:-awk}" -v seed="$1" -v sample="$2" -f "$generate" "$tree"/shim/*.c "$tree"/shim/*/*.[ch]
}

# name.c and name.h are one.
modules() {
	cut -d : -f 1 | sed 's/[.]h$//' | sort
}

nr_modules=$(awk -f "$generate" "$tree"/shim/*.c "$tree"/shim/*/*.[ch] | modules | uniq | wc -l)
equal "a sample touches every module" "$(sample 3 "$nr_modules" | modules | uniq | wc -l)" "$nr_modules"
equal "a small sample touches a module once" "$(sample 3 30 | modules | uniq -d)" ""
cp "$tree"/shim/*.c "$tree"/shim/*/*.[ch] "$work"
sed -i 's/^#include "config.h"$/&\n\n#define NEW 7/' "$work/cancel.c"
sed -i 's/if (atomic_load(/if (0 + atomic_load(/' "$work/waiter.c"
rm "$work/one.c"
equal "a change elsewhere leaves the others in the sample" \
	"$(awk -v seed=3 -v sample=60 -f "$generate" "$work"/*.[ch] | cut -f 2- | grep -v '^\(cancel\|waiter\)[.:]' | cksum)" \
	"$(sample 3 60 | cut -f 2- | grep -v '^\(cancel\|waiter\)[.:]' | cksum)"
equal "a sample has as many faults as it should" "$(sample 3 200 | sort -u | wc -l)" 200
equal "a seed gives the same sample again" "$(sample 5 40 | cksum)" "$(sample 5 40 | cksum)"
check "another seed gives another one" [ "$(sample 5 40 | cksum)" != "$(sample 6 40 | cksum)" ]
for awk in mawk gawk; do
	if command -v $awk >/dev/null; then
		equal "it is the same with $awk" "$(sample 5 400 $awk | cksum)" "$(sample 5 400 | cksum)"
	else
		skip "it is the same with $awk" "there is none"
	fi
done

# Each entry of the list quotes code that is there, and gives a reason.
awk -f "$generate" "$tree"/shim/*.c "$tree"/shim/*/*.[ch] | awk -F '\t' '
	function trim(s) { sub(/^[-+a-z]+[ \t]+/, "", s); return s }
	FILENAME == "-" { known[$2 "\t" $3 "\t" $4]; places[$2]; next }
	/^speed/ { if (!(trim($0) in places)) print; nr++ }
	/^survivor/ { place = trim($0) }
	/^-/ { from = trim($0) }
	/^\+/ { if (!((place "\t" from "\t" trim($0)) in known)) print place ": " $0; nr++ }
	/^why ./ { nr_reasons++ }
	END { if (nr != nr_reasons) print nr " faults, " nr_reasons " reasons" }' - "$tree/test/mutants/survivors" >"$work/stale"
equal "each fault that may survive exists and has a reason" "$(cat "$work/stale")" ""

# A mutant quotes code that is there, too.
sed -n 's/^mutant //p' "$tree"/test/mutants/*.mutants | xargs -P 2 -I '{}' awk -v mutant='{}' -v writes=no \
	-f "$tree/scripts/apply-mutant" "$tree"/test/mutants/*.mutants "$tree"/shim/*.c "$tree"/shim/*/*.[ch] \
	>/dev/null 2>"$work/stale"
equal "each mutant has its place in the source" "$(cat "$work/stale")" ""

# A test that was renamed or moved would be run no more for those that name it. Lines of program and test.
for program in "$tree"/build/test/{conformance,transparency,beyond,abi,stress,unit}/{test,stress}_*; do
	[[ $program == *.* || ! -x $program ]] || RTAIO_TEST_LIST=1 "$program" | sed "s/^/${program##*/} /"
done >"$work/tests"

# unknown: of such lines those that name no test. A program alone is "PROGRAM", a test alone "- TEST".
unknown() {
	awk 'FNR == NR { known[$0]; known[$1]; known["- " $2]; next } !($0 in known)' "$work/tests" -
}
equal "each trap names a test" "$("$tree/scripts/check-traps" --list | sed 's/.* //; s/:/ /' | unknown)" ""
equal "each mutant names a test" \
	"$(sed -n 's/^killer \(test_\|stress_\)/- \1/p' "$tree"/test/mutants/*.mutants | unknown)" ""
for list in quick order; do
	equal "$list names tests" "$(grep -v '^#' "$tree/test/mutants/$list" | sed 's/^[^ ]* //' | tr ',' '\n' |
		sed '/^ *script /d; s/^ *[^ ]* //; s/ -$//' | unknown)" ""
done
finish
