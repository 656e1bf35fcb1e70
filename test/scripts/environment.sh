#!/bin/bash
# SPDX-License-Identifier: MIT
#
# environment.sh - what the library reads from its variables, and what it says about bad ones
#
# Runs a small program that uses AIO, and looks at its standard error.

set -u

tree=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=test/support/results.sh
. "$tree/test/support/results.sh"

library=$tree/build/librtaio.so
mkdir -p "$tree/build/tmp"
work=$(mktemp -d "$tree/build/tmp/environment.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

${CC:-cc} -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -o reads "$tree/test/scripts/reads.c" -lrt || exit 1
head -c 262144 /dev/zero >file

# says test pattern VARIABLE=value...: the program does its work, and stderr holds the pattern.
says() {
	local test=$1 pattern=$2 message status
	shift 2
	message=$(env "$@" LD_PRELOAD="$library" timeout 20 ./reads file 2>&1 >/dev/null)
	status=$?
	if [ $status -ne 0 ]; then
		fail "$test" "status $status; stderr: $message"
	elif ! grep -q -E -e "$pattern" <<<"$message"; then
		fail "$test" "stderr lacks '$pattern': $message"
	else
		pass "$test"
	fi
}

# is_silent VARIABLE=value...
is_silent() {
	local message
	message=$(env "$@" LD_PRELOAD="$library" timeout 20 ./reads file 2>&1 >/dev/null) || return 1
	[ -z "$message" ] || { echo "$message" && return 1; }
}

# counter_of program... -- name VARIABLE=value...
counter_of() {
	local program=()
	while [ "$1" != -- ]; do
		program+=("$1")
		shift
	done
	local name=$2
	shift 2
	env "$@" RTAIO_STATS=1 LD_PRELOAD="$library" timeout 20 "${program[@]}" 2>&1 >/dev/null |
		awk -v name="$name" '$2 == name { print $3 }'
}

# counter name VARIABLE=value...
counter() {
	counter_of ./reads file -- "$@"
}

check "good values are taken without a word" is_silent RTAIO_BACKEND=auto RTAIO_DEPTH=1 \
	RTAIO_THREADS=65536 RTAIO_CALLBACKS=2 RTAIO_IN_FLIGHT=4 RTAIO_BUSY_POLL=0 RTAIO_INLINE=0 RTAIO_OFFLOAD=0 RTAIO_STATS=0 \
	RTAIO_VERBOSE=0
says "a variable that nobody knows" \
	'^rtaio: RTAIO_DEPHT is not a variable of rtaio: .*RTAIO_DEPTH' RTAIO_DEPHT=5
says "a number that is none" "^rtaio: RTAIO_DEPTH=many is not a number from 1 to 65536: 256 is used" \
	RTAIO_DEPTH=many
says "a number that is too small" "^rtaio: RTAIO_THREADS=0 is not a number from 1 " RTAIO_THREADS=0
says "a number that is too large" "^rtaio: RTAIO_CALLBACKS=65537 is not a number" RTAIO_CALLBACKS=65537
says "a negative number" "^rtaio: RTAIO_BUSY_POLL=-1 is not a number from 0 to 1000: 40 is used" \
	RTAIO_BUSY_POLL=-1
says "a number with a leading zero is decimal" "serves .*, depth 10$" RTAIO_DEPTH=010 \
	RTAIO_BACKEND=threads RTAIO_VERBOSE=1
says "a number with a space behind it" "^rtaio: RTAIO_DEPTH=5  is not a number" "RTAIO_DEPTH=5 "
says "a number that is empty" "^rtaio: RTAIO_DEPTH= is not a number" RTAIO_DEPTH=
says "a number with a unit" "^rtaio: RTAIO_DEPTH=4k is not a number" RTAIO_DEPTH=4k
says "a number beyond 32 bits" "^rtaio: RTAIO_DEPTH=4294967297 is not a number" RTAIO_DEPTH=4294967297
says "a number beyond 64 bits" "is not a number from 1 to 65536: 256 is used" \
	RTAIO_DEPTH=99999999999999999999
says "a negative number that wraps to a good one" "is not a number from 1 to 65536: 256 is used" \
	RTAIO_DEPTH=-18446744073709551615
says "a name that is cut short" "^rtaio: RTAIO_DEPT is not a variable of rtaio" RTAIO_DEPT=5
says "a name that goes on" "^rtaio: RTAIO_DEPTHS is not a variable of rtaio" RTAIO_DEPTHS=5
says "a switch with a leading zero" "^rtaio: RTAIO_VERBOSE=01 is neither 0 nor 1" RTAIO_VERBOSE=01
says "a switch that is neither" "^rtaio: RTAIO_INLINE=yes is neither 0 nor 1: 1 is used" \
	RTAIO_INLINE=yes
says "a file for statistics that cannot be written" \
	"^rtaio: RTAIO_STATS: cannot open /nowhere/x: No such file" RTAIO_STATS=/nowhere/x

# Each program appends its part to what is there.
echo "kept" >counters
for _ in 1 2 3; do
	env RTAIO_STATS="$work/counters" LD_PRELOAD="$library" timeout 20 ./reads file
done
equal "RTAIO_STATS=FILE appends" "$(head -1 counters) $(grep -c 'statistics of process' counters)" \
	"kept 3"

# The first line is the sum of what follows, and its shares are those of the lanes.
sums() {
	awk '/^rtaio: statistics / { print NR, $0 }
		$2 ~ /^(inline|direct|copier|offload|engine)_(reads|writes|fsyncs)$/ {
			sub(/_.*/, "", $2)
			lane[$2] += $3
			total += $3
		}
		END {
			printf "%d requests", total
			split("inline direct copier offload engine", name, " ")
			for (i = 1; i <= 5; i++)
				if (lane[name[i]])
					printf ", %d.%d %% %s", int(lane[name[i]] * 100 / total),
						int(lane[name[i]] * 1000 / total) % 10, name[i]
			print ""
		}' "$1"
}
for backend in auto threads; do
	rm -f total
	env RTAIO_STATS="$work/total" RTAIO_BACKEND=$backend LD_PRELOAD="$library" timeout 20 ./reads file
	equal "statistics of $backend begin with the total and the share of each lane" \
		"$(sums total | sed -n 's/^1 .*, backend [a-z]*: //p')" "$(sums total | tail -n 1)"
	check "requests of $backend are counted" grep -q ': [1-9][0-9]* requests, ' total
done

# The program, the manual and rtaio.h name the same counters in the same words.
printed=$(sed -n 's/^rtaio: \([a-z_]*\)  *[0-9]*  /\1: /p' total)
equal "the manual has each counter, in the program's words" \
	"$(sed -n '/^.SS Statistics/,/^.SH/p' "$tree/scripts/man/rtaio.7" |
		awk '/^\.TP 18/ { getline; name = $2; getline; print name ": " $0 }')" "$printed"
