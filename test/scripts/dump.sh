#!/bin/bash
# SPDX-License-Identifier: MIT
#
# dump.sh - what rtaio dump says of processes that hang, of core files, and of what is neither
#
# hang.c has the requests.  It says when they are where they stay, so nothing sleeps here; what a
# thread does a moment later is looked for until it is there.

set -u

tree=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=test/support/results.sh
. "$tree/test/support/results.sh"

# Where O_DIRECT is possible, as a rule.
mkdir -p "$tree/build/tmp"
work=$(mktemp -d "$tree/build/tmp/dump.XXXXXX") || exit 1
# So that another user finds the program, too.
chmod 755 "$work"
cp "$tree/build/rtaio-dump" "$work"
library=$tree/build/librtaio.so
limit_s=$((${RTAIO_TEST_DEADLINE_MS:-10000} / 1000))
pid=

# Whatever ends this script: nothing stays behind.
leave() {
	[ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null
	rm -rf "$work"
}
trap leave EXIT

mkfifo "$work/in" "$work/out"
mkdir "$work/run" # for core files

# start COMMAND...: in the background, with pipes to it (8) and from it (7).  Sets pid.
start() {
	{ cd "$work/run" && exec "$@" 2>&1; } <"$work/in" >"$work/out" 7<&- 8>&- &
	pid=$!
	exec 8>"$work/in" 7<"$work/out"
}

# over: the process that was started ends when its input does.  Sets status.
over() {
	exec 8>&-
	wait "$pid"
	status=$?
	exec 7<&-
	pid=
}

# A program without AIO, which runs when this returns.
start_cat() {
	start cat
	echo >&8
	read -r -u 7 _
}

under=() # a command that runs the program

# begin KIND [ARGUMENT]: sets pid and said; status 1 if the machine cannot have it.
begin() {
	start "${under[@]}" env LD_PRELOAD="$library" "$tree/build/test/scripts/hang" "$@"
	while read -r -u 7 -t 60 said; do
		case $said in
		skip?*) break ;;
		ready*) return 0 ;;
		esac
	done
	over
	return 1
}

# begin_direct KIND: the same for the direct lane, which leaves slow submissions to the engine for a while.
begin_direct() {
	local try
	said="skip no Linux AIO here"
	RTAIO_BACKEND=libaio "$tree/build/rtaio-status" >/dev/null || return 1
	for try in {1..10}; do
		begin "$1" || return 1
		dump "$pid"
		! grep -q '  direct  ' <<<"$output" || return 0
		over
	done
	said="skip the disk was too slow for the direct lane, $try times"
	return 1
}

# ends TEST: as if nothing had been.
ends() {
	over
	equal "$1" "$status" 0
}

# dump ARGUMENT...: sets output and status.
dump() {
	output=$(timeout 60 "$work/rtaio-dump" "$@" 2>&1)
	status=$?
}

# shows TEST PATTERN [ARGUMENT]...: of the process, at once or a moment later.
shows() {
	local test=$1 pattern=$2 end=$((SECONDS + limit_s))
	shift 2
	dump "$@" "$pid"
	until grep -q -E -e "$pattern" <<<"$output" || [ $SECONDS -ge $end ]; do
		dump "$@" "$pid"
	done
	if [ $status -eq 0 ] && grep -q -E -e "$pattern" <<<"$output"; then
		pass "$test"
	else
		fail "$test" "status $status, no '$pattern': $output"
		limit_s=1 # what is broken is so for the other tests, too
	fi
}

# says TEST PATTERN: of the output before.
says() {
	if grep -q -E -e "$2" <<<"$output"; then
		pass "$1"
	else
		fail "$1" "no '$2': $output"
	fi
}

# refuses TEST STATUS PATTERN COMMAND...: one line, on standard error.
refuses() {
	local test=$1 expected=$2 pattern=$3
	shift 3
	output=$(timeout 60 "$@" 2>&1 >"$work/stdout")
	status=$?
	if [ $status -eq "$expected" ] && [ "$(wc -l <<<"$output")" -eq 1 ] && [ ! -s "$work/stdout" ] &&
		grep -q -E -e "$pattern" <<<"$output"; then
		pass "$test"
	else
		fail "$test" "status $status, expected $expected and '$pattern': $output"
	fi
}

# ---- a pipe that is empty, on each backend ----

state_of() {
	sed 's/.*) \(.\) .*/\1/' "/proc/$1/stat"
}

