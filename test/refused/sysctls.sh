#!/bin/bash
# SPDX-License-Identifier: MIT
#
# sysctls.sh - the tests where a sysctl forbids io_uring, or all contexts of Linux AIO are spent
#
# It takes root, and sets what holds for the whole machine, so that no other test can run meanwhile. What is
# set is set back. RTAIO_BACKEND=auto has to serve all the same, and RTAIO_VERBOSE and rtaio --status have to
# say why not by io_uring. --full: more programs.

set -u
cd "$(dirname "$0")/../.." || exit 2
# shellcheck source=test/refused/refusals.sh
. test/refused/refusals.sh

restore=:
trap 'eval "$restore"' EXIT

# with_sysctl file value command...: set back afterwards, come what may.
with_sysctl() {
	local file=/proc/sys/$1 before
	if [ "$(id -u)" -ne 0 ] || [ ! -w "$file" ]; then
		skip "sysctl $1" "it takes root and a kernel that has it"
		return
	fi
	before=$(cat "$file")
	restore="echo $before >$file"
	echo "$2" >"$file"
	run "sysctl $1=$2" "${@:3}"
	eval "$restore"
	restore=:
}

on_auto=("${run_tests[@]}" --implementation auto)
with_sysctl kernel/io_uring_disabled 2 "${on_auto[@]}" "${many[@]}"
# The contexts of Linux AIO are the machine's: none left.
with_sysctl fs/aio-max-nr "$(cat /proc/sys/fs/aio-nr)" "${on_auto[@]}" \
	test_aio_read test_aio_write test_aio_write_streams test_ordering test_overlaps

with_sysctl kernel/io_uring_disabled 1 check_reason_by "why io_uring does not serve: sysctl, but for root" \
	"Operation not permitted" "sysctl kernel.io_uring_disabled forbids it" \
	setpriv --bounding-set -sys_admin
with_sysctl kernel/io_uring_disabled 2 check_reason_by "why io_uring does not serve: sysctl" \
	"Operation not permitted" "sysctl kernel.io_uring_disabled forbids it" env

end
