#!/bin/bash
# SPDX-License-Identifier: MIT
#
# status.sh - what rtaio --status says where the kernel refuses something, and how it ends
#
# Each refusal has its own remedy. The status is not zero when what RTAIO_BACKEND asks for cannot
# serve.

set -u

tree=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=test/support/results.sh
. "$tree/test/support/results.sh"

refuse=$tree/build/test/refused/refuse
# shellcheck source=test/refused/sandboxes.sh
. "$tree/test/refused/sandboxes.sh"

# ends test status pattern command...: of "rtaio --status" run by the command.
ends() {
	local test=$1 status=$2 pattern=$3 text actual
	shift 3
	text=$(timeout 20 "$@" "$tree/scripts/rtaio" --status 2>&1) # begins with the summary
	actual=$?
	if [ $actual -ne "$status" ]; then
		fail "$test" "status $actual, expected $status: $text"
	elif ! tr '\n' ' ' <<<"$text" | grep -q -E -e "$pattern"; then
		fail "$test" "no '$pattern': $text"
	else
		pass "$test"
	fi
}

# Whether this machine has all that auto asks for.
summary_of_auto() {
	if "$tree/scripts/rtaio" --status | grep -q -E '^(io_uring|libaio) +no '; then
		echo '^It works, but more slowly than it could: see the remedy below\. '
	else
		echo '^All is well\. '
	fi
}

ends "auto serves" 0 "$(summary_of_auto).*RTAIO_BACKEND=auto: .*engine +everything else" env
ends "threads serve" 0 '^All is well\. .*RTAIO_BACKEND=threads: .*engine +everything else: worker threads $' \
	env RTAIO_BACKEND=threads
ends "glibc serves" 0 '^As asked: rtaio is switched off, glibc serves\. ' env RTAIO_BACKEND=glibc
ends "a backend that nobody knows" 1 ' Not well: what RTAIO_BACKEND asks for cannot serve here; .*ENOSYS\. ' env RTAIO_BACKEND=fast

ends "what is switched off is not among the lanes" 0 'serves it +(direct|engine)' \
	env RTAIO_INLINE=0 RTAIO_OFFLOAD=0
ends "RTAIO_INLINE is for inline and copier" 0 'serves it +(direct [^:]*: Linux AIO +)?offload' env RTAIO_INLINE=0
ends "RTAIO_OFFLOAD is for offload" 0 'a thread that copies +engine' env RTAIO_OFFLOAD=0
# Who starts it may have chosen not to hear of children.
ends "where children are ignored none counts as killed" 0 'RTAIO_BACKEND=auto: ' \
	env --ignore-signal=CHLD
if grep -q "^io_uring   yes" <("$tree/build/rtaio-status"); then
	ends "the ring of Linux 6.5" 0 'without descriptor or mapping.*engine thread only.*woken by timer' \
		env RTAIO_TEST_URING=0x0f
	ends "the ring of Linux 6.1" 0 'without descriptor, .*engine thread only.*woken by timer' \
		env RTAIO_TEST_URING=0x0e
	ends "the ring of Linux 5.19" 0 'without descriptor, .*by interruption.*woken by timer' \
		env RTAIO_TEST_URING=0x0c
	ends "the ring of Linux 5.10" 0 'a descriptor above 1000, .*by interruption.*woken by timer' \
		env RTAIO_TEST_URING=0x00
fi
ends "locked memory has a limit" 0 'locked memory 64 KiB[ ,]' sh -c 'ulimit -l 64; exec "$@"' sh
if (ulimit -l unlimited) 2>/dev/null; then
	ends "locked memory has none" 0 'locked memory unlimited' sh -c 'ulimit -l unlimited; exec "$@"' sh
else
	skip "locked memory has none" "the limit cannot be raised here"
fi

ends "descriptors have a limit" 0 'locked memory [^,]*, descriptors 321 ' sh -c 'ulimit -n 321; exec "$@"' sh

