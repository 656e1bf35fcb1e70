#!/bin/bash
# SPDX-License-Identifier: MIT
#
# abi.sh - scripts/check-abi notices what breaks programs that were linked before

set -u

tree=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=test/support/results.sh
. "$tree/test/support/results.sh"

work=$(mktemp -d "${TMPDIR:-/tmp}/rtaio-abi.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

if ! abidw --help 2>&1 | grep -q exported-interfaces-only; then
	skip "scripts/check-abi" "abigail-tools 2 or newer is not installed"
	finish
	exit
fi

# library text: of C.
library() {
	echo "$1" | ${CC:-cc} -g -shared -fPIC -o library.so -x c -
}

# finds test status: of the library and what is stored.
finds() {
	"$tree/scripts/check-abi" --stored stored library.so >message 2>&1
	equal "$1" "$?" "$2"
}

record='struct record { long a; int b; };'
other='int get(void) { return 1; }'
library "$record int put(struct record *r) { return r->b; } $other"
check "an ABI is stored" "$tree/scripts/check-abi" --write --stored stored library.so
finds "the same one is accepted" 0
library "$record int put(struct record *r) { return r->b + 1; } static int own(void) { return 2; }
	int get(void) { return own(); }"
finds "so is other code" 0
library "$record int put(struct record *r) { return r->b; }"
finds "a function that is gone is noticed" 1
check "and named" grep -q "get" message
library "$record int put(struct record *r, int n) { return r->b + n; } $other"
finds "a parameter is" 1
library "struct record { long a; long b; }; int put(struct record *r) { return (int)r->b; } $other"
finds "a type is" 1
check "and named" grep -q "record" message
library "$record int put(struct record *r) { return r->b; } $other int more(void) { return 3; }"
finds "what was added is" 1
strip -g library.so
finds "a library without debugging information cannot be judged" 2

finish
