#!/bin/bash
# SPDX-License-Identifier: MIT
#
# install.sh - where make install puts the files, with which modes, how they are built, and what
# uninstall takes away
#
# What the installed files do is tested by test/examples/run.sh.

set -u

tree=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=test/support/results.sh
. "$tree/test/support/results.sh"

work=$(mktemp -d "${TMPDIR:-/tmp}/rtaio-install.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# A make of its own, which is no part of the make that may have started this script.
make_tree() {
	env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make -C "$tree" -s "$@" 2>&1
}

# The files below a directory, without its name.
files_of() {
	(cd "$1" && find . ! -type d | sort)
}

check "make install" make_tree install prefix="$work/plain"
check "with PREFIX in capitals" make_tree install PREFIX="$work/capitals"
equal "it is the same" "$(files_of capitals)" "$(files_of plain)"
check "with LIBDIR, too" make_tree install PREFIX="$work/libdir" LIBDIR="$work/libdir/lib64" HAS_CMOCKA=
check "the library is there" test -e libdir/lib64/librtaio.so.0
equal "the launcher knows" "$(libdir/bin/rtaio --library-path)" "$work/libdir/lib64/librtaio.so.0"

staged="a b's \"c\""
equal "the manuals name the files where they are" \
	"$(grep -rhoE '[^ =]*/(bin/rtaio|lib/librtaio\.so\.0|libexec/rtaio)\b' plain/share/man | sort -u)" \
	"$(printf '%s\n' "$work"/plain/{bin/rtaio,lib/librtaio.so.0,libexec/rtaio})"
check "DESTDIR may have spaces and quotes" make_tree install DESTDIR="$work/$staged" prefix=/usr
equal "it holds the same" "$(files_of "$staged/usr")" "$(files_of plain)"
equal "nothing names it" "$(grep -rlI -F -e "$work" "$staged")" ""
check "uninstall takes it away" make_tree uninstall DESTDIR="$work/$staged" prefix=/usr
equal "all of it" "$(find "$staged" ! -type d)" ""
mandir="$work/my manuals"
check "so may a directory that no loader reads" make_tree install prefix="$work/own" mandir="$mandir" HAS_CMOCKA=
check "the manuals are there" test -r "$mandir/man1/rtaio.1" -a -r "$mandir/man3/aio_readv.3" -a \
	-r "$mandir/man3/aio_writev.3" -a -r "$mandir/man3/aio_waitcomplete.3" -a -r "$mandir/man7/rtaio.7"
equal "a prefix may not" "$(make_tree install prefix="$work/p q" >message; echo $?)" 2
check "the message says why" grep -q '^rtaio: LD_PRELOAD .* cannot name a path with a space' message
equal "nor may it be relative" "$(make_tree install prefix=build/p >message; echo $?)" 2
check "the message says so" grep -q '^rtaio: not an absolute path, .*: build/p/bin$' message
equal "nor have what sed replaces" "$(make_tree install prefix="$work/p&q" >message; echo $?)" 2
check "the message names it" grep -q '^rtaio: .* with & .*/p&q/bin$' message
for quote in "'" '"'; do
	equal "nor $quote" "$(make_tree install prefix="$work/p${quote}q" >message; echo $?)" 2
	check "the message names $quote, too" grep -q "^rtaio: .* quote in it: .*/p${quote}q/bin\$" message
done
equal "nothing was installed" "$(ls -d p* 2>&1)" plain

check "a umask is no obstacle" sh -c "umask 077; mkdir umask; cd '$tree' &&
	env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make -s install prefix='$work/umask'"
equal "everybody may read what was installed" "$(find umask -mindepth 1 ! -type l ! -perm -444 -printf '%M %p\n')" ""
equal "and enter each directory" "$(find umask -mindepth 1 -type d ! -perm -555 -printf '%M %p\n')" ""
modes() {
	(cd "$1" && find . -mindepth 1 ! -type l -printf '%M %p\n' | sort)
}
equal "all modes are the same" "$(modes umask)" "$(modes plain)"

# A program that starts meanwhile must find a whole library.
if command -v strace >/dev/null; then
	check "make install, again" env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS strace -f -qq -o calls \
		-e trace=open,openat,creat,truncate,unlink,unlinkat,rename,renameat,renameat2,symlink,symlinkat \
		make -C "$tree" -s install prefix="$work/plain" HAS_CMOCKA=
	equal "the libraries are replaced by rename" "$(grep -E '"([^"]*/)?(librtaio\.so\.[0-9.]*|librt\.so\.1|explain\.so)"[^"]*$' calls |
		grep -v -e O_RDONLY -e ' = -1 ' | sed 's/^[0-9]* *\(rename\|[a-z]*\).*"\(.*\)".*/\1 \2/; s: .*/: :' | sort -u)" \
		"$(cd plain/lib && printf 'rename %s\n' explain.so librt.so.1 librtaio.so.0*)"
else
	skip "the libraries are replaced by rename" "there is no strace"
fi

# A directory that is shared with others.
mkdir -p shared/usr/libexec/conformance && touch shared/usr/libexec/conformance/others
check "libexecdir may be shared" make_tree install DESTDIR="$work/shared" prefix=/usr libexecdir=/usr/libexec
equal "the programs have a directory of their own" "$(cd shared/usr/libexec && ls)" "$(printf 'conformance\nrtaio')"
touch shared/usr/lib/librtaio.so.9
check "uninstall" make_tree uninstall DESTDIR="$work/shared" prefix=/usr libexecdir=/usr/libexec
equal "leaves other people's files" "$(find shared -type f | sort)" \
	"$(printf 'shared/usr/lib/librtaio.so.9\nshared/usr/libexec/conformance/others')"
check "its own directory is gone" test ! -e shared/usr/libexec/rtaio

# What make would do, a command of the compiler on each line.
commands() {
	make_tree -n -B V=1 CC=cc CPPFLAGS=-DTHE_CPPFLAGS LDFLAGS=-Wl,THE_LDFLAGS "$@" all tests install DESTDIR="$work/none" |
		sed -e ':join; /\\$/ { N; s/\\\n//; b join }' | grep -E '(^|; ?)[[:space:]]*cc '
}
commands >compiled
check "make would build the library and the tests" \
	sh -c "grep -q shim/api/aio.c compiled && grep -q build/librtaio.so compiled && grep -q test_aio_read compiled"
equal "CPPFLAGS reach all that is compiled" "$(grep -E '\.c( |$)' compiled | grep -v THE_CPPFLAGS)" ""
# The object of the archive is none that is loaded.
equal "LDFLAGS reach all that is linked" "$(grep -v -e ' -c ' -e ' -r ' compiled | grep -v THE_LDFLAGS)" ""
# shellcheck disable=SC2016 # the argument is the stand-in's
printf '#!/bin/sh\necho "-DASKED_FOR_$1 -L/of/pkg-config -luring"\n' >pkg-config && chmod +x pkg-config
commands PKG_CONFIG="$work/pkg-config" >asked
check "pkg-config is asked for the flags of liburing" grep -q -e 'DASKED_FOR_--cflags.*api/aio\.c' asked
check "and for its library" grep -q -e 'api/aio\.o.*-L/of/pkg-config.* -o build/librtaio' asked
commands PKG_CONFIG=/nonexistent >asked
check "it need not be there" grep -q -e 'api/aio\.o.* -luring .*-o build/librtaio' asked

finish
