#!/bin/bash
# SPDX-License-Identifier: MIT
#
# layers.sh - scripts/check-layers sees what points upward, and circles
#
# In a copy of the tree, as nothing is built for it.

set -u

tree=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=test/support/results.sh
. "$tree/test/support/results.sh"

work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT

# fresh: the tree as it is, with its objects.
fresh() {
	rm -rf "$work/tree"
	mkdir -p "$work/tree/build" "$work/tree/scripts"
	cp -a "$tree/shim" "$work/tree" && cp -a "$tree/build/shim" "$work/tree/build" &&
		cp -a "$tree/scripts/check-layers" "$work/tree/scripts"
}

# says NAME STATUS PATTERN
says() {
	local output status
	output=$("$work/tree/scripts/check-layers" 2>&1)
	status=$?
	equal "$1: the status" "$status" "$2"
	check "$1" grep -q -e "$3" <<<"$output"
}

fresh
says "the tree has neither" 0 ' 0 upward, 0 circles, '
echo '#include "lane/inline.h"' >>"$work/tree/shim/base/config.h"
says "an include that points upward" 1 'upward: base/config to lane/inline (include)'
fresh
echo '#include "lane/inline.h"' >>"$work/tree/shim/observers/check.c"
says "an observer that looks inside" 1 'not for observers: observers/check to lane/inline (include)'
fresh
echo '#include "order/fdqueue.h"' >>"$work/tree/shim/order/bypass.h"
says "a circle within a layer" 1 'order/fdqueue'
fresh
# An object that calls a function which only a layer above has, without an include.
printf 'void lifecycle_begin(void);\nvoid up(void);\nvoid up(void) { lifecycle_begin(); }\n' >"$work/tree/shim/base/up.c"
"${CC:-gcc}" -c "$work/tree/shim/base/up.c" -o "$work/tree/build/shim/base/up.o"
says "a call that points upward" 1 'upward: base/up to api/lifecycle (lifecycle_begin)'
rm "$work/tree/build/shim/base/up.o"
says "a module that was not built" 2 'run make first'
fresh
mkdir "$work/tree/shim/attic"
says "a folder that is no layer" 1 'shim/attic/ is no layer'

finish
