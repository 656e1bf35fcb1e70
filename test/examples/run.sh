#!/bin/bash
# SPDX-License-Identifier: MIT
#
# run.sh - the examples, each in the way it stands for, from the tree and from an installation
#
# Preloaded into a program that knows nothing of rtaio, linked at build time, and in place of
# librt.so.1 for a program from before glibc 2.34. Some use what rtaio.h has beyond POSIX. Each must do
# its work and must have been served by rtaio, which says so on stderr when RTAIO_VERBOSE is set.

set -u

tree=$(cd "$(dirname "$0")/../.." && pwd)
examples=$tree/test/examples
# shellcheck source=test/support/results.sh
. "$tree/test/support/results.sh"

work=$(mktemp -d "${TMPDIR:-/tmp}/rtaio-examples.XXXXXX") || exit 1
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT
cd "$work" || exit 1

inst=$work/inst
export PKG_CONFIG_PATH=$inst/lib/pkgconfig
cc=${CC:-cc}
cflags=(-std=gnu11 -Wall -Wextra -Werror)
# End a program that hangs; one that is slow because the machine is busy must not fail.
limit=(timeout -k 5 300)
echo "first line" >file

build_examples() {
	$cc "${cflags[@]}" -o preload_tutorial "$examples/preload_tutorial.c" -lrt &&
		$cc "${cflags[@]}" -I"$tree/include" -o poll_tutorial "$examples/poll_tutorial.c" -lrt &&
		$cc "${cflags[@]}" -fno-builtin -shared -fPIC -o librt.so.1 -Wl,-soname,librt.so.1 \
			-Wl,--version-script="$examples/librt_stub.map" "$examples/librt_stub.c" &&
		$cc "${cflags[@]}" -o old_librt "$examples/old_librt.c" ./librt.so.1 &&
		rm librt.so.1
}

# build_with_header PROGRAM SOURCE: the program is not linked with the library.
build_with_header() {
	# shellcheck disable=SC2046 # a list of words
	$cc "${cflags[@]}" -o "$1" "$2" $(pkg-config --cflags rtaio)
}

# build_linked_as COMPILER PROGRAM SOURCE
build_linked_as() {
	local flags
	flags=$(pkg-config --cflags --libs rtaio) || return 1
	# shellcheck disable=SC2086 # lists of words
	$1 -o "$2" "$3" $flags -Wl,-rpath,"$(pkg-config --variable=libdir rtaio)"
}

# build_linked PROGRAM SOURCE
build_linked() {
	build_linked_as "$cc ${cflags[*]}" "$@"
}

# build_static PROGRAM SOURCE: the library is in the program.
build_static() {
	# shellcheck disable=SC2046 # a list of words
	$cc "${cflags[@]}" $(pkg-config --cflags rtaio) -o "$1" "$2" "$(pkg-config --variable=archive rtaio)" -lpthread -ldl
}

# The same as a linker does it that takes archives where it can.
build_pkg_config_static() {
	# shellcheck disable=SC2046 # a list of words
	$cc "${cflags[@]}" -o "$1" "$2" -Wl,-Bstatic $(pkg-config --static --cflags --libs rtaio) -Wl,-Bdynamic \
		-lpthread -ldl
}

# The same with a dup3 of the program's own.
build_static_replacing() {
	{ cat "$examples/linked.c" && echo 'int dup3(int a, int b, int c) { return a + b + c; }'; } >replacing.c &&
		build_static "$1" replacing.c
}

# What links with the archive sees the names of the shared library, and no other.
names() {
	nm "$@" --defined-only | sed -n 's/^[0-9a-f]* [A-MO-Z] //p' | grep -v -e '^GLIBC_' -e '^RTAIO_' |
		sed 's/@.*//' | sort -u
}

# A library that uses AIO and is linked with rtaio, and two programs for it, only one of which is.
build_indirect() {
	local libs
	libs="-Wl,-rpath,$inst/lib $(pkg-config --libs rtaio)"
	# shellcheck disable=SC2086 # a list of words
	$cc "${cflags[@]}" -Dmain=work -shared -fPIC -o libwork.so "$examples/linked.c" $libs &&
		echo 'int work(int, char **); int main(int c, char **v) { return work(c, v); }' >work.c &&
		$cc "${cflags[@]}" -o indirect work.c ./libwork.so &&
		$cc "${cflags[@]}" -o direct work.c ./libwork.so -Wl,--no-as-needed $libs
}

