// SPDX-License-Identifier: MIT
/*
 * test_submit_unready.c - a call that submits, and memory or a disk that is not ready
 *
 * A thread reads into memory that it fills itself afterwards, or writes to a file system
 * that it has frozen and will let go on.  If the call made the request, it would wait for
 * its own thread.  No call can know beforehand: where requests complete in the submitting
 * call this is a difference from glibc, and RTAIO_INLINE=0 is the answer.
 */
#include "frozen.h"
#include "gate.h"
#include "offload.h"

static int read_into_a_gate(void)
{
	int fd = temp_file_filled(BLOCK);
	struct gate gate;
	struct aiocb cb;

	if (!gate_make(&gate, BLOCK))
		return CHILD_SKIPPED;
	submit_read(&cb, fd, gate.memory, BLOCK, 0);
	gate_await(&gate);
	gate_open(&gate, 'x');
	check_equal(outcome(&cb), BLOCK);
	check_pattern(gate.memory, 0, BLOCK);
	return 0;
}

static int read_inline(void)
{
	setenv("RTAIO_INLINE", "1", 1);
	return read_into_a_gate();
}

static int read_by_others(void)
{
	setenv("RTAIO_INLINE", "0", 1);
	return read_into_a_gate();
}

static int write_frozen(void)
{
	char *data = direct_buffer(BLOCK);
	struct aiocb cb;
	int fd;

	setenv("RTAIO_INLINE", "0", 1);
	if (!frozen_start())
		return CHILD_SKIPPED;
	fd = frozen_file(0);
	for (int i = 0; i < 2; i++) { /* what the file is must be known */
		submit_write(&cb, fd, data, BLOCK, 0);
		check_equal(outcome(&cb), BLOCK);
	}
	frozen_stop();
	submit_write(&cb, fd, data, BLOCK, 0);
	frozen_go_on();
	check_equal(outcome(&cb), BLOCK);
	return 0;
}

TEST_OR_SKIP(test_read_into_memory_that_its_thread_fills_returns, read_inline, 3000)
TEST_OR_SKIP(test_read_into_such_memory_returns_without_the_inline_lane, read_by_others, 20000)
TEST_OR_SKIP(test_write_on_a_frozen_disk_returns_without_the_inline_lane, write_frozen, 40000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_into_memory_that_its_thread_fills_returns),
		cmocka_unit_test(test_read_into_such_memory_returns_without_the_inline_lane),
		cmocka_unit_test(test_write_on_a_frozen_disk_returns_without_the_inline_lane),
	};

	return cmocka_run_group_tests_name("submit_unready", tests, NULL, NULL);
}