for backend in auto io_uring libaio threads; do
	if ! RTAIO_BACKEND=$backend "$tree/build/rtaio-status" >/dev/null; then
		skip "$backend" "it cannot serve here"
		continue
	fi
	RTAIO_BACKEND=$backend begin pipe 3 || { fail "$backend: $said" && continue; }
	shows "$backend: the first is being served" \
		'ms +engine +read +[0-9]+ +- +8 +(in the kernel, io_uring|with a worker, thread [0-9]+) +pipe:.[0-9]+.$'
	says "$backend: three are in flight" '^in flight  3, the oldest for [0-9]+ ms$'
	equal "$backend: the others wait for it" \
		"$(grep -c -E 'waits in the (queue of its descriptor|inbox of the engine) ' <<<"$output")" 2
	says "$backend: which process" "^process    $pid  .*/hang pipe 3\$"
	says "$backend: which library" '^library    rtaio [0-9.]+, .*/build/librtaio.so'
	says "$backend: which backend" "^backend    (io_uring|threads) \\(RTAIO_BACKEND=$backend\\)\$"
	shows "$backend: its thread" \
		'^ *[0-9]+ +rtaio-engine +(sleeps|runs) +[0-9]+ ms +for (results of the ring|a message) '
	if ! grep -q 'in the kernel' <<<"$output"; then
		shows "$backend: the worker" \
			' rtaio-worker +sleeps +[0-9]+ ms +performs a read of fd [0-9]+: in read, fd [0-9]+'
	fi
	says "$backend: what is evident" \
		'^The oldest request waits for data that the other end of descriptor [0-9]+ has not sent\.$'
	ends "$backend: the process goes on as if nothing had been"
done

# ---- what else hangs ----

RTAIO_BACKEND=threads begin vectors
shows "a vectored read has the bytes of all its buffers" \
	'ms +engine +read +[0-9]+ +- +8 +with a worker, thread [0-9]+ +pipe:'
shows "its worker is in the call for vectors" \
	' rtaio-worker +sleeps +[0-9]+ ms +performs a read of fd [0-9]+: in readv, fd [0-9]+'
ends "it ends when there are data"

if begin served; then
	shows "a server that does not answer" 'ms +engine +read +[0-9]+ +4096 +8 +with a worker, thread [0-9]+ +/held$'
	shows "its worker" ' rtaio-worker +[a-z]+ +[0-9]+ ms +performs a read of fd [0-9]+: in pread64, fd [0-9]+'
	shows "the server is named as the cause" \
		'^Thread [0-9]+ waits for the disk or server of the file system.*, file /held(\.|, and no signal)'
	ends "then it answers"
	begin served closed
	dump --json "$pid"
	says "so has it none in JSON" \
		'"request": "read", "complete": false, .* "closed": true, "offset": 4096, "size": 8,'
	says "syncs wait as well" \
		'"request": "fdatasync", .* "where": "waits in the queue of its descriptor",'
	says "nor has the write behind it" \
		'"request": "write", .* "where": "waits in the queue [^"]*", .* "closed": true,'
	shows "a file that was closed has no name" \
		'read +[0-9]+ +4096 +8 .* \(the descriptor was closed since\)$'
	ends "that request ends as well"
else
	skip "a server that does not answer" "${said#skip }"
fi

if begin frozen; then
	shows "a frozen file system" 'ms +engine +write +[0-9]+ +1048576 +1048576 +with a worker, thread [0-9]+ +/'
	shows "its worker is blocked" ' rtaio-worker +blocked +[0-9]+ ms +performs a write of fd [0-9]+: in pwrite64'
	shows "the file system is named as the cause" \
		'^Thread [0-9]+ waits for the disk .*, and no signal reaches it\.$'
	ends "then it goes on"
else
	skip "a frozen file system" "${said#skip }"
fi

if RTAIO_INLINE=0 begin offload; then
	shows "a write waits for the lock of its file" \
		'ms +(engine|offload) +write +[0-9]+ +1048576 +131072 +waits for a worker +'
	shows "a write that was handed over" 'ms +offload +write +[0-9]+ +8192 +131072 +with a worker, thread [0-9]+ '
	ends "it ends"
else
	skip "a write that was handed over" "${said#skip }"
fi

if RTAIO_TEST_COPIER=1 begin copier; then
	shows "a copy that does not end" 'ms +copier +read +[0-9]+ +0 +4096 +with the copier +/memfd:'
	shows "its thread" ' rtaio-copier +[a-z]+ +[0-9]+ ms '
	ends "it ends"
