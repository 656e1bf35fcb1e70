#!/bin/bash
# SPDX-License-Identifier: MIT
#
# install_missing.sh - what scripts/install-missing installs, and on which systems
#
# Its programs are stand-ins: apt-get refuses as the real one does while an installation is left
# unfinished, and dpkg ends that installation.

set -u

tree=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=test/support/results.sh
. "$tree/test/support/results.sh"

work=$(mktemp -d "${TMPDIR:-/tmp}/rtaio-install-missing.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
for program in bash env id; do
	ln -s "$(command -v "$program")" "$work/bin/$program"
done

# stand_in NAME: the program NAME does what stands on stdin, with the state in $work.
stand_in() {
	{ echo '#!/bin/bash'; echo "work=$work"; cat; } >"$work/bin/$1"
	chmod +x "$work/bin/$1"
}
stand_in sudo <<'END'
exec "$@"
END
stand_in dpkg <<'END'
[ "$*" = "--configure -a" ] && : >"$work/unfinished"
END
stand_in dpkg-query <<'END'
package=${!#}
[ "$package" != there ] || echo installed
[ "$package" != half ] || echo half-configured
END
stand_in apt-get <<'END'
[ ! -s "$work/unfinished" ] || [[ "$*" != *install* ]] || exit 100
[[ "$*" != *nowhere* ]] || exit 100
echo "$*" >>"$work/apt"
END

# ends TEST STATUS PACKAGE...: install-missing ends with STATUS.
ends() {
	local test=$1 status=$2
	shift 2
	: >"$work/apt"
	PATH=$work/bin "$tree/scripts/install-missing" "$@" >"$work/output" 2>&1
	equal "$test" "$?" "$status"
}

: >"$work/unfinished"
ends "nothing is missing" 0 there
equal "nothing is missing: apt-get is not called" "$(cat "$work/apt")" ""

ends "a package is missing" 0 there other
check "a package is missing: only that one is installed" grep -q 'install .* other$' "$work/apt"

echo half >"$work/unfinished"
ends "an interrupted installation is ended first" 0 half other
check "an interrupted installation: both packages are installed" \
	grep -q 'install .* half other$' "$work/apt"

ends "a package apt-get does not know" 2 nowhere
check "a package apt-get does not know is named" grep -q 'could not install nowhere' "$work/output"

rm "$work/bin/apt-get"
ends "a system without apt-get" 0 other
check "a system without apt-get: the names are printed" grep -q 'not a Debian system.* other$' "$work/output"

finish