if ! "$refuse" io_uring -- true 2>/dev/null; then
	skip "what is refused is named" "no seccomp filters here"
	finish
	exit
fi
ends "auto does without io_uring" 0 '^It works, but .*io_uring +no .*seccomp filter.*engine +everything else: worker threads' \
	"$refuse" io_uring --
ends "a filter that kills is survived" 1 \
	'^Not well: .*would be killed here.*io_uring +no +a seccomp filter kills .*RTAIO_BACKEND=threads.*libaio +yes' \
	"$refuse" io_uring=kill --
equal "without a child it asks itself" \
	"$("$refuse" threads=EAGAIN -- "$tree/build/rtaio-status" | grep -e ^io_uring -e ^libaio)" \
	"$("$tree/build/rtaio-status" | grep -e ^io_uring -e ^libaio)"
ends "the call that is killed is named" 1 'killed here.*libaio +no +a seccomp filter kills.*killed: io_submit +threads' \
	"$refuse" io_submit=kill --
ends "Linux AIO is really waited for" 1 'killed here.*libaio +no +a .* kills.*killed: io_pgetevents +threads' \
	"$refuse" getevents=kill --
ends "a call that every backend needs" 1 'killed here.*killed +what rtaio needs: statx +remedy: allow' \
	env RTAIO_BACKEND=threads "$refuse" statx=kill --
ends "the advice by which it notices a fork" 1 'killed here.*killed +what rtaio needs: madvise +remedy: allow' \
	"$refuse" wipeonfork=kill --
if is_glibc_before 2.34; then
	skip "a thread that is killed or refused" "this glibc makes threads and processes by the same call"
else
	ends "a thread that is killed" 1 'killed here.*threads +no +a seccomp filter kills .*remedy: allow clone and clone3 ' \
		"$refuse" clone3=kill --
	ends "a thread that is refused" 0 '^It works, but .*threads +no +Operation not permitted: .*must allow clone ' \
		"$refuse" clone3 --
fi
ends "but not glibc" 0 '^As asked: .*killed +what rtaio needs: statx ' env RTAIO_BACKEND=glibc "$refuse" statx=kill --
equal "without a child a refusal is told, too" \
	"$(env RTAIO_BACKEND=libaio "$refuse" libaio threads=EAGAIN -- "$tree/build/rtaio-status" | head -1)" \
	"Not well: what RTAIO_BACKEND asks for cannot serve here; asynchronous I/O would fail with ENOSYS."
ends "libaio does not ask for io_uring" 0 '^All is well.*io_uring +no +a seccomp filter kills.*RTAIO_BACKEND=libaio: ' \
	env RTAIO_BACKEND=libaio "$refuse" io_uring=kill --
ends "libaio is killed" 1 '^Not well: .*would be killed here.*libaio +no +a seccomp filter kills' \
	env RTAIO_BACKEND=libaio "$refuse" libaio=kill --
ends "threads ask for neither" 0 '^All is well.*RTAIO_BACKEND=threads: ' \
	env RTAIO_BACKEND=threads "$refuse" io_uring=kill libaio=kill --
# The manual names the calls that a list has to allow; test_allow_list.c runs with these.
equal "the manual lists what threads need" \
	"$(sed -n '/^.SS Sandboxes that kill/,/^.SS /p' "$tree/scripts/man/rtaio.7" |
		sed -n 's/^.BR \([a-z0-9_]*\) (2).*/\1/p' | sort -u | tr '\n' ' ')" \
	"$(sed -n '/^static const int request_calls/,/^\/\* ---- the filter/p' \
		"$tree/test/transparency/test_allow_list.c" | grep -o 'SYS_[a-z0-9_]*' | sed 's/SYS_//' |
		sort -u | tr '\n' ' ')"
