#!/bin/bash
# SPDX-License-Identifier: MIT
#
# preload_old.sh - the preload catches every way in which a program finds the AIO functions
#
# Whether it was linked against the present glibc (GLIBC_2.34) or one before (GLIBC_2.2.5, and
# GLIBC_2.4 for lio_listio), and whether it links or asks dlsym and dlvsym. The same program without
# the preload must name glibc everywhere: that shows that the test sees a difference.

set -u

tree=$(cd "$(dirname "$0")/../.." && pwd)
library=${1:-$tree/build/librtaio.so}
# shellcheck source=test/support/results.sh
. "$tree/test/support/results.sh"

work=$(mktemp -d "${TMPDIR:-/tmp}/rtaio-abi.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT

# Lines of the given way whose provider is not the expected object, and how many there were.
others() {
	awk -v way="$1" -v expected="$2" '
		$1 != way { next }
		{ nr++ }
		$3 !~ "/" expected "$" { print; wrong = 1 }
		END { print nr " of them"; exit wrong }' "$3"
}

# check_providers: which object has each function.
check_providers() {
	local way nr

	# Position-independent, so that an address is that of the function and not of a stub of our own.
	${CC:-cc} -std=c11 -D_GNU_SOURCE -Wall -Wextra -fPIE -pie -o "$work/providers" \
		"$tree/test/abi/providers.c" || exit 1
	env -u LD_PRELOAD "$work/providers" >"$work/glibc" || exit 1
	env LD_PRELOAD="$library" "$work/providers" >"$work/preloaded"
	for way in linked dlsym dlvsym; do
		nr=36
		[ $way != dlsym ] || nr=17
		equal "without preload, $way finds glibc" "$(others $way 'libc[.]so[.]6' "$work/glibc")" \
			"$nr of them"
		equal "with preload, $way finds rtaio" "$(others $way 'librtaio[.]so[.0-9]*' \
			"$work/preloaded")" "$nr of them"
	done
	equal "old and new lio_listio are two functions" \
		"$(grep '^meanings' "$work/preloaded")" "meanings lio_listio different"
}

if is_glibc_before 2.34; then
	skip "each function's provider" "a linker of before glibc 2.34 does not find the new versions"
else
	check_providers
fi

# old_list VARIABLE=value...: what became of a test of the old one, which glibc from 2.34 on fails.
old_list() {
	env RTAIO_TEST_FILTER=test_old_list_writes_sigev_none_into_entries CMOCKA_MESSAGE_OUTPUT=TAP "$@" \
		timeout 60 "$tree/build/test/abi/test_old_lio_listio" 2>&1 | grep -E '^(not )?ok'
}
equal "the old lio_listio is glibc's old one where glibc serves" \
	"$(old_list RTAIO_BACKEND=glibc LD_PRELOAD="$library")" "$(old_list LD_PRELOAD=)"

finish
