#!/bin/bash
# SPDX-License-Identifier: MIT
#
# others.sh - further programs and libraries of Debian that use POSIX AIO, each in its own way
#
# Each is run on glibc first, and must then print the same and leave the same file on each backend.
# A program that is not installed is skipped; the message names the package to install. The packages are only needed
# here, so scripts/check does not install them.

set -u

tree=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=test/support/results.sh
. "$tree/test/support/results.sh"
# shellcheck source=test/support/programs.sh
. "$tree/test/support/programs.sh"

programs_options "$@"

programs=$tree/test/programs
work=$(mktemp -d "${TMPDIR:-/tmp}/rtaio-programs.XXXXXX") || exit 1
server=

clean_up() {
	[ -z "$server" ] || kill "$server" 2>/dev/null
	wait
	rm -rf "$work"
}
trap clean_up EXIT
# A server that has given up its privileges must get to its files.
chmod 755 "$work"
cd "$work" || exit 1

# build program compiler option...: whether it could be built; else prints why not.
build() {
	"${@:2}" >"$1.log" 2>&1 && return
	tail -5 "$1.log"
	return 1
}

# outcome backend file command...: prints the status, the output and the checksum of the file.
outcome() {
	local backend=$1 file=$2
	shift 2
	rm -f "$file"
	with_backend "$backend" "$@" 2>stderr
	echo "status $?"
	cksum <"$file"
}

# same_as_glibc name file command...: on each backend, in turn.
same_as_glibc() {
	local name=$1 backend expected actual
	shift
	expected=$(outcome glibc "$@" 2>&1)
	if [[ $expected != *"status 0"* ]]; then
		fail "glibc: $name" "$expected"$'\n'"$(tail -5 stderr)"
		return
	fi
	for backend in "${programs_backends[@]}"; do
		actual=$(outcome "$backend" "$@" 2>&1)
		if [ "$actual" = "$expected" ]; then
			check "$backend: $name" was_served "$backend" stderr
		else
			fail "$backend: $name" "$actual"$'\n'"on glibc: $expected"
			tail -5 stderr
		fi
	done
}

# needs name command packages: whether it is there, else skips.
needs() {
	command -v "$2" >/dev/null && return
	skip "$1" "$2 is not there: apt install $3"
	return 1
}

# MPICH's ROMIO sleeps in aio_suspend, Open MPI's OMPIO polls aio_error.
mpi() {
	local name=$1 suffix=$2 packages=$3 problem run=("mpirun.$2")
	needs "$name" "mpicc.$suffix" "$packages" || return
	if ! "mpicc.$suffix" -E -include mpi.h -x c /dev/null >/dev/null 2>&1; then
		skip "$name" "mpi.h is not there: apt install $packages"
		return
	fi
	problem=$(build "mpi_$suffix" "mpicc.$suffix" -std=c11 -O2 -Wall -Wextra -o "mpi_$suffix" \
		"$programs/mpi_file.c") || { fail "$name: it can be built" "$problem" && return; }
	same_as_glibc "$name" mpi_data "./mpi_$suffix" "$work/mpi_data"
	# The processes of a parallel program go on to be preloaded, and so does the starter.
	[ -n "$programs_full" ] || return 0
	[ "$suffix" != openmpi ] || run+=(--allow-run-as-root --oversubscribe)
	same_as_glibc "$name, two processes" mpi_data "${run[@]}" -n 2 "./mpi_$suffix" \
		"$work/mpi_data"
}