else
	skip "a copy that does not end" "${said#skip }"
fi
if begin_direct direct; then
	shows "a call that submits to Linux AIO" 'ms +direct +read +[0-9]+ +8192 +4096 +in the call that submits it +/'
	ends "it ends"
else
	skip "a call that submits to Linux AIO" "${said#skip }"
fi

begin signal
shows "a signal that finds no room" 'ms +engine +read +[0-9]+ +- +100 +complete, waits for room for its signal +pipe:'
says "its request is not in flight" '^in flight  0$'
says "the full queue is named as the cause" '^No more signals may wait: '
ends "it comes in the end"

if begin_direct device; then
	shows "a disk that does not answer" 'ms +direct +write +[0-9]+ +8192 +4096 +in the kernel, Linux AIO +/dev/loop'
	ends "then it answers"
else
	skip "a disk that does not answer" "${said#skip }"
fi

RTAIO_CALLBACKS=1 begin callback
shows "a callback that must wait" \
	'ms +engine +read +[0-9]+ +- +100 +complete, waits for the thread of its callback +pipe:'
says "its request is not in flight, either" '^in flight  0$'
dump --json "$pid"
says "nor in JSON" '"request": "read", "complete": true, '
ends "it comes in the end, too"

if [ "$(id -u)" -eq 0 ]; then
	RTAIO_BACKEND=threads begin shortage
	shows "no thread can be made" 'ms +engine +read +[0-9]+ +- +8 +waits for a thread, none can be made +pipe:'
	says "the limit is named as the cause" '^No thread can be made: raise ulimit -u'
	over
else
	skip "no thread can be made" "only root can become a user of its own"
fi

# Without a way to hold the file, close asks until the requests have begun.
# shellcheck disable=SC2016 # the other shell expands it
under=(sh -c 'ulimit -n 100; exec "$@"' sh "$tree/build/test/refused/refuse" pidfd --)
if "${under[@]}" true 2>/dev/null && begin close; then
	shows "a close that waits" 'ms +close +of descriptor [0-9]+: waits for the engine.s answer$'
	ends "it returns"
	begin close range
	shows "a close of several descriptors" \
		'ms +close +of descriptors [0-9]+ to [0-9]+: waits for the engine.s answer$'
	shows "its question in JSON" '"request": "close", "fd": [0-9]+}' --json
	ends "it returns, too"
else
	skip "a close that waits" "${said#skip }"
fi
under=()

begin list
shows "a list in JSON" '"request": "lio_listio", "left": 2}' --json
shows "a list" 'ms +lio_listio +waits for 2 of its requests$'
ends "it ends"

begin nothing
shows "nothing is in flight" '^in flight  0$'
dump --json "$pid"
says "nor in JSON" '"in_flight": 0, .*'
ends "it ends"

# ---- stopped ----

begin pipe 1
kill -STOP "$pid"
shows "a stopped process says so" "^The process is stopped; kill -CONT $pid lets it go on\.\$"
says "and what was in flight" '^in flight  1, '
equal "it stays stopped" "$(state_of "$pid")" T
kill -CONT "$pid"
ends "it goes on"

# A thread stands for its process; another number space is that of a container.
begin pipe 1
dump "$(find "/proc/$pid/task" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort -n | tail -1)"
says "a thread stands for its process" "^process    $pid  "
# A debugger stops it.  It is gone when gdb ends, but for what it has written.
if command -v gdb >/dev/null; then
	gdb -p "$pid" --batch -ex "shell $work/rtaio-dump $pid >$work/traced 2>&1" >/dev/null 2>&1
	output=$(cat "$work/traced")
	says "a debugger that has stopped the process is named" \
		'^Process [0-9]+, a debugger, has stopped the process\.$'
else
	skip "a debugger that has stopped the process is named" "there is no gdb"
fi
ends "it ends"
library="$library $tree/build/librt/librt.so.1"
begin pipe 1
shows "of two libraries the one that serves is shown" '^in flight  1, '
ends "it ends"
library=${library% *}
under=("$tree/build/test/refused/refuse" io_uring --)
if "${under[@]}" true 2>/dev/null; then
	begin nothing
	shows "a ring that was refused" '^io_uring is refused to this process; rtaio --status in its place says why\.$'
	ends "it ends"
else
	skip "a ring that was refused" "no seccomp filters here"
