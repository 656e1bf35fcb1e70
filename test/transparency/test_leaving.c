// SPDX-License-Identifier: MIT
/*
 * test_leaving.c - how soon a process that used AIO is as it was before
 *
 * glibc's threads leave when they have had nothing to do for a second
 * (aio_idle_time).  Until then the process cannot enter another user namespace, and does not
 * end though its main thread has.  The best of several attempts counts, since a busy machine
 * only delays.
 */
#include "transparency.h"

#include <aio.h>
#include <pthread.h>

#define IDLE_MS     1000u
#define ENOUGH_MS   (IDLE_MS * 3 / 2)
#define NR_ATTEMPTS 5

static unsigned int passed_ms(uint64_t since)
{
	return (unsigned int)((now_ns() - since) / 1000000);
}

static unsigned int enough_ms(void)
{
	return stretched_ms(ENOUGH_MS);
}

static int wait_until_alone(void)
{
	unsigned int best = UINT_MAX;

	for (int i = 0; i < NR_ATTEMPTS && best > enough_ms(); i++) {
		uint64_t start;
		unsigned int ms;

		use_aio();
		start = now_ns();
		eventually(nr_threads() == 1);
		ms = passed_ms(start);
		if (ms < best)
			best = ms;
	}
	if (best > enough_ms())
		check_failed("threads stayed for %u ms", best);
	return 0;
}

/* A sync that waits for direct reads must not keep the thread that reports these. */
static int sync_behind_direct_reads(void)
{
	enum { NR = 16, SIZE = 1 << 20 };
	static struct aiocb cbs[NR], sync;
	char *data = direct_buffer(SIZE);
	int fd = direct_file(NR * SIZE, 0);

	if (fd < 0)
		return CHILD_SKIPPED;
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < NR; i++)
			submit_read(&cbs[i], fd, data, SIZE, (off_t)i * SIZE);
		aiocb_init(&sync, fd, NULL, 0, 0);
		check_equal(aio_fsync(O_SYNC, &sync), 0);
		check_equal(outcome(&sync), 0);
		for (int i = 0; i < NR; i++)
			check_equal(outcome(&cbs[i]), SIZE);
	}
	eventually(nr_threads() == 1);
	return 0;
}

TEST_OR_SKIP(test_threads_leave_after_a_sync_behind_direct_reads, sync_behind_direct_reads, 30000)

static unsigned int threads_after_a_read(const int fds[2])
{
	struct aiocb cb;
	char byte;

	submit_read(&cb, fds[0], &byte, 1, 0);
	write_fully(fds[1], "x", 1);
	check_equal(outcome(&cb), 1);
	return nr_threads();
}

/* Each read that blocks may take a thread.  What comes afterwards needs one at a time. */
static int read_on_after_a_burst(void)
{
	enum { NR = 16, FEW = 4 };
	struct aiocb cbs[NR];
	int fds[NR][2];
	char byte;

	for (int i = 0; i < NR; i++) {
		open_pipe(fds[i]);
		submit_read(&cbs[i], fds[i][0], &byte, 1, 0);
	}
	short_pause();
	for (int i = 0; i < NR; i++)
		write_fully(fds[i][1], "x", 1);
	for (int i = 0; i < NR; i++)
		check_equal(outcome(&cbs[i]), 1);
	eventually(threads_after_a_read(fds[0]) <= FEW);
	return 0;
}

TEST_IN_CHILD(test_threads_of_a_burst_leave_while_others_work, read_on_after_a_burst, 30000)

/* They have an hour; a time of 0 gives none. */
static int stay_for_an_hour(void)
{
	struct aioinit init = { .aio_threads = 20, .aio_num = 64, .aio_idle_time = 3600 };

	aio_init(&init);
	init.aio_idle_time = 0;
	aio_init(&init);
	use_aio();
	for (int i = 0; i < 100; i++) {
		short_pause();
		check(nr_threads() > 1);
	}
	return 0;
}

static void test_idle_time_of_zero_changes_nothing(void **state)
{
	(void)state;
	check_in_child(stay_for_an_hour, 60000);
}

/* The child does not wait for the request of its parent. */
static int leave_in_child(void)
{
	struct aiocb cb;
	char byte;
	int fds[2];
	pid_t pid;

	open_pipe(fds);
	submit_read(&cb, fds[0], &byte, 1, 0);
	use_aio_briefly(); /* by then the request is where requests wait */
	pid = fork();
	if (!pid) {
		use_aio_briefly();
		eventually(nr_threads() == 1);
		_exit(0);
	}
	check_child(pid);
	write_fully(fds[1], "x", 1);
	check_equal(outcome(&cb), 1);
	return 0;
}

TEST_IN_CHILD(test_threads_of_a_child_leave_while_its_parent_waits, leave_in_child, 30000)

static int end_main_thread(void)
{
	use_aio();
	pthread_exit(NULL);
}

static void test_threads_leave_after_the_idle_time(void **state)
{
	(void)state;
	check_in_child(wait_until_alone, 60000);
}

/* What it costs to start and use AIO counts as well. */
static void test_process_ends_soon_after_its_main_thread(void **state)
{
	unsigned int best = UINT_MAX;

	(void)state;
	for (int i = 0; i < NR_ATTEMPTS && best > enough_ms(); i++) {
		uint64_t start = now_ns();
		unsigned int ms;

		check_in_child(end_main_thread, 20000);
		ms = passed_ms(start);
		if (ms < best)
			best = ms;
	}
	if (best > enough_ms())
		check_failed("the process stayed for %u ms", best);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads_leave_after_the_idle_time),
		cmocka_unit_test(test_threads_of_a_child_leave_while_its_parent_waits),
		cmocka_unit_test(test_threads_leave_after_a_sync_behind_direct_reads),
		cmocka_unit_test(test_threads_of_a_burst_leave_while_others_work),
		cmocka_unit_test(test_idle_time_of_zero_changes_nothing),
		cmocka_unit_test(test_process_ends_soon_after_its_main_thread),
	};

	return cmocka_run_group_tests_name("leaving", tests, NULL, NULL);
}
