#!/bin/bash
# SPDX-License-Identifier: MIT
#
# launcher.sh - what scripts/rtaio prints, sets and ends with
#
# Runs a copy of the launcher in a tree of its own, with an empty library for a stand-in, because
# only what the launcher itself does is looked at.

set -u

tree=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=test/support/results.sh
. "$tree/test/support/results.sh"

work=$(mktemp -d "${TMPDIR:-/tmp}/rtaio-launcher.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/tree/scripts" "$work/tree/build/librt" "$work/bin"
cd "$work" || exit 1

rtaio=$work/tree/scripts/rtaio
library=$work/tree/build/librtaio.so
librt_dir=$work/tree/build/librt
cp "$tree/scripts/rtaio" "$rtaio"
${CC:-cc} -shared -o "$library" -x c /dev/null || exit 1
cp "$library" "$librt_dir/librt.so.1"
mkdir "$work/tree/build/rtaio" && cp "$library" "$work/tree/build/rtaio/memory.so"
echo 'VERSION := 1.2.3' >"$work/tree/Makefile"
unset LD_LIBRARY_PATH

# ends test status pattern argument...: the launcher's status, and what is on its stderr.
ends() {
	local test=$1 status=$2 pattern=$3 actual message
	shift 3
	message=$("$rtaio" "$@" 2>&1 >/dev/null)
	actual=$?
	if [ $actual -ne "$status" ]; then
		fail "$test" "status $actual, expected $status; stderr: $message"
	elif ! grep -q -e "$pattern" <<<"$message"; then
		fail "$test" "stderr lacks '$pattern': $message"
	else
		pass "$test"
	fi
}

# sets test expected argument...: the RTAIO_ and LD_ part of the command's environment.
sets() {
	local test=$1 expected=$2
	shift 2
	equal "$test" "$("$rtaio" "$@" env | grep -E '^(RTAIO|LD)_' | sed 's:^RTAIO_CHECK=/.*:RTAIO_CHECK=FILE:' | sort |
		tr '\n' ' ')" "$expected "
}

sets "a command alone is preloaded" "LD_PRELOAD=$library" --
sets "--backend=X" "LD_PRELOAD=$library RTAIO_BACKEND=io_uring" --backend=io_uring
sets "--backend X" "LD_PRELOAD=$library RTAIO_BACKEND=threads" --backend threads
sets "every other option" "LD_PRELOAD=$library RTAIO_BUSY_POLL=0 RTAIO_DEPTH=64 RTAIO_INLINE=0 RTAIO_OFFLOAD=0 RTAIO_STATS=1 \
RTAIO_THREADS=8 RTAIO_VERBOSE=1" --depth=64 --busy-poll=0 --threads 8 --inline=0 --offload=0 --stats --verbose
sets "the smallest number" "LD_PRELOAD=$library RTAIO_DEPTH=1" --depth=1
sets "the largest number" "LD_PRELOAD=$library RTAIO_DEPTH=65536" --depth=65536
sets "the last of two options counts" "LD_PRELOAD=$library RTAIO_DEPTH=2" --depth=1 --depth=2
sets "--stats=FILE does not depend on the directory" \
	"LD_PRELOAD=$library RTAIO_STATS=$work/counters" --stats=counters
sets "--librt goes by the library path" "LD_LIBRARY_PATH=$librt_dir" --librt 2>/dev/null
LD_PRELOAD=$librt_dir/librt.so.1 sets "an LD_PRELOAD there is kept, behind ours" \
	"LD_PRELOAD=$library:$librt_dir/librt.so.1" --
# A profiler has wrappers of its own that find the next function by dlsym.
echo 'void *dlsym(void *, const char *); void *aio_read(void) { return dlsym((void *)-1, "aio_read"); }' |
	${CC:-cc} -shared -fPIC -o profiler.so -x c - || exit 1
cp "$library" libtsan.so.2
cp "$library" libdarshan.so
LD_PRELOAD="$librt_dir/librt.so.1 $work/profiler.so" sets "a library that wraps AIO comes before ours" \
	"LD_PRELOAD=$work/profiler.so:$library:$librt_dir/librt.so.1" --
LD_PRELOAD="$work/libtsan.so.2::$librt_dir/librt.so.1:$work/libdarshan.so" \
	sets "so do a sanitizer's runtime and Darshan" \
	"LD_PRELOAD=$work/libtsan.so.2:$work/libdarshan.so:$library:$librt_dir/librt.so.1" --
LD_LIBRARY_PATH=/nowhere sets "an LD_LIBRARY_PATH there is kept, behind ours" \
	"LD_LIBRARY_PATH=$librt_dir:/nowhere" --librt 2>/dev/null
RTAIO_BACKEND=libaio sets "a variable holds where no option is given" \
	"LD_PRELOAD=$library RTAIO_BACKEND=libaio" --
