#!/bin/bash
# SPDX-License-Identifier: MIT
#
# fio.sh - unmodified fio on posixaio writes and verifies data on every backend
#
# fio polls aio_error and sleeps in aio_suspend. Each block it writes carries a checksum, its offset
# and its number; each run is read back and verified. Then fio's own count of requests must be the
# library's count: not one went to glibc, none was lost and none failed.
#
# Always: a selection in which each pair of settings meets at least once, and the special cases. auto
# runs all of them, and each goes to one of the other backends. The full form runs all on each, and the
# whole matrix, some 2000 runs. --backend glibc tests the test.

set -u

tree=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=test/support/results.sh
. "$tree/test/support/results.sh"
# shellcheck source=test/support/programs.sh
. "$tree/test/support/programs.sh"

programs_options "$@"

# direction, block size, depth, place, who runs, sync every 8 writes
selection=(
	"read 512 1 direct thread none"
	"read 512 1 cached threads none"
	"read 4k 256 memory thread none"
	"read 64k 4 memory threads-shared none"
	"read 64k 32 memory processes-shared none"
	"read 1m 32 cached processes none"
	"read 1m 32 memory process none"
	"write 512 4 direct process none"
	"write 4k 4 cached processes-shared fsync"
	"write 4k 32 cached threads-shared fdatasync"
	"write 64k 1 cached thread fsync"
	"write 1m 4 memory threads fdatasync"
	"write 1m 256 cached processes fsync"
	"randwrite 512 256 cached processes-shared none"
	"randwrite 4k 1 memory processes none"
	"randwrite 4k 4 direct threads fsync"
	"randwrite 64k 1 direct process fsync"
	"randwrite 64k 32 direct thread fdatasync"
	"randwrite 1m 256 direct threads-shared fsync"
	"randrw 512 1 direct threads-shared fsync"
	"randrw 512 4 direct processes fdatasync"
	"randrw 512 32 memory threads fsync"
	"randrw 4k 256 cached process fdatasync"
	"randrw 64k 256 direct processes none"
	"randrw 64k 256 direct threads fdatasync"
	"randrw 1m 1 direct processes-shared fdatasync"
	"randrw 1m 4 memory thread fsync"
)

# name | place | options of fio
special_cases=(
	# glibc runs one request on a descriptor at a time, so the last write of a block wins.
	"random writes that overlap|direct|--rw=randwrite --norandommap --bs=4k --size=512k
		--io_size=8m --iodepth=32"
	"random writes that overlap|cached|--rw=randwrite --norandommap --bs=4k --size=512k
		--io_size=8m --iodepth=32"
	"verification while writes are in flight|direct|--rw=randwrite --bs=4k --size=8m
		--iodepth=32 --verify_backlog=16"
	"verification while writes are in flight|cached|--rw=randwrite --bs=4k --size=8m
		--iodepth=32 --verify_backlog=16"
	"verification by other threads|direct|--rw=write --bs=4k --size=8m --iodepth=32
		--verify_async=2"
	"blocks of many sizes|direct|--rw=randrw --bsrange=512-64k --blockalign=512 --size=8m
		--iodepth=32"
	"blocks of many sizes|memory|--rw=randrw --bsrange=512-64k --blockalign=512 --size=8m
		--iodepth=32"
	"sixteen files|cached|--rw=randrw --bs=4k --size=8m --nrfiles=16 --iodepth=32
		--file_service_type=random --fsync=8"
	"sixteen files|direct|--rw=randrw --bs=4k --size=8m --nrfiles=16 --iodepth=32
		--file_service_type=random"
	"eight at a time|direct|--rw=randrw --bs=4k --size=8m --iodepth=32 --iodepth_batch=8
		--iodepth_batch_complete_min=8 --iodepth_batch_complete_max=32"
	"a file that grows|direct|--rw=write --bs=4k --size=8m --iodepth=32 --fallocate=none"
	"a file that grows|cached|--rw=write --bs=64k --size=16m --iodepth=32 --fallocate=none"
	"a file that grows|memory|--rw=write --bs=64k --size=16m --iodepth=32 --fallocate=none"
	"O_DSYNC|cached|--rw=randwrite --bs=4k --size=1m --iodepth=8 --sync=dsync"
	"O_SYNC and O_DIRECT|direct|--rw=randwrite --bs=4k --size=1m --iodepth=8 --sync=sync"
	"a limit on the rate|direct|--rw=randrw --bs=4k --size=512k --iodepth=8
		--rate_iops=500,500"
)

