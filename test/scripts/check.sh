#!/bin/bash
# SPDX-License-Identifier: MIT
#
# check.sh - `rtaio check` finds each misuse once, and leaves alone what is right
#
# The programs of test/check have a case for each rule, named after it, and cases of right use. Each runs on auto
# and glibc and, without --full, on one of the other backends. glibc tells nobody when a request ends, so that
# some misuse cannot be seen there.

set -u

tree=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=test/support/results.sh
. "$tree/test/support/results.sh"
# shellcheck source=test/support/programs.sh
. "$tree/test/support/programs.sh"

programs_options "$@"
[[ $* == *--backend* ]] || programs_backends+=(glibc)

work=$(mktemp -d "${TMPDIR:-/tmp}/rtaio-check-test.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
rtaio=$tree/scripts/rtaio
wrong=$tree/build/test/check/wrong
right=$tree/build/test/check/right
elsewhere=$tree/build/test/check/right_elsewhere
invisible_with_glibc='changed-in-flight:unseen buffer-freed:unseen aiocb-on-dead-stack buffer-on-dead-stack:thread
	result-ignored:exit callback-blocks'
needs_memory='freed-in-flight buffer-freed buffer-freed:moved'
kinds='submitted-again changed-in-flight freed-in-flight copied-in-flight buffer-freed buffer-on-dead-stack
	aiocb-on-dead-stack list-on-dead-stack returned-early returned-twice never-returned overlapping-writes
	offset-on-stream closed-in-flight callback-blocks result-ignored unsafe-in-signal-handler'

# watch argument...: what is found goes to $work/found, the status to $status.
watch() {
	RTAIO_TEST_CALLBACK_MS=50 timeout -k 5 60 "$rtaio" check "$@" >"$work/output" 2>"$work/found"
	status=$?
}

# finds kind: this one alone, once, with both places.
finds() {
	if [ "$(grep -c '^rtaio check: [a-z-]*: ' "$work/found")" -ne 1 ]; then
		echo "not one finding:"
	elif ! grep -q "^rtaio check: $1: " "$work/found"; then
		echo "not $1:"
	elif [ $status -ne 99 ]; then
		echo "status $status:"
	elif ! grep -q '^rtaio check: 1 finding, ' "$work/found"; then
		echo "no summary:"
	elif ! grep -q '^    #0 .*/check/wrong+0x' "$work/found"; then
		echo "no backtrace:"
	else
		return 0
	fi
	cat "$work/found" "$work/output"
	return 1
}

finds_nothing() {
	[ $status -eq 0 ] && grep -q '^rtaio check: no misuse found, [1-9]' "$work/found" &&
		! grep -q '^rtaio check: [a-z-]*: ' "$work/found" && return
	echo "status $status:"
	cat "$work/found" "$work/output"
	return 1
}

# is_in word list
is_in() {
	[[ " $(tr -s '\n\t' '  ' <<<"$2") " == *" $1 "* ]]
}

for backend in "${programs_backends[@]}"; do
	number=0
	for case in $("$wrong"); do
		number=$((number + 1))
		is_share "$backend" $number || continue
		if [ "$backend" = glibc ] && is_in "$case" "$invisible_with_glibc"; then
			skip "$backend: finds $case" "glibc does not tell"
			continue
		fi
		options=(--backend="$backend")
		! is_in "$case" "$needs_memory" || options+=(--memory)
		watch "${options[@]}" -- "$wrong" "$case"
		check "$backend: finds $case" finds "${case%:*}"
	done
	for case in $("$right") $("$elsewhere"); do
		number=$((number + 1))
		is_share "$backend" $number || continue
		program=$right
		"$right" | grep -q -x -e "$case" || program=$elsewhere
		watch --memory --backend="$backend" "$program" "$case"
		check "$backend: leaves alone $case" finds_nothing
	done
done

for kind in $kinds; do
	check "there is a case for $kind" grep -q -x -e "$kind" <<<"$("$wrong")"
done
listed=$(sed -n '/^\.SH "MISUSE/,/^\.SH "A PROGRAM/s/^\.B \([a-z].*\)/\1/p' "$tree/scripts/man/rtaio.1" | sed 's:.-:-:g')
equal "the manual lists every kind" "$(sort <<<"$listed" | xargs)" \
	"$(xargs -n 1 <<<"$kinds" | sort | xargs)"

# A place is reported once, however often it is passed.
cat >"$work/loop.c" <<'END'
#include <aio.h>
#include <signal.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	static struct aiocb cb[100];
	static char buf[8];
	int fds[2];

	if (pipe(fds) < 0)
		return 1;
	for (int i = 0; i < 100; i++) {
		cb[i] = (struct aiocb){ .aio_fildes = fds[0], .aio_buf = buf, .aio_nbytes = 8 };
		cb[i].aio_offset = 1;
		aio_read(&cb[i]);
	}
	if (argc > 1)
		raise(SIGKILL);
	(void)argv;
	_exit(0);
}
END
${CC:-cc} -D_GNU_SOURCE -o "$work/loop" "$work/loop.c" -lrt || exit 1
watch "$work/loop"
equal "a misuse in a loop is reported once" "$(grep -c '^rtaio check: offset-on-stream: ' "$work/found")" 1

