#!/bin/bash
# SPDX-License-Identifier: MIT
#
# early.sh - constructors that close files before the library's own has run
#
# A library that the program is linked to, or another one that is preloaded before or after this
# one, calls one of the functions that the library stands in for, in its constructor; or it installs a
# handler there that uses AIO in each child of fork, before the library installs its own.

set -u

tree=$(cd "$(dirname "$0")/../.." && pwd)
library=${1:-$tree/build/librtaio.so}
# shellcheck source=test/support/results.sh
. "$tree/test/support/results.sh"

work=$(mktemp -d "${TMPDIR:-/tmp}/rtaio-early.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT

flags=(-std=gnu11 -D_GNU_SOURCE -Wall -Wextra -I"$tree/test/support")
${CC:-cc} "${flags[@]}" -fPIC -shared -o "$work/libearly.so" "$tree/test/abi/early.c" -lrt || exit 1
${CC:-cc} "${flags[@]}" -o "$work/plain" "$tree/test/abi/early_main.c" -lrt -ldl || exit 1
${CC:-cc} "${flags[@]}" -o "$work/linked" "$tree/test/abi/early_main.c" -Wl,--no-as-needed \
	-L"$work" -learly -Wl,-rpath,"$work" -lrt -ldl || exit 1

# run function program preload...
run() {
	local function=$1 program=$2
	shift 2
	timeout 20 env EARLY="$function" LD_PRELOAD="$*" "$work/$program"
}

early=$work/libearly.so
for function in aio_read close dup2 dup3 fclose close_range closefrom setrlimit prlimit setrlimit64 prlimit64 _exit _Exit \
	pthread_atfork; do
	# In the children of the last one glibc's own AIO is dead.
	if [ $function != pthread_atfork ] && ! run $function linked; then
		skip "$function in a constructor" "it fails without the library"
		continue
	fi
	check "$function in the constructor of a linked library" run $function linked "$library"
	check "$function in one that is preloaded before" run $function plain "$early" "$library"
	check "$function in one that is preloaded after" run $function plain "$library" "$early"
done
finish
