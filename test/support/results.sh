# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# results.sh - how the shell tests count and report
#
# To be sourced. One line for each test, and at the end the line that run-tests prints as well:
# "N passed, N failed, N skipped".

# Variables that the caller has exported are for other programs.
unset "${!RTAIO_@}" LD_PRELOAD

nr_passed=0
nr_failed=0
nr_skipped=0

pass() {
	nr_passed=$((nr_passed + 1))
	echo "ok   $1"
}

# fail test [what was seen]
fail() {
	nr_failed=$((nr_failed + 1))
	echo "FAIL $1"
	[ $# -lt 2 ] || printf '%s\n' "$2" | sed 's/^/        /'
}

# skip test reason
skip() {
	nr_skipped=$((nr_skipped + 1))
	echo "skip $1: $2"
}

# check test command...: passes if the command succeeds, else shows its output.
check() {
	local test=$1 output
	shift
	if output=$("$@" 2>&1); then
		pass "$test"
	else
		fail "$test" "$output"
	fi
}

# equal test actual expected
equal() {
	if [ "$2" = "$3" ]; then
		pass "$1"
	else
		fail "$1" "$(printf 'is:       %s\nexpected: %s' "$2" "$3")"
	fi
}

# is_glibc_before version: of two numbers.
is_glibc_before() {
	! printf '%s\n' "$1" "$(getconf GNU_LIBC_VERSION | cut -d' ' -f2)" | sort -C -V
}

# write_section name file: what is on standard input goes between the file's comments of that name.
write_section() {
	local text
	text=$(cat) || return
	grep -q "^<!-- $1 -->\$" "$2" || { echo "${0##*/}: $2 has no section \"$1\"" >&2 && return 1; }
	awk -v begin="<!-- $1 -->" -v end="<!-- /$1 -->" -v text="$text" '
		$0 == end { inside = 0 }
		!inside { print }
		$0 == begin { inside = 1; print text }' "$2" >"$2.new" && cat "$2.new" >"$2" && rm -f "$2.new"
}

# list_other_rows columns table: the rows on standard input that the table does not replace. The first
# columns name a row. Rows with other columns cannot stay: then it fails, and names them.
list_other_rows() {
	awk -F' *[|] *' -v columns="$1" '
		function name_of_row(  i, name) {
			for (i = 2; i < 2 + columns; i++)
				name = name "|" $i
			return name
		}
		FNR == 1 { header[NR == FNR] = $0 }
		FNR <= 2 { next }
		NR == FNR { is_replaced[name_of_row()] = 1; next }
		name_of_row() in is_replaced { next }
		header[0] == header[1] { print; next }
		{ print "not replaced, but has other columns: " $0 >"/dev/stderr"; failed = 1 }
		END { exit failed }' <(grep '^|' <<<"$2") -
}

# update_section name file columns: what is on standard input goes between the file's comments of
# that name, and keeps the rows of the table there that have other names, in order of version.
update_section() {
	local text others
	text=$(cat) || return
	others=$(sed -n "/^<!-- $1 -->\$/,/^<!-- \/$1 -->\$/ { /^|/p }" "$2" | list_other_rows "$3" "$text") || return
	{
		grep '^|' <<<"$text" | head -n 2
		{
			grep '^|' <<<"$text" | tail -n +3
			[ -z "$others" ] || echo "$others"
		} | sort -t'|' -k2,2V -k3,3n -k4,4
		grep -v '^|' <<<"$text"
	} | write_section "$1" "$2"
}

# print_sum FILE: passed/failed/skipped, summed up over the lines that scripts end with.
print_sum() {
	awk '/^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ { passed += $1; failed += $3; skipped += $5 }
		END { if (NR) printf "%d/%d/%d", passed, failed, skipped }' "$1"
}

# print_origin [commit]: the last cells of a row.
print_origin() {
	echo "${1:-$(git describe --always --dirty 2>/dev/null)} | $(date -u +%Y-%m-%d)"
}

# To be called last: its status is the script's.
finish() {
	echo
	echo "$nr_passed passed, $nr_failed failed, $nr_skipped skipped"
	[ $nr_failed -eq 0 ]
}