fi
under=(unshare --pid --fork --kill-child)
if "${under[@]}" true 2>/dev/null; then
	RTAIO_BACKEND=threads begin pipe 1
	outer=$pid
	read -r pid _ <"/proc/$outer/task/$outer/children"
	shows "threads have their numbers of the host" 'with a worker, thread [0-9]{3,} +pipe:'
	tid=$(sed -n 's/.* with a worker, thread \([0-9]*\) .*/\1/p' <<<"$output")
	check "the thread is of that process" test -n "$tid" -a -d "/proc/$pid/task/${tid:-none}"
	pid=$outer
	ends "it ends"
else
	skip "threads have their numbers of the host" "no namespace of processes can be made"
fi
under=()

# ---- what terminals and JSON must not get ----

odd=$'a"b\\c\033[31m\xff\xc3\xa9'
begin pipe 1 "$odd"
dump "$pid"
says "what a terminal would obey is not shown" '^process    [0-9]+ .*/hang pipe 1 a"b.c\?\[31m'
dump --json "$pid"
if command -v python3 >/dev/null; then
	equal "JSON has what can be told" "$(python3 -c 'import json, sys
print(ascii(json.load(sys.stdin.buffer)["command"].split(" 1 ")[1]))' <<<"$output")" \
		"'a\"b\\\\c\\x1b[31m\\ufffd\\xe9'"
else
	skip "JSON has what can be told" "python3 is not installed"
fi
refuses "an output that is full" 1 '^rtaio dump: cannot write: No space left on device$' \
	sh -c "exec '$work/rtaio-dump' $pid >/dev/full"
ends "it ends"

# ---- many ----

begin pipes 60
# The engine has taken all when one of each pipe is in the kernel and one waits.
shows "requests of many descriptors are too many for sums" '^and 50 others \(--all shows each\)$'
says "all are counted" '^in flight  120, '
equal "20 have sums" "$(awk '/^ *AND /{ on = 1; next } on && /^and /{ exit } on { n += $1 } END { print n }' \
	<<<"$output")" 20
over

begin pipe 10000
shows "10,000 are in flight" '^in flight  10000, '
equal "the 50 oldest have a line" "$(grep -c -E '^ *[0-9]+ m?s  engine  read ' <<<"$output")" 50
equal "and sums tell of the others" 9950 \
	"$(awk '/^ *AND /{ on = 1; next } on && !NF { exit } on { n += $1 } END { print n }' <<<"$output")"
dump --all "$pid"
equal "--all has a line for each" "$(grep -c -E '^ *[0-9]+ m?s  engine  read ' <<<"$output")" 10000
dump --json "$pid"
if command -v python3 >/dev/null; then
	equal "--json has each" "$(python3 -c 'import json, sys; d = json.load(sys.stdin)
kinds = {(r["request"], r["lane"], r["size"]) for r in d["requests"]}
print(d["in_flight"], len(d["requests"]), d["process"], kinds)' \
		<<<"$output")" "10000 10000 $pid {('read', 'engine', 8)}"
else
	skip "--json has each" "python3 is not installed"
fi
ends "the process goes on as if nothing had been"

# ---- records that change meanwhile ----

# At most 16 are in flight, and nothing is shown that no request of the program can be.
RTAIO_INLINE=0 begin busy
wrong=
for _ in {1..100}; do
	dump --all "$pid"
	nr=$(sed -n 's/^in flight  \([0-9]*\).*/\1/p' <<<"$output")
	[ $status -eq 0 ] && [ "${nr:-17}" -le 16 ] || wrong="status $status: $output"
	strange=$(grep -E '^ *[0-9]+ m?s ' <<<"$output" | grep -v -E ' read +[0-9]+ +([0-9]+|-) +8 ')
	[ -z "$strange" ] || wrong=$strange
done
equal "a process that is busy is read as it is" "$wrong" ''
ends "it goes on"

# ---- a child of a fork ----