# shellcheck disable=SC2016 # the variable is the command's
watch bash -c 'exec -a "another name" "$0" submitted-again' "$wrong"
check "a program is named by its file, whatever it calls itself" finds submitted-again

if command -v addr2line >/dev/null; then
	watch "$wrong" submitted-again
	check "functions are named, with their lines" grep -q '^    #. submitted_again at .*/check/wrong\.c:[0-9]' \
		"$work/found"
	objcopy --strip-debug "$wrong" "$work/symbols" && strip -o "$work/stripped" "$wrong" || exit 1
	watch "$work/symbols" submitted-again
	check "without debugging information they are named" grep -q '^    #. submitted_again at ??' "$work/found"
	watch "$work/stripped" submitted-again
	equal "without symbols they are not guessed" "$(grep -c '/stripped+0x' "$work/found") $(grep '/stripped+0x' \
		"$work/found" | grep -v -c '^    #[0-9]* ? (')" "7 0"
else
	skip "functions are named, with their lines" "addr2line is not installed"
fi

# An allocator of the program's own. Its realloc moves each block, and another thread has the old one at once.
cat >"$work/own_malloc.c" <<'END'
#include <stddef.h>
#include <stdint.h>
#include <string.h>
extern void got_block(void *block) __attribute__((weak));
static _Alignas(16) char heap[64 << 20];
static size_t used;
struct header { size_t size, other; };
void *malloc(size_t size)
{
	size_t all = (size + sizeof(struct header) + 15) & ~(size_t)15;
	struct header *header = (void *)(heap + __atomic_fetch_add(&used, all, __ATOMIC_SEQ_CST));

	*header = (struct header){ size, 0xdeadbeefdeadbee0 }; /* no size for libc */
	return header + 1;
}
void free(void *block) { (void)block; }
void *calloc(size_t nr, size_t size) { return malloc(nr * size); }
void *realloc(void *block, size_t size)
{
	void *moved = malloc(size);
	if (block && memcpy(moved, block, size) && got_block)
		got_block(block);
	return moved;
}
#if KNOWS_SIZES
size_t malloc_usable_size(void *block) { return ((struct header *)block)[-1].size; }
#endif
END
cat >"$work/uses_it.c" <<'END'
#include <aio.h>
#include <stdlib.h>
#include <unistd.h>
static int fds[2];
static struct aiocb cb;
void got_block(void *block)
{
	cb = (struct aiocb){ .aio_fildes = fds[0], .aio_buf = block, .aio_nbytes = 8 };
	aio_read(&cb);
}
int main(int argc, char **argv)
{
	const struct aiocb *list[1] = { &cb };
	void *block = malloc(100);

	(void)argv;
	if (pipe(fds) < 0 || !block)
		return 1;
	if (argc > 1) { /* a misuse */
		got_block(block);
		free(block);
	} else {
		aio_cancel(fds[0], NULL); /* the observer has begun */
		block = realloc(block, 50);
	}
	if (write(fds[1], "12345678", 8) != 8 || aio_suspend(list, 1, NULL) != 0 || aio_return(&cb) != 8)
		return 1;
	return 0;
}
END
mkdir "$work/without_sizes" "$work/with_sizes"
for folder in without_sizes with_sizes; do
	${CC:-cc} -fno-builtin -fPIC -shared "-DKNOWS_SIZES=$([ $folder = with_sizes ] && echo 1 || echo 0)" \
		-o "$work/$folder/libown_malloc.so" "$work/own_malloc.c" || exit 1
done
${CC:-cc} -D_GNU_SOURCE -o "$work/uses_it" -rdynamic "$work/uses_it.c" -L"$work/with_sizes" -lown_malloc -lrt || exit 1
LD_LIBRARY_PATH=$work/with_sizes watch --memory "$work/uses_it"
check "--memory leaves alone a block that realloc has given to another thread" finds_nothing
for folder in with_sizes without_sizes; do
	LD_LIBRARY_PATH=$work/$folder watch --memory "$work/uses_it" wrong
	equal "--memory takes an allocator $folder" \
		"$status $(grep -c '^rtaio check: buffer-freed: ' "$work/found")" "99 1"
done

