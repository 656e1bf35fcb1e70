// SPDX-License-Identifier: MIT
/*
 * test_cancel_waiting.c - cancelling what waits on a file, behind a write that blocks
 *
 * A sync, or a transfer that overlaps the write, waits.  It can be cancelled, and what is
 * submitted afterwards, on this file and on others, is served as if it had never been there.
 */
#include "gate.h"
#include "transparency.h"

#define SIZE     (1 << 20)
#define NR_TIMES 3

static int fd;
static struct gate gate;
static struct aiocb blocked, waiting[3];
static char *written, *read_back;

/* The youngest first: glibc may forget those behind one that it takes from a queue. */
static void cancel_waiting(int nr)
{
	for (int i = nr - 1; i >= 0; i--) {
		check_equal(aio_cancel(fd, &waiting[i]), AIO_CANCELED);
		check_equal(outcome(&waiting[i]), -ECANCELED);
	}
}

static void submit_sync(struct aiocb *cb)
{
	aiocb_init(cb, fd, NULL, 0, 0);
	check_equal(aio_fsync(O_DSYNC, cb), 0);
}

/* Threads that serve may be there from now on, and it is known what the files are. */
static void warm_up(void)
{
	written = direct_buffer(SIZE);
	read_back = direct_buffer(SIZE);
	memset(written, 'n', SIZE);
	for (int i = 0; i < 2; i++) {
		submit_write(&blocked, fd, written, SIZE, 0);
		check_equal(outcome(&blocked), SIZE);
		eventually(others_are_asleep());
	}
}

/* With a signal: what nobody is told of may go another way. */
static bool block(bool is_announced)
{
	fd = temp_file(0);
	warm_up();
	if (!gate_make(&gate, SIZE))
		return false;
	change_mask(SIG_BLOCK, SIGUSR1);
	aiocb_init(&blocked, fd, gate.memory, SIZE, 0);
	if (is_announced)
		notify_by_signal(&blocked.aio_sigevent, SIGUSR1, 0);
	check_equal(aio_write(&blocked), 0);
	gate_await(&gate);
	return true;
}

static void unblock(void)
{
	gate_open(&gate, 'w');
	check_equal(outcome(&blocked), SIZE);
}

static int cancel_syncs(bool is_announced)
{
	if (!block(is_announced))
		return CHILD_SKIPPED;
	for (int i = 0; i < NR_TIMES; i++) {
		submit_sync(&waiting[0]);
		cancel_waiting(1);
		check_equal(aio_error(&blocked), EINPROGRESS);
	}
	use_aio_briefly();
	submit_write(&waiting[0], fd, written, SIZE, SIZE / 2);
	submit_sync(&waiting[1]);
	unblock();
	check_equal(outcome(&waiting[0]), SIZE);
	check_equal(outcome(&waiting[1]), 0);
	use_aio();
	return 0;
}

static void submit_overlapping(void)
{
	submit_write(&waiting[0], fd, written, SIZE, SIZE / 2);
	submit_read(&waiting[1], fd, read_back, SIZE, 0);
	submit_sync(&waiting[2]);
}

static int cancel_transfers(bool is_announced)
{
	if (!block(is_announced))
		return CHILD_SKIPPED;
	for (int i = 0; i < NR_TIMES; i++) {
		submit_overlapping();
		cancel_waiting(3);
		check_equal(aio_error(&blocked), EINPROGRESS);
	}
	submit_overlapping();
	unblock();
	check_equal(outcome(&waiting[0]), SIZE);
	check_equal(outcome(&waiting[1]), SIZE);
	check_equal(outcome(&waiting[2]), 0);
	check_equal(read_back[0], 'w');
	check_equal(read_back[SIZE - 1], 'n');
	use_aio();
	return 0;
}

#define TEST_BOTH(name, function)                           \
	static int function##_silent(void)                  \
	{                                                   \
		return function(false);                     \
	}                                                   \
	static int function##_announced(void)               \
	{                                                   \
		return function(true);                      \
	}                                                   \
	TEST_OR_SKIP(test_##name, function##_silent, 30000) \
	TEST_OR_SKIP(test_##name##_behind_one_that_is_announced, function##_announced, 30000)

TEST_BOTH(syncs_are_cancelled, cancel_syncs)
TEST_BOTH(transfers_are_cancelled, cancel_transfers)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_syncs_are_cancelled),
		cmocka_unit_test(test_syncs_are_cancelled_behind_one_that_is_announced),
		cmocka_unit_test(test_transfers_are_cancelled),
		cmocka_unit_test(test_transfers_are_cancelled_behind_one_that_is_announced),
	};

	return cmocka_run_group_tests_name("cancel_waiting", tests, NULL, NULL);
}