equal "--status tries what the manual lists" \
	"$(sed -n 's/^\tCALL(BY_ALL, \([a-z0-9_]*\)),$/\1/p' "$tree/shim/tools/status_kernel.c" | sort | tr '\n' ' ')" \
	"$(sed -n '/^.SS Sandboxes that kill/,/^.SS /p' "$tree/scripts/man/rtaio.7" |
		sed -n 's/^.BR \([a-z0-9_]*\) (2).*/\1/p' | sort -u | tr '\n' ' ')"
ends "what Docker's default profile refuses" 0 \
	'^It works, but .*refused: io_uring_setup, io_uring_enter, io_uring_register .*refused +what .* without: kcmp ' \
	"$refuse" "${docker[@]}" --
ends "what gVisor has not" 0 \
	'^It works, but .*refused: io_uring_setup .*refused: io_setup .*refused +what .* without: preadv2, pwritev2 ' \
	"$refuse" "${gvisor[@]}" --
equal "SystemCallFilter=@system-service kills at nothing" \
	"$("$refuse" "${system_service[@]}" -- "$tree/build/rtaio-status" | grep -e '^[A-Z].*[.]$' -e killed)" \
	"$("$tree/build/rtaio-status" | head -1)"
# The calls of SystemCallFilter=@system-service, with those of the sets in it.
system_service() {
	local set
	for set in "$@"; do
		systemd-analyze --no-pager syscall-filter "$set" | tail -n +2 | sed 's/^ *//' |
			while read -r call; do
				case $call in
				@*) system_service "$call" ;;
				[a-z]*) echo "$call" ;;
				esac
			done
	done
}
if command -v systemd-analyze >/dev/null; then
	equal "SystemCallFilter=@system-service has what rtaio calls" "$(comm -13 <(system_service @system-service | sort -u) \
		<(sed -n 's/^\tCALL(BY_[A-Z]*, \([a-z0-9_]*\)),$/\1/p' "$tree/shim/tools/status_kernel.c" | sort))" ""
else
	skip "SystemCallFilter=@system-service has what rtaio calls" "systemd-analyze is not installed"
fi
ends "io_uring is refused" 1 '^Not well: .*cannot serve here.*io_uring +no .*seccomp filter.*allow io_uring_setup' \
	env RTAIO_BACKEND=io_uring "$refuse" io_uring --
ends "libaio does not need io_uring" 0 '^All is well.*RTAIO_BACKEND=libaio: .*direct +O_DIRECT' \
	env RTAIO_BACKEND=libaio "$refuse" io_uring --
ends "auto does without Linux AIO" 0 '^It works, but .*libaio +no .*seccomp filter forbids.*allow io_setup' \
	"$refuse" libaio --
ends "Linux AIO is refused" 1 '^Not well: .*cannot serve here.*libaio +no .*allow io_setup' \
	env RTAIO_BACKEND=libaio "$refuse" libaio --
ends "threads need neither" 0 '^All is well.*io_uring +no .*libaio +no .*RTAIO_BACKEND=threads: ' \
	env RTAIO_BACKEND=threads "$refuse" io_uring libaio --
ends "auto needs neither" 0 '^It works, but .*io_uring +no .*libaio +no .*RTAIO_BACKEND=auto: ' \
	"$refuse" io_uring libaio --

# remedy interface error pattern: the remedy for that error, by its name.
remedy() {
	ends "the remedy for $2 of $1" 0 "$1 +no [^:]*$3" "$refuse" "$1=$2" --
}

remedy io_uring EPERM ': a seccomp filter .*remedy: allow io_uring_setup, .* in the profile.* refused: io_uring_setup, '
remedy io_uring EACCES '.*remedy: allow io_uring_setup, .* in the policy'
if [ -e /proc/sys/kernel/io_uring_disabled ]; then
	remedy io_uring ENOSYS ': a seccomp filter .*remedy: allow io_uring_setup'