build_with_cmake() {
	mkdir -p cmake && cp "$examples/linked.c" cmake && cat >cmake/CMakeLists.txt <<-'EOF' &&
		cmake_minimum_required(VERSION 3.13)
		project(linked C)
		find_package(rtaio ${VERSION} EXACT REQUIRED)
		foreach(library rtaio static)
			add_executable(with_${library} linked.c)
			target_link_libraries(with_${library} rtaio::${library})
		endforeach()
	EOF
		CC=$cc cmake -S cmake -B cmake/build -DCMAKE_PREFIX_PATH="$inst" \
			-DVERSION="$(pkg-config --modversion rtaio)" && make -C cmake/build
}

# Prints the requests for a version that find_package answers wrongly; CMake knows ranges since 3.19.
try_versions() {
	mkdir -p versions && cat >versions/CMakeLists.txt <<-'EOF' &&
		cmake_minimum_required(VERSION 3.13)
		project(versions C)
		string(REPLACE "." ";" part ${VERSION})
		list(GET part 0 major)
		list(GET part 1 minor)
		math(EXPR later "${minor} + 1")
		set(good 0.0.1 ${major}.${minor} ${VERSION})
		set(bad ${VERSION}.1 ${major}.${later} 99)
		if(NOT CMAKE_VERSION VERSION_LESS 3.19)
			list(APPEND good 0.0.1...${VERSION} ${VERSION}...<99)
			list(APPEND bad 0.0.1...<${VERSION} 0.0.1...0.0.2 ${major}.${later}...99)
		endif()
		foreach(kind good bad)
			foreach(version ${${kind}})
				unset(rtaio_DIR CACHE)
				find_package(rtaio ${version} QUIET)
				if((rtaio_FOUND AND "${kind}" STREQUAL "bad") OR (NOT rtaio_FOUND AND "${kind}" STREQUAL "good"))
					message("wrong: ${version}")
				endif()
			endforeach()
		endforeach()
	EOF
		CC=$cc cmake -S versions -B versions/build -DCMAKE_PREFIX_PATH="$inst" \
			-DVERSION="$(pkg-config --modversion rtaio)" 2>&1 | grep -e '^wrong' -e Error
}

# A program in C++ that calls what the header declares.
build_cxx() {
	cat >cxx.cc <<-'EOF' &&
		#include <rtaio.h>
		#include <cstdio>
		int main()
		{
			struct rtaio_stats counters;
			struct timespec zero = {};
			struct aiocb *cb, request = {};
			request.aio_sigevent.sigev_notify = SIGEV_EVENTFD;
			request.aio_sigevent.sigev_notify_eventfd = -1;
			int ret = aio_read(&request);
			rtaio_stats(&counters, sizeof(counters));
			std::printf("%d, %zd, %d\n", ret, aio_waitcomplete(&cb, &zero), cb == nullptr);
			return rtaio_version() && rtaio_backend() ? 0 : 1;
		}
	EOF
		build_linked_as "${CXX:-c++} -std=c++11 -pedantic -Wall -Wextra -Werror" cxx cxx.cc
}

# fetch NAME: what serve_files sends.
fetch() {
	local connection
	exec {connection}<>"/dev/tcp/127.0.0.1/$port" || return
	echo "$1" >&"$connection"
	cat <&"$connection"
	exec {connection}>&-
}

# Several clients at once get whole files, and one that asks for what is not there gets nothing.
serve_many() {
	local i pids=()
	for i in 1 2 3 4 5; do
		fetch large >"fetched$i" &
		pids+=($!)
	done
	[ "$(fetch file)" = "first line" ] && [ -z "$(fetch nothing)" ] && [ -z "$(fetch ../file)" ] || return 1
	wait "${pids[@]}"
	for i in 1 2 3 4 5; do
		cmp large "fetched$i" || return 1
	done
}

# Sets $server and $port.
start_server() {
	mkfifo server_port
	RTAIO_VERBOSE=1 "${limit[@]}" ./serve_files . >server_port 2>server_messages &
	server=$!
	read -r port <server_port
}

