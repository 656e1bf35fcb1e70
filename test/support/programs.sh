# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# programs.sh - how the tests of real programs are run, on glibc and on each backend
#
# To be sourced behind results.sh, with $tree set. Reads the common options, runs a command with the
# library preloaded, and reads back the library's own counters: a program that got the right result
# from glibc, because the preload did not reach it, must not count as a success.
#
# programs_options comes first. Then programs_full says whether everything is to be run, and
# programs_backends holds the backends that can serve here.

programs_full=
programs_backends=()
programs_library=$tree/build/librtaio.so
# On a disk that knows O_DIRECT.
programs_dir=$tree/build/tmp
# No single run may hang the tests.
programs_limit_s=60

programs_usage() {
	cat <<EOF
Usage: ${0##*/} [--full] [--backend NAME]... [--library PATH] [--dir DIR]
  --full           everything, instead of a selection that takes seconds
  --backend NAME   auto, io_uring, libaio, threads, or glibc (nothing preloaded);
                   may be repeated; by default auto, which is io_uring where that can be had,
                   libaio and threads, and with --full io_uring by name
  --library PATH   the library to preload (build/librtaio.so)
  --dir DIR        where files are written (build/tmp)
EOF
}

programs_options() {
	while [ $# -gt 0 ]; do
		case $1 in
		--full) programs_full=yes ;;
		--backend | --library | --dir)
			[ $# -gt 1 ] || { programs_usage >&2 && exit 2; }
			case $1 in
			--backend) programs_backends+=("$2") ;;
			--library) programs_library=$(readlink -f -- "$2") ;;
			--dir) programs_dir=$(readlink -f -- "$2") ;;
			esac
			shift
			;;
		--help) programs_usage && exit 0 ;;
		*) programs_usage >&2 && exit 2 ;;
		esac
		shift
	done
	[ ${#programs_backends[@]} -gt 0 ] || programs_backends=(auto ${programs_full:+io_uring} libaio threads)
	if [ ! -r "$programs_library" ]; then
		echo "${0##*/}: no $programs_library: run make" >&2
		exit 2
	fi
	mkdir -p "$programs_dir" || exit 2
	# The settings of the user who runs the tests are not to be tested.
	unset "${!RTAIO_@}" LD_PRELOAD
	programs_probe
}

# serves backend: whether this machine and this library can do it; else prints the reason.
serves() {
	local status_program
	status_program=$(dirname -- "$programs_library")/rtaio-status
	[ "$1" != glibc ] && [ -x "$status_program" ] || return 0
	RTAIO_BACKEND=$1 "$status_program" | tail -1
	return "${PIPESTATUS[0]}"
}

# set_prefix backend: leaves in programs_prefix what is to be put before a command: the time limit
# and the preload. Counters go to $work/counters, and a line of each process served to its stderr.
set_prefix() {
	programs_prefix=(timeout --kill-after=5 "$programs_limit_s" env)
	[ "$1" = glibc ] || programs_prefix+=(LD_PRELOAD="$programs_library" RTAIO_BACKEND="$1"
		RTAIO_VERBOSE=1 RTAIO_STATS="$work/counters")
}

# with_backend backend command...
with_backend() {
	rm -f "$work/counters"
	set_prefix "$1"
	shift
	"${programs_prefix[@]}" "$@"
}

# counters name...: their sum, over all processes that were served.
counters() {
	[ -r "$work/counters" ] || { echo 0 && return; }
	awk -v names=" $* " '$1 == "rtaio:" && index(names, " " $2 " ") { sum += $3 }
		END { printf "%d\n", sum }' "$work/counters"
}

# How many requests the library has completed, in whichever lane.
nr_completed() {
	counters {inline,direct,copier,offload,engine}_{reads,writes,fsyncs}
}

# was_served backend file-with-stderr: else prints what was seen.
was_served() {
	[ "$1" != glibc ] || return 0
	if ! grep -q "^rtaio: version .*RTAIO_BACKEND=$1\>" "$2"; then
		echo "the library did not serve it"
		return 1
	fi
	[ "$(nr_completed)" -gt 0 ] || { echo "the library completed no request" && return 1; }
}

# is_share BACKEND NUMBER: does it run the case of that number? Without --full auto runs all, glibc too, and each
# goes to one of the others.
is_share() {
	local others
	mapfile -t others < <(printf '%s\n' "${programs_backends[@]}" | grep -vx -e auto -e glibc)

	[ -n "$programs_full" ] || [ "$1" = auto ] || [ "$1" = glibc ] || [ "${others[$2 % ${#others[@]}]}" = "$1" ]
}

# Leaves in programs_backends those that can serve here, and skips the others.
programs_probe() {
	local backend reason able=()
	for backend in "${programs_backends[@]}"; do
		if reason=$(serves "$backend"); then
			able+=("$backend")
		else
			skip "$backend" "$reason"
		fi
	done
	programs_backends=("${able[@]}")
}