# The launcher's part.
# shellcheck disable=SC2016 # the process is the command's
watch sh -c 'kill -TERM $$'
equal "a command that is killed has the status of its signal" "$status" 143
check "and nothing was seen" grep -q 'no use of POSIX AIO' "$work/found"
watch sh -c "'$right' only-syncs; '$work/loop' killed"
equal "what a killed process did until then is reported" \
	"$status $(grep -c -e '^rtaio: check: a process ended by a signal, ' -e ': offset-on-stream: ' \
		-e ': no misuse found, ' "$work/found")" "137 3"
watch true
equal "a command without AIO keeps its status" "$status" 0
check "and it is said that nothing was seen" grep -q 'no use of POSIX AIO' "$work/found"
watch -- sh -c "'$wrong' submitted-again; exit 7"
equal "the command's own failure is the status" "$status" 7
check "what was found is shown all the same" grep -q '^rtaio check: submitted-again: ' "$work/found"
watch --error-exitcode=3 -- "$wrong" submitted-again
equal "--error-exitcode" "$status" 3
watch -- sh -c "'$wrong' submitted-again; '$right' only-syncs"
equal "a finding of any process counts" "$status" 99
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
	chmod 711 "$work"
	watch -- setpriv --reuid=65534 --regid=65534 --clear-groups "$wrong" submitted-again
	if grep -q 'cannot be preloaded\|^setpriv: ' "$work/found"; then
		skip "a command that gives up its rights is checked" "another user cannot reach the tree"
	else
		equal "a command that gives up its rights is checked" \
			"$status $(grep -c '^rtaio check: submitted-again: ' "$work/found")" "99 1"
	fi
fi
watch --output="$work/report" -- "$wrong" submitted-again
equal "--output leaves nothing on standard error" "$(cat "$work/found")" ""
check "and has the report" grep -q '^rtaio check: submitted-again: ' "$work/report"
# Other users see the directory, but cannot list it.
# shellcheck disable=SC2016 # the variable is the command's
name_of_file() {
	"$rtaio" check sh -c 'echo "${RTAIO_CHECK##*/}"' 2>/dev/null
}
check "nobody can guess where the processes write" test "$(name_of_file)" != "$(name_of_file)"
watch --output="$work/nowhere/report" touch "$work/was-run"
check "a report that cannot be written is found before the command runs" \
	test "$status" -eq 125 -a ! -e "$work/was-run"
if [ -w /dev/full ]; then
	watch --output=/dev/full -- "$wrong" submitted-again
	equal "a device without room" "$status $(grep -c 'cannot be written: .*No space left' "$work/found")" "125 1"
	watch --output=/dev/full -- sh -c "'$wrong' submitted-again; exit 9"
	equal "the command's status goes first" "$status" 9
fi
for closed in '<&-' '>&-' '2>&-' '<&- >&- 2>&-'; do
	rm -f "$work/report"
	eval "timeout 60 '$rtaio' check --output='$work/report' -- '$wrong' submitted-again $closed"
	equal "closed: $closed" "$? $(grep -c '^rtaio check: submitted-again: ' "$work/report")" "99 1"
done
RTAIO_EXPLAIN=$work watch "$wrong" submitted-again
equal "it is checked, and not explained as well" "$status $(find "$work" -name '[0-9]*-[0-9]*' | wc -l)" "99 0"
RTAIO_CHECK=$work/unused "$rtaio" explain --output="$work/report" "$wrong" submitted-again
check "or explained, and not checked as well" \
	sh -c "grep -q '^2 requests' '$work/report' && ! [ -e '$work/unused' ]"
equal "the command keeps its input" "$(echo text | "$rtaio" check cat 2>/dev/null)" text
for signal in TERM HUP; do
	# The variables are the command's.
	# shellcheck disable=SC2016
	"$rtaio" check -- sh -c 'trap "exit 5" TERM; trap "exit 6" HUP; echo ready >"$1/ready"; while :; do sleep 0.01; done' \
		sh "$work" 2>/dev/null &
	launcher=$!
	until [ -s "$work/ready" ]; do sleep 0.01; done
	kill -$signal $launcher
	wait $launcher
	equal "SIG$signal reaches the command" $? "$([ $signal = TERM ] && echo 5 || echo 6)"
	rm "$work/ready"
done
RTAIO_CHECK=$work/by-hand LD_PRELOAD=$programs_library "$wrong" submitted-again
check "RTAIO_CHECK alone writes to a file" grep -q '^rtaio check: submitted-again: ' "$work/by-hand"
RTAIO_CHECK=1 LD_PRELOAD=$programs_library "$wrong" submitted-again 2>"$work/found"
check "RTAIO_CHECK=1 writes to standard error" grep -q '^rtaio check: submitted-again: ' "$work/found"

finish