RTAIO_BACKEND=libaio sets "an option beats a variable" \
	"LD_PRELOAD=$library RTAIO_BACKEND=auto" --backend=auto

sets "check sets a file for what is found" "LD_PRELOAD=$library RTAIO_BACKEND=threads RTAIO_CHECK=FILE" \
	check --backend=threads 2>/dev/null
sets "check --memory preloads another library" \
	"LD_PRELOAD=$library:$work/tree/build/rtaio/memory.so RTAIO_CHECK=FILE" check --memory 2>/dev/null
equal "check --dry-run" "$("$rtaio" check --output=found --dry-run ls)" \
	"env LD_PRELOAD=$library RTAIO_CHECK=$work/found ls"
ends "the command's status is the launcher's" 7 '' -- sh -c 'exit 7'
ends "options of the command are not ours" 0 '' sh -c 'exit 0' --backend=nonsense
ends "check ends with the command's status" 7 'no use of POSIX AIO' check sh -c 'exit 7'
ends "an option of check alone" 125 "unknown option '--memory'" --memory true
ends "an exit status that is none" 125 'from 0 to 255' check --error-exitcode=256 true
ends "a report in no directory" 125 'no directory /nowhere' check --output=/nowhere/x true
ends "check without a command" 125 'no command given' check --
printf '#!/bin/sh\nexit 9\n' >bin/check
chmod +x bin/check
PATH=$work/bin:$PATH ends "behind -- it is a command" 9 '^$' -- check
ends "an unknown option" 125 "unknown option '--bogus'" --bogus true
ends "an option that is cut short" 125 "unknown option '--verb'" --verb true
ends "a backend that is cut short" 125 'io_uring, libaio, threads or glibc' --backend=io true
ends "a depth with a space" 125 'from 1 to 65536' '--depth= 5' true
ends "a depth beyond 32 bits" 125 'from 1 to 65536' --depth=4294967297 true
ends "a negative depth" 125 'from 1 to 65536' --depth=-1 true
ends "an unknown backend" 125 'io_uring, libaio, threads or glibc' --backend=fast true
ends "a depth of nothing" 125 'from 1 to 65536' --depth=0 true
ends "a depth that is no number" 125 'from 1 to 65536' --depth=many true
ends "a depth without limit" 125 'from 1 to 65536' --depth=65537 true
ends "a busy-poll that is too long" 125 'from 0 to 1000' --busy-poll=1001 true
ends "a missing value" 125 'needs a value' --threads
ends "an inline that is neither" 125 '0 or 1' --inline=yes true
ends "an offload that is neither" 125 '--offload is 0 or 1' --offload 2 true
ends "a statistics file in no directory" 125 'no directory /nowhere' --stats=/nowhere/x true
ends "a statistics file behind a link" 125 'symbolic link' --stats=/proc/self/exe true
ends "no command" 125 'no command given'
ends "no command after options" 125 'no command given' --verbose --
ends "a command that is not there" 127 'no-such-command: command not found' no-such-command
ends "a path that is not there" 127 'not found' ./no-such-command
ends "a file that is not executable" 126 'cannot be executed' ./tree/Makefile
ends "a directory" 126 'cannot be executed' ./bin

check "--help describes every option" sh -c "
	for option in backend depth threads busy-poll inline offload stats verbose librt dry-run library-path status \
		version help output json html compare progress no-progress memory error-exitcode; do
		'$rtaio' --help | grep -q -e \"--\$option\" || { echo \$option; exit 1; }
	done"
equal "--version in a tree" "$("$rtaio" --version)" "rtaio 1.2.3"
equal "--library-path" "$("$rtaio" --library-path)" "$library"
equal "--librt --library-path" "$("$rtaio" --librt --library-path)" "$librt_dir"
ln -s "$rtaio" bin/linked-rtaio
equal "a link to the launcher finds the library too" "$(bin/linked-rtaio --library-path)" "$library"
# shellcheck disable=SC2016 # the variable is the status program's
printf '#!/bin/sh\necho "status of $RTAIO_BACKEND"\n' >tree/build/rtaio-status
ends "--status without the program" 125 'rtaio-status is missing' --status
chmod +x tree/build/rtaio-status
equal "--status runs the status program, with the options" \
	"$("$rtaio" --backend=threads --status)" "status of threads"