disk=
memory=
work=
logical_block=4096

clean_up() {
	rm -rf "$disk" "$memory" "$work"
}

set_up() {
	disk=$(mktemp -d "$programs_dir/fio.XXXXXX") &&
		work=$(mktemp -d "${TMPDIR:-/tmp}/rtaio-fio.XXXXXX") || exit 1
	memory=$(mktemp -d /dev/shm/rtaio-fio.XXXXXX 2>/dev/null)
	trap clean_up EXIT
	direct_refused=$(dd if=/dev/zero of="$disk/probe" bs=4096 count=1 oflag=direct 2>&1 \
		>/dev/null) && direct_refused=
	dd if=/dev/zero of="$disk/probe" bs=512 count=1 oflag=direct status=none 2>/dev/null &&
		logical_block=512
	rm -f "$disk/probe"
}

# place_options place: prints what puts the files there, or fails and prints why it cannot be done.
place_options() {
	case $1 in
	direct)
		[ -z "$direct_refused" ] || { echo "$disk refuses O_DIRECT" && return 1; }
		echo "--directory=$disk --direct=1"
		;;
	cached) echo "--directory=$disk --direct=0" ;;
	memory)
		[ -n "$memory" ] || { echo "/dev/shm cannot be written" && return 1; }
		echo "--directory=$memory --direct=0"
		;;
	esac
}

