#!/bin/bash
# SPDX-License-Identifier: MIT
#
# found.sh - what check-faults has found once, and what is mended
#
#   preadv refused by a sandbox       pipes were taken for files, and their order was lost
#   a ring that refuses to be entered the engine tried for ever
#   a try without waiting, interrupted  a read of a pipe ended with EINTR
#   no memory for thread attributes     a callback ran on other processors than it was to

set -u

cd "$(dirname "$0")/../.." || exit 2
if ! command -v strace >/dev/null; then
	echo "skip what check-faults has found: strace is not installed"
	echo "0 passed, 0 failed, 1 skipped"
	exit
fi
exec scripts/check-faults --on auto preadv:ENOSYS:1+ io_uring_enter:EAGAIN:2+ preadv2:EINTR:1 preadv2:EINTR:1+2 \
	malloc