# print_example_of page [header]: the lines of C in a manual, from the #include of that header on.
print_example_of() {
	sed -n "/^#include <${2:-rtaio.h}>/,/^\.EE/p" "$inst/share/man/man${1#*.}/$1" |
		sed '/^\.EE/d; s/\\-/-/g; s/\\e/\\/g'
}

# Those of rtaio(7) are the body of a program.
print_example_of_the_manual() {
	local lines
	lines=$(print_example_of rtaio.7)
	printf '#include <stdio.h>\n%s\nint main(void)\n{\n%s\n}\n' "$(grep '^#' <<<"$lines")" \
		"$(grep -v '^#' <<<"$lines")"
}

# A make of its own, which is no part of the make that may have started this script.
install_to() {
	env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make -C "$tree" -s "$@" prefix="$inst" \
		libdir="$inst/lib" DESTDIR= >make.log 2>&1 || { tail -20 make.log && return 1; }
}

# served test expected-output command...: right output, and rtaio spoke.
served() {
	local test=$1 expected=$2 output
	shift 2
	output=$("${limit[@]}" "$@" 2>stderr)
	if [ "$output" != "$expected" ]; then
		fail "$test" "$(printf 'printed:  %s\nexpected: %s\n' "$output" "$expected" &&
			cat stderr)"
	elif ! grep -q '^rtaio: ' stderr || grep -q 'ld\.so' stderr; then
		fail "$test" "$(echo "rtaio did not serve it; stderr:" && cat stderr)"
	else
		pass "$test"
	fi
}

# unserved test expected-output command...: right output on glibc, and rtaio is silent.
unserved() {
	local test=$1 expected=$2
	shift 2
	equal "$test" "$(RTAIO_VERBOSE=1 "${limit[@]}" "$@" 2>&1)" "$expected"
}

# all_ways where launcher library librt-directory
all_ways() {
	local where=$1 launcher=$2 library=$3 librt_dir=$4
	served "$where: launcher" "$tutorial_output" \
		"$launcher" --verbose ./preload_tutorial file
	served "$where: LD_PRELOAD by hand" "$tutorial_output" \
		env LD_PRELOAD="$library" RTAIO_VERBOSE=1 ./preload_tutorial file
	served "$where: a program that knows rtaio if it is there" "$polled_output" \
		"$launcher" --verbose ./poll_tutorial file
	served "$where: program from before glibc 2.34, preloaded" "$old_output" \
		"$launcher" --verbose ./old_librt file
	served "$where: program from before glibc 2.34, --librt" "$replaced_output" \
		"$launcher" --librt --verbose "$replaced" file
	served "$where: program from before glibc 2.34, LD_LIBRARY_PATH by hand" "$replaced_output" \
		env LD_LIBRARY_PATH="$librt_dir" RTAIO_VERBOSE=1 "$replaced" file
	equal "$where: backend glibc switches it off" "$tutorial_output" \
		"$("${limit[@]}" "$launcher" --backend=glibc ./preload_tutorial file 2>&1)"
}

installed_files() {
	local file missing=0
	for file in bin/rtaio lib/librtaio.so lib/librtaio.so.0 lib/rtaio/librt.so.1 \
		lib/librtaio.a lib/pkgconfig/rtaio.pc lib/cmake/rtaio/rtaioConfig.cmake include/rtaio.h \
		share/man/man1/rtaio.1 share/man/man3/aio_readv.3 share/man/man3/aio_writev.3 \
		share/man/man3/rtaio.3 share/man/man3/aio_waitcomplete.3 share/man/man7/rtaio.7 \
		bin/rtaio-conformance share/man/man1/rtaio-conformance.1; do
		[ -e "$inst/$file" ] || { echo "not installed: $file" && missing=1; }
	done
	return $missing
}

# Somebody's library that serves nothing.
build_useless() {
	echo 'int aio_read(void *cb) { (void)cb; return -1; }' |
		$cc "${cflags[@]}" -shared -fPIC -o useless.so -x c -
}

# conforms test status pattern argument...: rtaio-conformance ends and prints like this.
conforms() {
	local test=$1 status=$2 pattern=$3 actual output
	shift 3
	output=$("${limit[@]}" "$inst/bin/rtaio-conformance" \
		--filter=test_read_returns_the_data_at_the_offset "$@" 2>&1)
	actual=$?
	if [ $actual -ne "$status" ] || ! grep -q -e "$pattern" <<<"$output"; then
		fail "$test" "$(echo "status $actual, not $status, or no '$pattern' in:" &&
			echo "$output")"
	else
		pass "$test"
	fi
}