equal "rtaio.h has the words of the program" \
	"$(sed -n 's:^\tuint64_t \([a-z_]*\); */\* \(.*\) \*/$:\1\: \2:p' "$tree/include/rtaio.h" |
		grep -v '^lane_' | grep -v -F -x -e "$printed")" ""

# Lines of several processes do not mix: one system call appends them all.
if strace -f -o /dev/null true 2>/dev/null; then
	strace -f -qq -o writes -P "$work/counters" -e trace=write \
		env RTAIO_STATS="$work/counters" LD_PRELOAD="$library" timeout 20 ./reads file
	equal "the statistics of a process are one write" "$(grep -c 'write(' writes)" 1
else
	skip "the statistics of a process are one write" "strace cannot trace here"
fi
env RTAIO_STATS="$work/cleared" RTAIO_BACKEND=threads LD_PRELOAD="$library" \
	timeout 20 ./reads file without-environment
check "a program that throws its environment away keeps what was set" \
	grep -q "statistics of process [0-9]*, backend threads" cleared

# All 65 reads, of which 64 come after the child.
env RTAIO_STATS="$work/vfork" LD_PRELOAD="$library" timeout 20 ./reads file vfork
equal "a child of vfork prints nothing" "$(grep -c 'statistics of process' vfork) $(
	awk '$2 ~ /_reads$/ { nr += $3 } END { print nr }' vfork
)" "1 65"
equal "an entry that is a name alone is no variable" "$(
	env RTAIO_STATS=1 LD_PRELOAD="$library" timeout 20 ./reads file names 2>&1)" ""