ends "dump without the program" 125 'rtaio-dump is missing' dump 1
printf '#!/bin/sh\nprintf "<%%s>" "$@"\n' >tree/build/rtaio-dump
chmod +x tree/build/rtaio-dump
equal "dump runs the program of that name, with its arguments" "$("$rtaio" dump --json 'a b')" "<--json><a b>"
printf '#!/bin/sh\necho "mine $*"\n' >bin/dump && chmod +x bin/dump
equal "a command of that name is run behind --" "$(PATH=$work/bin:$PATH "$rtaio" -- dump 1)" "mine 1"
equal "and behind an option" "$(PATH=$work/bin:$PATH "$rtaio" --verbose dump 2)" "mine 2"
equal "and by its path" "$(cd bin && "$rtaio" ./dump 3)" "mine 3"
# The program behind explain, which says how it was run.
# shellcheck disable=SC2016 # the variables are the program's
printf '#!/bin/sh\nprintf "<%%s>" "$@"; env | grep -E "^(RTAIO|LD)_"; exit 11\n' >tree/build/rtaio-explain
ends "explain without the program" 125 'rtaio-explain is missing' explain true
chmod +x tree/build/rtaio-explain
ends "explain without the observer" 125 'rtaio/explain.so is missing' explain true
mkdir -p tree/build/rtaio
cp "$library" tree/build/rtaio/explain.so
equal "explain gets its options, the variables and the command" \
	"$("$rtaio" explain --depth=5 --json='a b' --output c --backend threads --compare ls -l "it's")" \
	"<--json=a b><--output=c><--compare><--set=RTAIO_DEPTH=5><--set=RTAIO_BACKEND=threads><--set=LD_PRELOAD=$library><--><ls><-l><it's>"
ends "its status is the launcher's" 11 '^$' explain true
equal "--dry-run prints its command line" "$("$rtaio" explain --dry-run --html ls 'a b')" \
	"$work/tree/build/rtaio-explain --html --set=LD_PRELOAD=$library -- ls 'a b'"
equal "an empty word and a quote stay words" "$(sh -c "$("$rtaio" explain --dry-run ls '' "'")")" \
	"<--set=LD_PRELOAD=$library><--><ls><><'>"
printf '#!/bin/sh\nexit 12\n' >bin/explain
chmod +x bin/explain
PATH=$work/bin:$PATH ends "a program named explain behind --" 12 '^$' -- explain
PATH=$work/bin:$PATH ends "or explained itself" 11 '^$' explain explain
PATH=$work/bin:$PATH ends "a program named explain behind an option" 12 '^$' --verbose explain
ends "an option of explain without it" 125 'unknown option .--json' --json true
ends "explain without a command" 125 'no command given' explain --json
ends "a command of explain that is not there" 127 'no-such-command: command not found' explain no-such-command

equal "--dry-run prints variables and command" "$("$rtaio" --dry-run --depth=5 ls -l)" \
	"env RTAIO_DEPTH=5 LD_PRELOAD=$library ls -l"
# shellcheck disable=SC2016 # quoted is what these are to stay
words=('a b' "it's" '' $'two\nlines' '$HOME' '*' '~' '~root/x' 'a"b' 'back\slash' ' lead' 'trail ')
equal "what --dry-run prints means the same to a shell" \
	"$(sh -c "$("$rtaio" --dry-run printf '<%s>' "${words[@]}")")" "$(printf '<%s>' "${words[@]}")"

equal "the command gets its arguments as they are" \
	"$("$rtaio" printf '<%s>' "${words[@]}")" "$(printf '<%s>' "${words[@]}")"

mkdir first second
printf 'not executable\n' >first/chosen
printf '#!/bin/sh\nexit 9\n' >second/chosen
chmod +x second/chosen
PATH=$work/first:$work/second:$PATH ends "a file that is not executable is passed over in PATH" 9 '' \
	chosen
mkdir second/folder
PATH=$work/second:$PATH ends "a directory is passed over in PATH" 127 'command not found' folder

echo 'int main(void) { return 3; }' >main.c
if ${CC:-cc} -static -o static main.c 2>/dev/null; then
	ends "a static program is run with a warning" 3 'statically linked' ./static
else
	skip "a static program is run with a warning" "there is no static libc"
fi
${CC:-cc} -o dynamic main.c
equal "a dynamic program is run without one" "$("$rtaio" ./dynamic 2>&1; echo $?)" 3
if ${CC:-cc} -fsanitize=address -o sanitized main.c 2>/dev/null && ./sanitized; [ $? -eq 3 ]; then
	ends "a program of AddressSanitizer is run as before" 3 '^$' ./sanitized
	sanitizer=$(${CC:-cc} -print-file-name=libasan.so)
	# grep has the runtime, too, and leaks.
	ASAN_OPTIONS=detect_leaks=0 LD_PRELOAD=$sanitizer ends "so it is with the runtime preloaded" 3 '^$' ./sanitized
else
	skip "a program of AddressSanitizer is run as before" "the compiler has none"
fi
equal "nor is a script warned about" \
	"$(printf '#!/bin/sh\nexit 4\n' >script; chmod +x script; "$rtaio" ./script 2>&1; echo $?)" 4
