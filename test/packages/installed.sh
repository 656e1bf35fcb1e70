#!/bin/bash
# SPDX-License-Identifier: MIT
#
# installed.sh - Debian's packages in a chroot: installed, used, upgraded under a process, removed
#
# Usage: installed.sh DIRECTORY ARCHITECTURE [WRAPPER]...
#
# Run by scripts/check-packages as root of a chroot that is thrown away. The directory has the
# packages, upgrade/ with the same in a later version, and the program copy. A wrapper emulates the
# processor. Of a foreign architecture the launcher is not run, since it starts programs itself.

set -u

tree=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=test/support/results.sh
. "$tree/test/support/results.sh"

cd "${1:?}" || exit 2
architecture=${2:?}
shift 2
wrapper=("$@")
packages=(librtaio0 librtaio-dev rtaio)
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

files() {
	for package in "${packages[@]}"; do
		echo "$1/${package}_"*"_$architecture.deb"
	done
}

# Everything on the disk but what dpkg and apt write about themselves.
all_files() {
	find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /tmp -o -path /rtaio -o -path /var/lib/dpkg -o \
		-path /var/lib/apt -o -path /var/cache -o -path /var/log -o -path /etc/ld.so.cache \) -prune -o -print | sort
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# shellcheck disable=SC2046 # names of files without spaces
dependencies=$(dpkg-deb -f "$(files . | grep -e '/rtaio_')" Depends | tr ',' '\n' |
	sed -n "s/^ *\(lib[a-z0-9]*\) .*/\1:$architecture/p" | grep -v librtaio)
# shellcheck disable=SC2086 # a list of words
check "what they need is there" apt-get -qq install -y $dependencies
all_files >"$work/before"

# shellcheck disable=SC2046 # names of files without spaces
check "dpkg installs them" dpkg -i $(files .)
triplet=$(dpkg -L "librtaio0:$architecture" | sed -n 's:^/usr/lib/\(.*\)/librtaio.so.0$:\1:p')
library=/usr/lib/$triplet/librtaio.so.0
check "the library is where the loader looks" test -e "$library"
equal "the launcher names it" "$(rtaio --library-path)" "$library"
for file in man/man1/rtaio.1 man/man3/{aio_readv,aio_writev,aio_waitcomplete,rtaio}.3 man/man7/rtaio.7; do
	check "there is $file" grep -q "/$file" <<<"$(cat /var/lib/dpkg/info/{rtaio,librtaio-dev}*.list)"
done
check "bash completes its options" test -r /usr/share/bash-completion/completions/rtaio

start=(rtaio --verbose)
conformance=(rtaio-conformance --all)
if [ ${#wrapper[@]} -gt 0 ]; then
	start=("${wrapper[@]}" -E "LD_PRELOAD=$library" -E RTAIO_VERBOSE=1)
	conformance=()
fi
check "the programs of --status run" "${wrapper[@]}" /usr/libexec/rtaio/rtaio-status
check "the program of rtaio dump runs" "${wrapper[@]}" /usr/libexec/rtaio/rtaio-dump --help
if [ ${#conformance[@]} -gt 0 ]; then
	check "explain has its programs" rtaio explain true
	equal "ldconfig knows the library" "$(ldconfig -p | grep -c -E "=> (/usr)?/lib/$triplet/librtaio\.so\.0$")" 1
	check "the conformance programs pass" "${conformance[@]}" --filter=test_read_returns_the_data_at_the_offset
fi

# line text: goes through the program. The other end of both pipes is here.
line() {
	local answer=
	echo "$1" >&"$to" && read -r -t 60 answer <&"$from"
	equal "the program copies: $1" "$answer" "$1"
}

mkfifo "$work/to" "$work/from"
"${start[@]}" ./copy <"$work/to" >"$work/from" 2>"$work/stderr" &
process=$!
exec {to}>"$work/to" {from}<"$work/from"
line "before the upgrade"
check "rtaio serves it" grep -q '^rtaio: .* serving POSIX AIO' "$work/stderr"
inode=$(stat -L -c %i "$library")
# shellcheck disable=SC2046
check "dpkg upgrades them" dpkg -i $(files upgrade)
check "the library is another file" test "$(stat -L -c %i "$library")" != "$inode"
check "the process has the old one" grep -q 'librtaio\.so\.0.* (deleted)$' "/proc/$process/maps"
line "after the upgrade"
check "dpkg removes them" dpkg -r "${packages[@]/%/:$architecture}"
line "after the removal"
exec {to}>&-
wait "$process"
equal "the process ends well" "$? $(grep -c -v '^rtaio: ' "$work/stderr")" "0 0"

check "dpkg purges them" dpkg -P "${packages[@]/%/:$architecture}"
all_files >"$work/after"
equal "nothing is left" "$(diff "$work/before" "$work/after")" ""
equal "dpkg has forgotten them" "$(dpkg -l | grep -c rtaio)" 0
equal "so has the loader" "$(ldconfig -p | grep -c rtaio)" 0

finish