# A library that was loaded later ends after ours, which has printed by then.
echo 'void _exit(int); __attribute__((destructor)) static void leave(void) { _exit(0); }' |
	${CC:-cc} -shared -fPIC -o leaves.so -x c - || exit 1
env RTAIO_STATS="$work/once" LD_PRELOAD="$library:$work/leaves.so" timeout 20 ./reads file
equal "a process that leaves twice prints once" "$(grep -c 'statistics of process' once)" 1

equal "that file is for the user alone" "$(umask 0 && rm counters &&
	env RTAIO_STATS="$work/counters" LD_PRELOAD="$library" timeout 20 ./reads file &&
	stat -c %a counters)" 600
ln -s victim link
mkfifo fifo
says "a link is not followed" "^rtaio: RTAIO_STATS: cannot open $work/link: " RTAIO_STATS="$work/link"
check "nor is a file made by it" [ ! -e victim ]
says "a FIFO without a reader holds up nobody" "^rtaio: RTAIO_STATS: cannot open $work/fifo: " \
	RTAIO_STATS="$work/fifo"

says "what is switched off is told" "^rtaio: version .*, lanes inline and copier off, lane offload off$" RTAIO_VERBOSE=1 \
	RTAIO_INLINE=0 RTAIO_OFFLOAD=0
says "switched off is told" "^rtaio: version .*: switched off, glibc serves$" RTAIO_VERBOSE=1 RTAIO_BACKEND=glibc
says "features that are no number" "^rtaio: RTAIO_TEST_URING=0x0g is not a number" RTAIO_TEST_URING=0x0g
long=$(printf '%04096d' 0)
says "a file name for which there is no room" "^rtaio: RTAIO_STATS: the file name is longer than [0-9]+ bytes: no statistics" \
	RTAIO_STATS="/$long"
check "RTAIO_STATS without a value prints nothing" is_silent RTAIO_STATS=
equal "a message that is too long ends where a line does" "$(
	env RTAIO_DEPTH="$long" LD_PRELOAD="$library" timeout 20 ./reads file 2>&1 >/dev/null | grep -c "^rtaio: RTAIO_DEPTH=0*$"
)" 1
if [ "$(counter direct_reads RTAIO_BUSY_POLL=0)" = 0 ]; then
	skip "a wait busy-polls before it sleeps" "no direct lane here"
else
	check "a wait busy-polls before it sleeps" \
		[ "$(counter direct_busy_polls RTAIO_BUSY_POLL=1000)" -gt 0 ]
	equal "RTAIO_BUSY_POLL=0 makes it sleep at once" "$(counter direct_busy_polls RTAIO_BUSY_POLL=0)" 0
fi
# The first of them go through the engine, until it has made the thread.
check "threads serve without the engine" \
	[ "$(counter offload_reads RTAIO_BACKEND=threads)" -gt 0 ]
equal "RTAIO_OFFLOAD=0 makes the engine serve all" \
	"$(counter offload_reads RTAIO_BACKEND=threads RTAIO_OFFLOAD=0)" 0
# The copier makes reads of the inline lane, so one switch is for both.
copier_reads() {
	counter_of ./reads file buffered -- copier_reads RTAIO_TEST_COPIER=1 "$@"
}
if [ "$(counter_of ./reads file buffered -- inline_reads)" = 0 ]; then
	skip "the copier follows RTAIO_INLINE alone" "no inline lane here"
else
	check "RTAIO_OFFLOAD=0 leaves the copier" [ "$(copier_reads RTAIO_OFFLOAD=0)" -gt 0 ]
	equal "RTAIO_INLINE=0 leaves nothing to the copier" "$(copier_reads RTAIO_INLINE=0)" 0
fi
finish
