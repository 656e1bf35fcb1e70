#!/bin/bash
# SPDX-License-Identifier: MIT
#
# old_kernels.sh - the tests on the rings that older kernels have
#
# RTAIO_TEST_URING masks features of io_uring (enum uring_feature in shim/engine/uring_setup.h), so that
# this kernel plays an older one. What is then different on purpose, that a descriptor above 1000
# can be seen, is not among these tests. --full: not only the kernels of Debian's releases.

set -u
cd "$(dirname "$0")/../.." || exit 2

programs=(test_aio_read test_aio_read_streams test_aio_write test_aio_write_streams test_aio_cancel
	test_aio_cancel_queued test_ordering test_overlaps test_eintr test_own_transfers test_submitter_exit
	test_fork test_fork_in_callbacks test_close_reuse test_close_many test_close_together test_cancel_deep
	stress_close)
failed=0

# kernel, mask of the features it has
while read -r kernel mask; do
	[ "${1-}" = --full ] || [[ $kernel == 6.1 || $kernel == 5.10 ]] || continue
	echo "-- as on Linux $kernel"
	RTAIO_TEST_URING=$mask scripts/run-tests --implementation io_uring "${programs[@]}" ||
		failed=1
done <<EOT
6.5 0x0f
6.1 0x0e
5.19 0x0c
5.18 0x08
5.10 0x00
EOT
exit $failed