# Prints fio's own totals, "reads writes syncs", over all jobs of its JSON. Of calls of fdatasync it
# keeps no count.
fio_totals() {
	awk '
		/"(read|write|trim|sync)" : {/ { gsub(/[" :{\t]/, ""); side = $0 }
		/"total_ios"/ { gsub(/[^0-9]/, ""); total[side] += $0 }
		END { printf "%d %d %d\n", total["read"], total["write"], total["sync"] }' \
		"$work/json"
}

# run_fio backend option...: prints what was wrong, if anything. Messages are in $work/err.
run_fio() {
	local backend=$1 status
	shift
	# In the work directory, because fio leaves files where it runs.
	(cd "$work" && with_backend "$backend" fio --name=job --verify=crc32c --verify_fatal=1 \
		--verify_state_save=0 --eta=never --output-format=json --output=json "$@") \
		>"$work/err" 2>&1
	status=$?
	if [ $status -eq 124 ] || [ $status -eq 137 ]; then
		echo "fio did not end within $programs_limit_s seconds"
	elif [ $status -ne 0 ]; then
		echo "fio ended with status $status"
	else
		# The jobs that share a file keep to a part of their own.
		grep -hE '^(verify|fio): |"error" : [^0]' "$work/err" "$work/json" |
			grep -v 'multiple writers may overwrite blocks'
	fi
}

# counted backend option...: prints in what fio's totals, $work/json, and the library's differ.
counted() {
	local backend=$1 reads writes syncs
	shift
	read -r reads writes syncs < <(fio_totals)
	# Each block, however often it was written, is verified once.
	if [ "$reads" -eq 0 ] ||
		{ [[ $* != *--norandommap* ]] && [ "$reads" -lt "$writes" ]; }; then
		echo "fio made $writes writes and only $reads reads: it did not verify them"
	fi
	[ "$backend" != glibc ] || return 0
	was_served "$backend" "$work/err"
	[[ $* != *--fdatasync* ]] || syncs=$(counters engine_fsyncs offload_fsyncs)
	[ "$(nr_completed)" -eq $((reads + writes + syncs)) ] ||
		echo "fio counts $reads reads, $writes writes and $syncs syncs," \
			"the library $(nr_completed) requests in all"
	[ "$(counters engine_fsyncs offload_fsyncs)" -eq "$syncs" ] ||
		echo "the library counts $(counters engine_fsyncs offload_fsyncs) syncs"
	[ "$(counters errors)" -eq 0 ] || echo "$(counters errors) requests failed"
}

# run_case backend name place option...
run_case() {
	local backend=$1 name="$1: $2" place problem
	if ! place=$(place_options "$3"); then
		skip "$name" "$place"
		return
	fi
	shift 3
	if [[ $place == *direct=1* && $* =~ 'bs=512 '|'bsrange=512-' ]] &&
		[ $logical_block -gt 512 ]; then
		skip "$name" "blocks of 512 bytes are not possible with O_DIRECT on $disk"
		return
	fi
	# shellcheck disable=SC2086 # a list of words
	set -- $place "$@"
	# A file that is only read here is written by other means first.
	[[ " $* " != *" --rw=read "* ]] ||
		problem=$(run_fio glibc --ioengine=psync "$@" --rw=write --do_verify=0)
	problem=${problem-}$(run_fio "$backend" --ioengine=posixaio "$@")
	[ -n "$problem" ] || problem=$(counted "$backend" "$@")
	rm -f "$disk"/* "$memory"/*
	if [ -n "$problem" ]; then
		fail "$name" "$problem"$'\n'"fio $*"$'\n'"$(tail -15 "$work/err")"
	else
		pass "$name"
	fi
}

# Enough for a few hundred requests, also when four jobs share it.
total_kib() {
	case $1 in
	512) echo 1024 ;;
	4k) echo 8192 ;;
	*) echo 32768 ;;
	esac
}

# matrix_case backend direction block depth place who sync
matrix_case() {
	local size options=(--rw="$2" --bs="$3" --iodepth="$4")
	size=$(total_kib "$3")
	case $6 in
	thread*) options+=(--thread) ;;
	esac
	case $6 in
	*s-shared) options+=(--filename=shared --offset_increment=$((size / 4))k) ;;
	esac
	case $6 in
	threads* | processes*) options+=(--numjobs=4 --size=$((size / 4))k) ;;
	*) options+=(--size="${size}k") ;;
	esac
	[ "$7" = none ] || options+=("--$7=8")
	run_case "$1" "$2 of $3, depth $4, $5, $6, $7" "$5" "${options[@]}"
}

whole_matrix() {
	local row
	for row in {read,write,randwrite,randrw}\ {512,4k,64k,1m}\ {1,4,32,256}\ \
{direct,cached,memory}\ {process,thread,processes,threads,processes-shared,threads-shared}\ \
{none,fsync}; do
		# shellcheck disable=SC2086 # a list of words
		[[ $row == "read "*fsync ]] || matrix_case "$1" $row
	done
}

# The kernel's plain reads must find the data that this library wrote.
cross_check() {
	local backend=$1 name="$1: written by posixaio, read by psync" problem
	local options=(--directory="$disk" --bs=4k --size=8m --iodepth=32 --rw=write)
	problem=$(run_fio "$backend" --ioengine=posixaio "${options[@]}" --direct=0 --do_verify=0)
	[ -n "$problem" ] || problem=$(was_served "$backend" "$work/err")
	[ -n "$problem" ] ||
		problem=$(run_fio glibc --ioengine=psync "${options[@]}" --direct=0 --rw=read)
	[ -n "$problem" ] || [ "$(fio_totals)" = "2048 0 0" ] ||
		problem="fio verified not 2048 blocks, but $(fio_totals)"
	equal "$name" "$problem" ""
	rm -f "$disk"/*
}

run_backend() {
	local backend=$1 i name place options begin=$SECONDS

	for i in "${!selection[@]}"; do
		# shellcheck disable=SC2086 # a list of words
		! is_share "$backend" "$i" || matrix_case "$backend" ${selection[i]}
	done
	[ -z "$programs_full" ] || whole_matrix "$backend"
	for i in "${!special_cases[@]}"; do
		is_share "$backend" "$i" || continue
		IFS='|' read -r -d '' name place options <<<"${special_cases[i]}"
		# shellcheck disable=SC2086 # a list of words
		run_case "$backend" "$name, $place" "$place" $options
	done
	cross_check "$backend"
	echo "     $backend: $((SECONDS - begin)) s"
}

if ! command -v fio >/dev/null; then
	skip "fio" "fio is not installed: apt install fio"
	finish
	exit
fi
set_up
for backend in "${programs_backends[@]}"; do
	run_backend "$backend"
done
finish