# Ada's binding waits with lio_listio and aio_suspend.
florist() {
	local name="Florist (Ada)" sources=/usr/share/ada/adainclude/florist problem
	local objects
	objects=$(echo /usr/lib/*/ada/adalib/florist)
	needs "$name" gnatmake "gnat libflorist2022-dev" || return
	if [ ! -d $sources ]; then
		skip "$name" "the library is not there: apt install libflorist2022-dev"
		return
	fi
	problem=$(build florist gnatmake -q -O2 -gnat2012 "-aI$sources" "-aO$objects" \
		"$programs/florist_list.adb" -largs -lflorist) ||
		{ fail "$name: it can be built" "$problem" && return; }
	same_as_glibc "$name" ada_data ./florist_list ada_data
}

# ACE waits with aio_suspend, with sigwaitinfo or for a SIGEV_THREAD callback, on sockets as well.
ace() {
	local name="ACE's Proactor" problem kind
	if [ ! -r /usr/include/ace/Proactor.h ]; then
		skip "$name" "the library is not there: apt install g++ libace-dev"
		return
	fi
	needs "$name" g++ "g++ libace-dev" || return
	problem=$(build ace g++ -O2 -Wall -Wextra -o ace_proactor "$programs/ace_proactor.cpp" \
		-lACE -lpthread) || { fail "$name: it can be built" "$problem" && return; }
	# ACE takes its callback proactor down while a callback may still run: a crash now and then,
	# on glibc as well. So that one is for long runs, which a person looks at.
	for kind in suspend signal ${programs_full:+callback}; do
		same_as_glibc "$name, $kind" ace_data ./ace_proactor "$kind" ace_data
	done
}

# xrdcp copies with SIGEV_THREAD callbacks, many chunks at a time.
xrdcp_local() {
	local name="xrdcp, file to file"
	needs "$name" xrdcp xrootd-client || return
	same_as_glibc "$name" "$work/copied" env XRD_CPCHUNKSIZE=65536 XRD_CPPARALLELCHUNKS=8 \
		xrdcp --force --silent "file://localhost$work/original" \
		"file://localhost$work/copied"
}

# The server waits in sigwaitinfo. It uses AIO for files on disks only when asked in this way.
xrootd_configuration() {
	cat <<EOF
all.export /
oss.localroot $work/xrootd/data
all.adminpath $work/xrootd/admin
all.pidpath $work/xrootd/admin
xrd.port any
xrd.network nodnr norpipa
xrootd.async Debug force nosf minsize 4k segsize 64k minsfsz 8k
xrootd.trace all
EOF
}

# start_xrootd backend: leaves the server in $server and its port in $port.
start_xrootd() {
	local user=() deadline=$((SECONDS + 20))
	port=
	rm -rf xrootd && mkdir -p xrootd/data xrootd/admin
	xrootd_configuration >xrootd/configuration
	: >xrootd/log # which is looked at before the server has opened it, perhaps
	if [ "$(id -u)" -eq 0 ]; then
		chown -R nobody xrootd
		user=(-R nobody)
	fi
	set_prefix "$1"
	"${programs_prefix[@]}" xrootd "${user[@]}" -c "$work/xrootd/configuration" \
		>xrootd/log 2>&1 </dev/null &
	server=$!
	while [ -z "$port" ] && [ $SECONDS -lt $deadline ] && kill -0 "$server" 2>/dev/null; do
		port=$(sed -n 's/.*xrootd .*:\([0-9]*\) initialization completed.*/\1/p' xrootd/log)
		[ -n "$port" ] || sleep 0.1
	done
	[ -n "$port" ]
}

# A round trip through the server on one backend; prints what went wrong.
xrootd_round_trip() {
	local backend=$1 remote nr
	if ! start_xrootd "$backend"; then
		echo "it did not start" && tail -5 xrootd/log
		return 1
	fi
	remote=root://127.0.0.1:$port//file
	if ! timeout -k 5 30 xrdcp --force --silent original "$remote" ||
		! timeout -k 5 30 xrdcp --force --silent "$remote" returned ||
		! cmp original returned || ! cmp original xrootd/data/file; then
		tail -5 xrootd/log
		return 1
	fi
	nr=$(grep -c 'pgwr end 65536@.* result=65536' xrootd/log)
	[ "$nr" -gt 50 ] || { echo "only $nr writes were asynchronous" && return 1; }
	[ "$backend" = glibc ] ||
		grep -q "^rtaio: version .*RTAIO_BACKEND=$backend\>" xrootd/log ||
		{ echo "the library did not serve it" && return 1; }
}

xrootd_server() {
	local name="xrootd" backend
	needs "$name" xrootd "xrootd-server xrootd-client" &&
		needs "$name" xrdcp "xrootd-server xrootd-client" || return
	export XRD_CONNECTIONWINDOW=5 XRD_CONNECTIONRETRY=1 XRD_REQUESTTIMEOUT=20
	for backend in glibc "${programs_backends[@]}"; do
		# Not in a subshell: the server is to be known here.
		xrootd_round_trip "$backend" >problem 2>&1
		equal "$backend: $name" "$(cat problem)" ""
		[ -z "$server" ] || kill "$server" 2>/dev/null
		wait
		server=
	done
}

head -c 8000000 /dev/urandom >original
mpi "MPICH" mpich "mpich libmpich-dev"
mpi "Open MPI" openmpi "openmpi-bin libopenmpi-dev"
florist
ace
xrdcp_local
xrootd_server
finish