fi
remedy io_uring EOPNOTSUPP '.*remedy: use Linux 5.7 or newer'
remedy io_uring EINVAL '.*remedy: use Linux 5.7 or newer'
remedy io_uring EFAULT '.*remedy: use Linux 5.7 or newer'
remedy io_uring ENOMEM '.*remedy: raise ulimit -l'
remedy io_uring EMFILE '.*remedy: raise ulimit -n'
remedy io_uring ENFILE '.*remedy: raise sysctl fs.file-max'
remedy io_uring EAGAIN '.*remedy: nothing: rtaio tries again'
remedy io_uring EBUSY '.*remedy: nothing: rtaio tries again'
remedy io_uring EXDEV '.*remedy: please report it'
remedy libaio EAGAIN '.*fs.aio-max-nr is spent .*sysctl'
remedy libaio ENOSYS ': a seccomp filter .*remedy: allow io_setup.*refused: io_setup, io_submit, io_pgetevents '
remedy libaio EXDEV '.*please report it'

# Then "name=value ..." and a command: these are all that is in /proc/sys/kernel and /proc/sys/fs.
# shellcheck disable=SC2016 # the other shell expands it
with_proc=(unshare -m sh -c 'mount -t tmpfs none /proc/sys/kernel && mount -t tmpfs none /proc/sys/fs && files=$1 &&
	shift && for file in $files; do echo "${file#*=}" >"/proc/sys/${file%%=*}"; done && exec "$@"' sh)

# proc test pattern files command...
proc() {
	local test=$1 pattern=$2
	shift 2
	ends "$test" 0 "$pattern" "${with_proc[@]}" "$@"
}

# A sysctl refuses io_uring_setup alone.
by_sysctl=("$refuse" io_uring_setup --)
someone=(setpriv --reuid 234567 --regid 234567 --clear-groups)
# A tree below /root is closed to others.
serves_someone() {
	"${someone[@]}" test -x "$tree/scripts/rtaio" 2>/dev/null
}
if "${with_proc[@]}" '' true 2>/dev/null; then
	proc "a kernel without the sysctl" ' Operation not permitted: a seccomp filter .*refused: io_uring_setup +libaio' \
		'' "${by_sysctl[@]}"
	proc "a sysctl that is no number" 'refused: io_uring_setup +libaio' kernel/io_uring_disabled=unknown "${by_sysctl[@]}"
	proc "sysctl, not seccomp" ': sysctl kernel.io_uring_disabled forbids .*remedy: sysctl -w .*io_uring_disabled is 2 ' \
		kernel/io_uring_disabled=2 "${by_sysctl[@]}"
	proc "seccomp, not sysctl" ': a seccomp filter .*remedy: allow .*io_uring_disabled is 0 ' \
		kernel/io_uring_disabled=0 "${by_sysctl[@]}"
	proc "both" ': a seccomp filter .*, or sysctl .*remedy: allow .* profile, and sysctl -w .*io_uring_disabled is 2 ' \
		kernel/io_uring_disabled=2 "$refuse" io_uring --
	proc "the sysctl is not for root" ': a seccomp filter .*io_uring_disabled is 1, so that root alone ' \
		'kernel/io_uring_disabled=1 kernel/io_uring_group=-1' "${by_sysctl[@]}"
	if serves_someone; then
		proc "nobody but root" ': sysctl .*io_uring_disabled is 1, so that root alone .*names no group' \
			'kernel/io_uring_disabled=1 kernel/io_uring_group=-1' "${someone[@]}" "${by_sysctl[@]}"
		proc "another group" ': sysctl .*io_uring_disabled is 1, so that root and group 7 ' \
			'kernel/io_uring_disabled=1 kernel/io_uring_group=7' "${someone[@]}" "${by_sysctl[@]}"
		proc "the group of kernel.io_uring_group" ': a seccomp filter .*is 1, so that root and group 7 ' \
			'kernel/io_uring_disabled=1 kernel/io_uring_group=7' \
			setpriv --reuid 234567 --regid 234567 --groups 8,7 "${by_sysctl[@]}"
	else
		skip "nobody but root" "no other user may enter the tree"
	fi
	# shellcheck disable=SC2016 # the other shell expands it
	without_proc=(unshare -m sh -c 'mount -t tmpfs none /proc && exec "$@"' sh)
	ends "without /proc a filter is seen, too" 0 \
		', behind a seccomp filter io_uring .*: a seccomp filter .*libaio +no [^:]*: a seccomp filter forbids it ' \
		"${without_proc[@]}" "$refuse" io_uring libaio --
	proc "a kernel without Linux AIO" 'libaio +no +Function not implemented: the kernel, .*CONFIG_AIO' \
		'' "$refuse" libaio=ENOSYS --
	if "${with_proc[@]}" '' unshare -r true 2>/dev/null; then
		proc "root of a user namespace is not that root" ': sysctl .*io_uring_disabled is 1, so that root alone ' \
			'kernel/io_uring_disabled=1 kernel/io_uring_group=-1' unshare -r "${by_sysctl[@]}"
	else
		skip "root of a user namespace is not that root" "no user namespaces here"
	fi
	proc "how many contexts are left" 'Linux AIO: 30 of fs.aio-max-nr 70 left' 'fs/aio-nr=40 fs/aio-max-nr=70' env
else
	skip "who refuses" "no mount namespaces here"
fi

# Of a user whose locked memory nobody else counts.
if serves_someone; then
	ends "locked memory is short" 1 '^Not well: .*cannot serve here.*io_uring +no .*raise ulimit -l' \
		env RTAIO_BACKEND=io_uring setpriv --reuid 234567 --clear-groups \
		sh -c 'ulimit -l 0; exec "$@"' sh
	# Some kernels count rings, others do not.
	case $(setpriv --reuid 234567 --clear-groups sh -c 'ulimit -l 0; exec "$@"' sh "$tree/build/rtaio-status" |
		grep ^io_uring) in
	*yes*) meaning='no ring needs it here' ;;
	*Cannot\ allocate*) meaning='the rings of all processes of the user share it' ;;
	*) meaning='' ;;
	esac
	ends "what the limit of locked memory means" 0 "locked memory 4096 KiB${meaning:+ .$meaning.}, descriptors" \
		setpriv --reuid 234567 --clear-groups sh -c 'ulimit -l 4096; exec "$@"' sh