tutorial_output="read 11 bytes: first line"
polled_output="rtaio: read 11 bytes: first line"
old_output="read 3 bytes: fir; timers work, queues work"
# On an old system the timers and queues are in the file that is replaced. Its programs ask for that file anyway.
replaced=./old_librt replaced_output=$old_output
if is_glibc_before 2.34; then
	replaced=./preload_tutorial replaced_output=$tutorial_output
fi

check "the examples build" build_examples
unserved "without rtaio, the tutorial runs on glibc" "$tutorial_output" ./preload_tutorial file
unserved "without rtaio, the program that polls runs on glibc" "glibc: read 11 bytes: first line" ./poll_tutorial file
unserved "without rtaio, the old program runs on glibc" "$old_output" ./old_librt file
all_ways tree "$tree/scripts/rtaio" "$tree/build/librtaio.so" "$tree/build/librt"

check "make install" install_to install
check "the installation is complete" installed_files
all_ways installed "$inst/bin/rtaio" "$inst/lib/librtaio.so.0" "$inst/lib/rtaio"
check "a program links with what pkg-config says" build_linked linked "$examples/linked.c"
served "linked" "wrote 32 bytes" env RTAIO_VERBOSE=1 ./linked out
equal "the linked program's data" "$(cat out 2>&1)" "$(printf '0..............\n1..............')"
check "a program links with the archive" build_static static "$examples/linked.c"
served "linked with the archive" "wrote 32 bytes" env RTAIO_VERBOSE=1 ./static out
equal "it takes no shared library" "$(ldd static | grep -c librtaio)" 0
check "a program with a function that the archive has links, too" build_static_replacing replacing
served "it runs" "wrote 32 bytes" env RTAIO_VERBOSE=1 ./replacing out
check "a program links with what pkg-config --static says" build_pkg_config_static static "$examples/linked.c"
served "linked with it" "wrote 32 bytes" env RTAIO_VERBOSE=1 ./static out
equal "the archive shows the names of the shared library" "$(names "$inst/lib/librtaio.a")" \
	"$(names -D "$inst/lib/librtaio.so.0")"
for static in -static -static-pie; do
	if is_glibc_before 2.33; then
		skip "a program does not link with $static" "with glibc before 2.33 it does"
		continue
	fi
	$cc $static -o whole "$examples/linked.c" "$inst/lib/librtaio.a" 2>message
	equal "a program does not link with $static" "$?, $(grep -o -m 1 'librtaio_does_not_work_with_static' message)" \
		"1, librtaio_does_not_work_with_static"
done
check "the program that polls links, too" build_linked poll_linked "$examples/poll_tutorial.c"
served "it knows that the library is there" "$polled_output" env RTAIO_VERBOSE=1 ./poll_linked file
check "and with the archive" build_static poll_static "$examples/poll_tutorial.c"
served "where it knows it as well" "$polled_output" env RTAIO_VERBOSE=1 ./poll_static file
check "the copy program links" build_linked copy_file "$examples/copy_file.c"
head -c 3000017 /dev/urandom >large && : >empty
served "it copies" "copied 3000017 bytes" env RTAIO_VERBOSE=1 ./copy_file large copied
check "the copy is the same" cmp large copied
equal "it copies an empty file" "$("${limit[@]}" ./copy_file empty copied 2>&1; wc -c <copied)" "$(printf 'copied 0 bytes\n0')"
equal "it cannot copy a directory" "$("${limit[@]}" ./copy_file . copied 2>&1)" "copy_file: a transfer failed: Is a directory"
check "the server links" build_linked serve_files "$examples/serve_files.c"
start_server
check "it serves several clients" serve_many
kill "$server" && wait "$server" 2>/dev/null
server=
check "by rtaio" grep -q '^rtaio: ' server_messages
if command -v "${CXX:-c++}" >/dev/null; then
	check "a program in C++ links" build_cxx
	equal "it calls what the header declares" "$(./cxx 2>&1)" "-1, -1, 1"
else
	skip "a program in C++ links" "there is no ${CXX:-c++}"
fi
check "a library links with rtaio" build_indirect
if is_glibc_before 2.34; then
	served "a program that only its library links is served" "wrote 32 bytes" env RTAIO_VERBOSE=1 ./indirect out