ends "--librt for a program that asks for no librt" 3 'leave out --librt' --librt ./dynamic
if [ "$(id -u)" -eq 0 ]; then
	chmod u+s dynamic && chown 65534 dynamic && chmod u+s dynamic
	ends "a setuid program is run with a warning" 3 'setuid' ./dynamic
else
	skip "a setuid program is run with a warning" "only root can make one of another user"
fi

# bytes number size: little-endian, as printf takes them.
bytes() {
	local i
	for ((i = 0; i < $2; i++)); do
		printf '\\x%02x' $((($1 >> 8 * i) & 255))
	done
}

# elf file bits processor interpreter: the headers of a program that nobody can run here.
elf() {
	local word=8 header=64 entry=56 flags_first flags_last=
	flags_first=$(bytes 0 4)
	if [ "$2" -eq 32 ]; then
		word=4 header=52 entry=32 flags_last=$flags_first flags_first=
	fi
	# shellcheck disable=SC2059 # the format is the file
	printf "\x7fELF$(bytes $((word / 4)) 1)\x1\x1$(bytes 0 9)$(bytes 2 2)$(bytes "$3" 2)$(bytes 1 4)$(
		bytes 0 $word)$(bytes $header $word)$(bytes 0 $word)$(bytes 0 4)$(bytes $header 2)$(bytes $entry 2)$(
		bytes 1 2)$(bytes 0 6)$(
		)$(bytes 3 4)$flags_first$(bytes $((header + entry)) $word)$(bytes 0 $((2 * word)))$(
		bytes $((${#4} + 1)) $word)$(bytes 0 $word)$flags_last$(bytes 0 $word)$4\x0" >"$1"
	chmod +x "$1"
}

processor=$(od -A n -t u2 -j 18 -N 2 "$library")
elf native 64 "$processor" /lib64/ld-linux-x86-64.so.2
elf i386 32 3 /lib/ld-linux.so.2
elf armhf 32 40 /lib/ld-linux-armhf.so.3
elf s390x 64 22 /lib/ld64.so.1
elf musl 64 "$processor" /lib/ld-musl-x86_64.so.1
elf bionic 64 "$processor" /system/bin/linker64
ends "a program whose headers were made by hand is run without a warning" 0 '^$' --dry-run ./native
ends "a 32-bit program is run with a warning" 0 'warning: ./i386 has not .* number of bits' --dry-run ./i386
ends "so is one of another 32-bit processor" 0 'warning: ./armhf has not' --dry-run ./armhf
ends "and one of another 64-bit processor" 0 'warning: ./s390x has not .* processor' --dry-run ./s390x
ends "a program of musl is run with a warning" 0 'another C library than glibc (/lib/ld-musl-x86_64.so.1)' \
	--dry-run ./musl
ends "and one of bionic" 0 'another C library than glibc (/system/bin/linker64)' --dry-run ./bionic
equal "without rtaio, with which it would not start" "$("$rtaio" --dry-run --verbose ./musl 2>/dev/null)" "env ./musl"
if command -v musl-gcc >/dev/null; then
	musl-gcc -o musl main.c
	ends "a real program of musl ends as it does alone" 3 'another C library' ./musl
else
	skip "a real program of musl ends as it does alone" "musl-gcc (package musl-tools) is not installed"
fi
# Of a script the interpreter decides.
elf interpreter 64 "$processor" /lib/ld-musl-x86_64.so.1
printf '#!%s -x\n' "$work/interpreter" >of-musl
printf '#! %s\n' "$work/of-musl" >of-a-script
printf '#!/usr/bin/env -S NAME=value interpreter -x\n' >by-env
printf '#!/bin/sh\n# %s\n' "$work/interpreter" >of-sh
chmod +x of-musl of-a-script by-env of-sh
ends "a script whose interpreter cannot be reached" 0 "$work/interpreter, which runs ./of-musl, is linked with" \
	--dry-run ./of-musl
ends "a script whose interpreter is one" 0 "$work/interpreter, which runs ./of-a-script, " --dry-run ./of-a-script
PATH=$work:$PATH ends "an interpreter that env looks up" 0 "$work/interpreter, which runs ./by-env, " --dry-run ./by-env
ends "a script that only speaks of it" 0 '^$' --dry-run ./of-sh
ends "an interpreter that is not there" 0 '^$' --dry-run ./by-env

rm "$library"
ends "a library that was not built" 125 "run 'make'" true
sed -e 's:@LIBDIR@:/nowhere/lib:' -e 's:@VERSION@:4.5.6:' "$tree/scripts/rtaio" >installed
chmod +x installed
rtaio=$work/installed
ends "a library that is not installed" 125 '/nowhere/lib/librtaio.so.0 is missing' true
equal "--version where installed" "$("$rtaio" --version)" "rtaio 4.5.6"

finish