begin child
child=${said#ready }
refuses "a child that has not used AIO" 1 \
	"^rtaio dump: process $child .* has loaded rtaio .*, but not used asynchronous I/O" \
	"$work/rtaio-dump" "$child"
shows "its parent has" '^in flight  3, '
ends "both end"
begin child uses
child=${said#ready }
dump "$child"
says "a child that has used it has its own" '^in flight  1, '
shows "the parent's are another matter" '^in flight  3, '
ends "both end"

# ---- core files ----

# judge_core NAME FILE
judge_core() {
	dump "$2"
	equal "$1: it can be read" "$status" 0
	says "$1: what was in flight" '^in flight  3, the oldest for [0-9]+ ms$'
	says "$1: where" 'engine +read +[0-9]+ +- +8 +(in the kernel, io_uring|with a worker, thread [0-9]+) +\?$'
	says "$1: which process" "^process    $core_pid  /?.*hang.*, from a core file\$"
	says "$1: the engine's thread" '^ *[0-9]+ +rtaio-engine +\? '
	dump --json "$2"
	says "$1: the same in JSON" '"core": true, '
	dump "$2"
	says "$1: what it does not tell" '^A core file has neither names of files nor what threads wait for'
}

# damage NAME FILE AT SIZE: anything may be in some of these bytes.
damage() {
	local name=$1 file=$2 at=$3 size=$4 i nr_bad=0 wrong=''
	RANDOM=1
	cp "$file" "$work/damaged"
	for ((i = 0; i < 80; i++)); do
		dd if="$file" of="$work/damaged" conv=notrunc status=none bs=64K count=1 \
			iflag=skip_bytes,fullblock skip="$at" oflag=seek_bytes seek="$at"
		for _ in 1 2 3 4; do
			printf '%b' "\\x$(printf %x $((RANDOM % 256)))" |
				dd of="$work/damaged" bs=1 conv=notrunc status=none seek=$((at + RANDOM % size))
		done
		dump "$work/damaged"
		[ $status -le 1 ] || wrong="try $i: status $status"
		nr_bad=$((nr_bad + status))
	done
	equal "$name: damage is no catastrophe" "$wrong" ''
	check "$name: some of it was noticed" test $nr_bad -gt 0
}

# position PATTERN FILE: of the first match, in bytes.
position() {
	LC_ALL=C grep -a -b -o -P -m 1 "$1" "$2" | head -1 | cut -d : -f 1
}

# kernel_core: the process that was begun dumps its core, the file $core.  Status 1: not here, for $reason.
kernel_core() {
	local pattern
	pattern=$(cat /proc/sys/kernel/core_pattern)
	case $pattern in
	*[/\|%]*) reason="kernel.core_pattern is $pattern" && return 1 ;;
	esac
	reason="its limit cannot be raised"
	prlimit --pid "$pid" --core=unlimited 2>/dev/null || return 1
	kill -ABRT "$pid"
	over 2>/dev/null
	reason="the kernel wrote none"
	mv "$work/run/$pattern"* "$work/core" 2>/dev/null && core=$work/core
}

begin pipe 3
shows "the first is being served" 'in the kernel|with a worker'
core_pid=$pid
core=
if command -v gcore >/dev/null && gcore -o "$work/gcore" "$pid" >/dev/null 2>&1; then
	core=$work/gcore.$pid
	judge_core "the core file of gcore" "$core"
else
	skip "the core file of gcore" "gdb is not installed, or cannot trace here"
fi
if kernel_core; then
	judge_core "the core file of the kernel" "$core"
else
	skip "the core file of the kernel" "$reason"
	[ -z "$pid" ] || over
fi
if [ -n "$core" ]; then
	damage "what leads to the requests" "$core" $(($(position 'rtaio-d' "$core") - 600)) 800
	damage "headers and notes" "$core" 0 3000
	damage "the note of the library" "$core" $(($(position '\x04\0\0\0\x01\0\0\0rtaio\0' "$core") - 500)) 560
	head -c 3000 "$core" >"$work/short"
	refuses "a core file that was cut off" 1 'short: the (core file is not complete|process had not)' \
		"$work/rtaio-dump" "$work/short"
fi
if command -v gcore >/dev/null; then
	start_cat
	if gcore -o "$work/other" "$pid" >/dev/null 2>&1; then
		refuses "a core file without the library" 1 'other\.[0-9]+: the process had not loaded rtaio$' \
			"$work/rtaio-dump" "$work/other.$pid"
	else
		skip "a core file without the library" "gcore cannot trace here"
	fi
	over
fi

# What the kernel leaves out is read from the library, unless that is another one by now.
whole=$library
cp "$library" "$work/replaced.so"
library=$work/replaced.so
begin pipe 3
shows "the first is being served again" 'in the kernel|with a worker'
if kernel_core; then
	dump "$core"
	says "the library has the name of the backend" '^backend    (io_uring|threads) '
	head -c 200000 /dev/zero >"$work/new.so" && mv "$work/new.so" "$library"
	dump "$core"
	says "another one is not believed" '^backend    unknown '
	says "the requests are in the core file" '^in flight  3, '
	rm "$library"
	dump "$core"
	says "the same without any" '^backend    unknown '
else
	skip "the library has the name of the backend" "$reason"
	[ -z "$pid" ] || over
fi
library=$whole

# ---- what it cannot read ----

rtaio=$tree/scripts/rtaio
start_cat
refuses "a process without the library" 1 "^rtaio dump: process $pid \(cat\) has not loaded rtaio\$" \
	"$rtaio" dump "$pid"
over
LD_PRELOAD=$library start_cat
refuses "a process that has not used AIO" 1 \
	"^rtaio dump: process $pid \(cat\) has loaded rtaio [0-9.]+, but not used asynchronous I/O" "$rtaio" dump "$pid"
over
RTAIO_BACKEND=glibc begin nothing
refuses "a process in which glibc serves" 1 "^rtaio dump: process $pid \(hang\) has rtaio [0-9.]+ switched off: glibc" \
	"$rtaio" dump "$pid"
over
begin ended
refuses "a process for which nobody has waited" 1 \
	'^rtaio dump: process [0-9]+ \(hang\) has no memory: .*, or has ended$' \
	"$rtaio" dump "${said#ready }"
over
refuses "a process that has ended" 1 '^rtaio dump: there is no process [0-9]+$' "$rtaio" dump "$(sh -c 'echo $$')"
refuses "a number that is none" 1 '^rtaio dump: there is no process 99999999999999999999$' \
	"$rtaio" dump 99999999999999999999
refuses "no process has the number 0" 1 '^rtaio dump: there is no process 0$' "$rtaio" dump 0
refuses "a file that is not there" 1 '^rtaio dump: /nowhere/core: No such file or directory$' \
	"$rtaio" dump /nowhere/core
refuses "a file that is no core file" 1 'launcher.sh is neither a process nor a core file$' \
	"$rtaio" dump "$tree/test/scripts/launcher.sh"
refuses "a program is no core file, either" 1 'rtaio-dump is neither a process nor a core file$' \
	"$rtaio" dump "$work/rtaio-dump"
refuses "a directory" 1 'neither a process nor a core file$' "$rtaio" dump "$work"
refuses "an empty name" 1 '^rtaio dump: : No such file or directory$' "$rtaio" dump ''
refuses "no name" 2 '^Usage: rtaio dump \[--all\] \[--json\] PID\|CORE$' "$rtaio" dump
refuses "two names" 2 '^Usage: ' "$rtaio" dump 1 2
refuses "an option that nobody knows" 2 '^Usage: ' "$rtaio" dump --every 1
check "--help" sh -c "'$rtaio' dump --help | grep -q -e --json"

begin pipe 1
someone=(setpriv --reuid 234567 --regid 234567 --clear-groups)
if "${someone[@]}" test -x "$work/rtaio-dump" 2>/dev/null; then
	refuses "a process of another user" 1 \
		"^rtaio dump: process $pid \(hang\) must not be read: Permission denied; run this as " \
		"${someone[@]}" "$work/rtaio-dump" "$pid"
else
	skip "a process of another user" "only root can become another user, who must find the program"
fi
if "$tree/build/test/refused/refuse" process_vm_readv -- true 2>/dev/null; then
	output=$("$tree/build/test/refused/refuse" process_vm_readv -- "$work/rtaio-dump" "$pid" 2>&1)
	says "where a sandbox refuses process_vm_readv, /proc has the memory" '^in flight  1, '
else
	skip "where a sandbox refuses process_vm_readv, /proc has the memory" "no seccomp filters here"
fi
over

# ---- other builds ----

# other_build NAME SKIP BYTES: the library with other bytes in its root, so many behind its beginning.
other_build() {
	cp "$tree/build/librtaio.so" "$work/$1"
	printf '%b' "$3" | dd of="$work/$1" bs=1 conv=notrunc status=none \
		seek=$(($(grep -a -b -o 'rtaio-d' "$work/$1" | head -1 | cut -d : -f 1) + $2))
	library=$work/$1
}

other_build version.so 16 '9.8.7\0'
begin pipe 1
shows "a process with another version is read" '^library    rtaio 9\.8\.7, .*/version\.so$'
says "and its requests are shown" '^in flight  1, '
over
other_build layout.so 8 '\143\0\0\0\0\0\0\09.8.7\0'
begin pipe 1
refuses "a layout that is not known is refused" 1 \
	"^rtaio dump: process $pid .* has rtaio .*, and this is the program of [0-9.]+, which cannot read it\$" \
	"$work/rtaio-dump" "$pid"
over

finish