else
	unserved "a program that only its library links is not served" "wrote 32 bytes" ./indirect out
fi
served "one that is linked itself is" "wrote 32 bytes" env RTAIO_VERBOSE=1 ./direct out
if command -v cmake >/dev/null; then
	check "a program builds with CMake" build_with_cmake
	equal "CMake finds the versions that fit" "$(try_versions)" ""
	served "CMake, the shared library" "wrote 32 bytes" env RTAIO_VERBOSE=1 cmake/build/with_rtaio out
	served "CMake, the archive" "wrote 32 bytes" env RTAIO_VERBOSE=1 cmake/build/with_static out
else
	skip "a program builds with CMake" "there is no cmake"
fi
print_example_of_the_manual >manual.c
check "the example of rtaio(7) builds" build_linked manual manual.c
equal "the example of rtaio(7) runs" "$(./manual 2>&1)" "none: 0 reads"
print_example_of aio_readv.3 errno.h >vectored.c
check "the example of aio_readv(3) builds" build_linked vectored vectored.c
served "the example of aio_readv(3)" "13 bytes" env RTAIO_VERBOSE=1 ./vectored out
equal "its data" "$(cat out 2>&1)" "header: data"
equal "switched off, it says so" "$(env RTAIO_BACKEND=glibc ./vectored out 2>&1 | tail -n 1)" \
	"aio_writev: Function not implemented"
print_example_of rtaio.3 >rtaio_3.c
check "the example of rtaio(3) builds without the library" build_with_header rtaio_3 rtaio_3.c
unserved "it runs" "no rtaio: glibc serves POSIX AIO" ./rtaio_3
equal "and with the library" "$("$inst/bin/rtaio" ./rtaio_3 2>&1)" \
	"rtaio $(pkg-config --modversion rtaio), backend none: 0 reads, 0 writes"
print_example_of aio_waitcomplete.3 >aio_waitcomplete_3.c
check "the example of aio_waitcomplete(3) builds" build_linked aio_waitcomplete_3 aio_waitcomplete_3.c
head -c 5000 large >short
served "it runs" "$(printf '%s\n' "0 bytes at 12288" "0 bytes at 8192" "4096 bytes at 0" "904 bytes at 4096")" \
	sh -c 'RTAIO_VERBOSE=1 ./aio_waitcomplete_3 short | LC_ALL=C sort'
equal "pkg-config knows what to preload" \
	"$(pkg-config --variable=preload rtaio)" \
	"$inst/lib/librtaio.so.0"
equal "the installed launcher knows its library" "$("$inst/bin/rtaio" --library-path)" \
	"$inst/lib/librtaio.so.0"
equal "launcher and pkg-config have one version" "$("$inst/bin/rtaio" --version)" \
	"rtaio $(pkg-config --modversion rtaio)"
equal "tree and installation have one version" "$("$inst/bin/rtaio" --version)" \
	"$("$tree/scripts/rtaio" --version)"
check "a library that serves nothing can be built" build_useless
conforms "the installed conformance run passes on every implementation" 0 '^threads  *[1-9][0-9]*  *0  *0  *0  *0$' --all
conforms "its programs find the calls beyond POSIX" 0 '^auto  *1  *0  *0  *0  *0$' \
	--filter=waitcomplete-16 --implementation=auto
conforms "it tests the library of anybody" 0 '^librtaio.so.0  *[1-9][0-9]*  *0  *0  *0  *0$' \
	--implementation preload "$inst/lib/librtaio.so.0"
conforms "it sees that a library does not serve" 1 '^useless.so  *0  *0  *0  *0  *[1-9]' \
	--implementation glibc --implementation preload useless.so
conforms "it speaks TAP" 0 '^ok 1 - glibc test_aio_read:test_read_returns' --implementation glibc --tap
conforms "it writes a page" 0 '^glibc' --implementation glibc --html=page.html
check "the page is whole" grep -q '^</main></html>' page.html
mv "$inst/lib/librtaio.so.0" away
conforms "without rtaio it tests glibc" 0 '^glibc  *[1-9][0-9]*  *0  *0  *0  *0$'
mv away "$inst/lib/librtaio.so.0"
check "make uninstall" install_to uninstall
equal "make uninstall leaves no file" "$(find "$inst" ! -type d 2>/dev/null)" ""

finish