else
	skip "locked memory is short" "only root can become a user of his own, who must be able to enter the tree"
fi
# The lanes of the program, of its list of them, of rtaio.h and of the manual are those of the design.
# shellcheck disable=SC2016 # the backquotes are those of the table
lanes=$(sed -n '/^| lane /,/^$/s/^| \([a-z]*\) (`[a-z]*\.c`) .*/\1/p' "$tree/shim/README.md" |
	tr '\n' ' ')
equal "the counters have the lanes of the design" \
	"$(sed -n '/^#define STATS_COUNTERS/,/engine_fsyncs/s/.*X(\([a-z]*\)_[a-z]*, .*/\1/p' \
		"$tree/shim/base/stats.h" | uniq | tr '\n' ' ')" "$lanes"
equal "rtaio.h has the lanes of the design" \
	"$(sed -n 's/.*uint64_t lane_\([a-z]*\);.*/\1/p' "$tree/include/rtaio.h" | tr '\n' ' ')" "$lanes"
equal "rtaio(7) has the lanes of the design" \
	"$(sed -n '/^.SS How requests are executed/,/^.SH/p' "$tree/scripts/man/rtaio.7" |
		sed -n '/^\.TP/{n;s/^\.B //p}' | tr '\n' ' ')" "$lanes"
if "$tree/build/rtaio-status" | grep -q '^libaio *yes'; then
	equal "--status lists the lanes of the design" \
		"$("$tree/build/rtaio-status" | sed -n 's/^  \([a-z][a-z]*\)  *.*/\1/p' | tr '\n' ' ')" "$lanes"
else
	skip "--status lists the lanes of the design" "no Linux AIO here"
fi
finish
