#!/bin/bash
# SPDX-License-Identifier: MIT
#
# privileged.sh - a program with more rights than its caller has does not obey the caller's variables
#
# Programs with the set-user-ID bit or with capabilities, linked to the library, are run by somebody
# who has not their rights, in an environment that would show: a file of statistics in a directory
# that only root may write to, a backend that does not exist, and a request to say what serves.

set -u

tree=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=test/support/results.sh
. "$tree/test/support/results.sh"

work=$(mktemp -d "${TMPDIR:-/tmp}/rtaio-privileged.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export LC_ALL=C

NOBODY=(setpriv --reuid 65534 --regid 65534 --clear-groups)

# build program [library]: from reads.c, linked to the library.
build() {
	${CC:-cc} -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -o "$1" "$tree/test/scripts/reads.c" \
		${2:+"$2" "-Wl,-rpath,$(dirname "$2")"} -lrt
}

# is_privileged program: does the kernel tell the program so? The loader then ignores LD_DEBUG.
is_privileged() {
	[ -z "$("${NOBODY[@]}" env LD_DEBUG=statistics "$1" file 2>&1)" ]
}

# run [command...]: a program in an environment that shows; prints what is written and made.
run() {
	rm -rf closed && mkdir -m 755 closed
	env RTAIO_STATS="$work/closed/counters" RTAIO_VERBOSE=1 timeout 20 "$@" file 2>&1
	ls closed
	RTAIO_BACKEND=fast timeout 20 "$@" file 2>&1
}

# obeys_nobody test program
obeys_nobody() {
	if ! is_privileged "./$2"; then
		skip "$1" "this file system or container gives a program no other rights"
		return
	fi
	equal "$1" "$(run "${NOBODY[@]}" "./$2")" ""
}

if [ "$(id -u)" -ne 0 ] || ! command -v setpriv >/dev/null; then
	skip "a privileged program ignores the environment" "only root can make one for another user"
	finish
	exit
fi

chmod 755 .
head -c 8192 /dev/zero >file
for library in librtaio.so librt.so.1; do
	path=$tree/build/$library
	[ -e "$path" ] || path=$tree/build/librt/$library
	build "with-$library" "$path" || exit 1
	chmod 4755 "with-$library"
	# Root gains nothing by the bit.
	check "$library: an ordinary program does what its environment says" \
		grep -q 'serving.* counters .*fast is not a backend' <<<"$(run "./with-$library" |
			tr '\n' ' ')"
	obeys_nobody "$library: a set-user-ID program ignores its environment" "with-$library"
done

cp with-librtaio.so capable
if setcap cap_net_raw+ep capable 2>/dev/null; then
	obeys_nobody "librtaio.so: a program with capabilities ignores its environment" capable
else
	skip "librtaio.so: a program with capabilities ignores its environment" "setcap does not work"
fi

cp "$tree/build/rtaio-status" status
chmod 4755 status
if is_privileged ./with-librtaio.so; then
	check "rtaio-status ignores its environment as a set-user-ID program" \
		grep -q 'RTAIO_BACKEND=auto: ' <<<"$(RTAIO_BACKEND=fast "${NOBODY[@]}" ./status 2>&1)"
else
	skip "rtaio-status ignores its environment as a set-user-ID program" \
		"this file system or container gives a program no other rights"
fi
finish
