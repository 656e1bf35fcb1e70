// SPDX-License-Identifier: MIT
/*
 * test_aio_suspend.c - when aio_suspend returns, and with what
 *
 * It returns at once if any request of the list is not in progress; otherwise
 * it waits for one or for the timeout on CLOCK_MONOTONIC.  A wait that a signal
 * or a cancellation ends is in test_aio_suspend_interrupted.
 */
#include "one_read.h"

#include <pthread.h>
#include <stdatomic.h>

/* ---- no waiting ---- */

static void test_negative_count_gives_einval(void **state)
{
	const struct aiocb *list[1] = { NULL };

	(void)state;
	errno = 0;
	check_equal(aio_suspend(list, -1, NULL), -1);
	check_equal(errno, EINVAL);
}

static void test_empty_list_returns_at_once(void **state)
{
	const struct aiocb *list[3] = { NULL, NULL, NULL };
	const struct aiocb *const *volatile no_list = NULL;
	uint64_t begin = now_ns(), limit = stretched_ns(5000000000);
	struct timespec longer = { .tv_sec = (time_t)(limit / 1000000000) + 1 };

	(void)state;
	check_equal(aio_suspend(list, 0, NULL), 0);
	check_equal(aio_suspend(list, 0, &longer), 0);
	check_equal(aio_suspend(list, 3, NULL), 0);
	check_equal(aio_suspend(list, 3, &longer), 0);
	check_equal(aio_suspend(no_list, 0, NULL), 0);
	check(now_ns() - begin < limit);
}

static void test_finished_request_returns_at_once(void **state)
{
	struct timespec odd = { .tv_sec = -1, .tv_nsec = -1 };
	const struct aiocb *list[3] = { &cbs[0], NULL, &cbs[1] };
	int fd = temp_file_filled(100);

	(void)state;
	block_one_read();
	aiocb_init(&cbs[1], fd, bufs[1], 1, 0);
	check_equal(aio_read(&cbs[1]), 0);
	await_result(&cbs[1]);
	check_equal(aio_suspend(list, 3, NULL), 0);
	check_equal(suspend_one(&cbs[1], NULL), 0);
	/* The timeout is not looked at. */
	check_equal(suspend_one(&cbs[1], &odd), 0);
	memset(&cbs[1], 0, sizeof(cbs[1]));
	check_equal(aio_suspend(list, 3, NULL), 0);
	check_equal(aio_error(&cbs[0]), EINPROGRESS);
	finish_read();
	close(fd);
}

/* ---- timeouts ---- */

static void test_zero_timeout_polls(void **state)
{
	struct timespec zero = { 0, 0 };

	(void)state;
	block_one_read();
	for (int i = 0; i < 100; i++) {
		check_equal(suspend_one(&cbs[0], &zero), -1);
		check_equal(errno, EAGAIN);
	}
	finish_read();
	check_equal(suspend_one(&cbs[0], &zero), 0);
}

static void test_timeout_gives_eagain_and_is_not_short(void **state)
{
	struct timespec timeout = { .tv_nsec = 100000000 };
	uint64_t begin;

	(void)state;
	block_one_read();
	begin = now_ns();
	check_equal(suspend_one(&cbs[0], &timeout), -1);
	check_equal(errno, EAGAIN);
	check(now_ns() - begin >= 100000000);
	check(now_ns() - begin < stretched_ns(5000000000));
	check_equal(aio_error(&cbs[0]), EINPROGRESS);
	finish_read();
}

/* One nanosecond more or less than belongs into tv_nsec. */
static int wait_for_odd_seconds(void)
{
	static const struct timespec seconds[] = { { 0, 1000000000 }, { 1, -1 } };
	uint64_t begin;

	block_one_read();
	for (int i = 0; i < 2; i++) {
		begin = now_ns();
		check_equal(suspend_one(&cbs[0], &seconds[i]), -1);
		check_equal(errno, EAGAIN);
		check(now_ns() - begin >= 999999999);
	}
	finish_read();
	return 0;
}

static void test_second_may_be_given_in_nanoseconds(void **state)
{
	(void)state;
	check_in_child(wait_for_odd_seconds, default_deadline_ms());
}

static void test_file_ends_the_wait_beside_a_blocked_pipe(void **state)
{
	static char block[4096] __attribute__((aligned(4096)));
	struct timespec timeout = { .tv_sec = stretched_ms(20000) / 1000 };
	const struct aiocb *list[2] = { &cbs[0], &cbs[1] };
	int fd = direct_file_or_skip(65536, 0);

	(void)state;
	block_one_read();
	for (int i = 0; i < 100; i++) {
		aiocb_init(&cbs[1], fd, block, 4096, i % 16 * 4096);
		check_equal(aio_read(&cbs[1]), 0);
		check_equal(aio_suspend(list, 2, &timeout), 0);
		check_equal(aio_error(&cbs[1]), 0);
	}
	finish_read();
	close(fd);
}

static int wait_for_negative_times(void)
{
	static const struct timespec timeouts[] = {
		{ -1, 0 },         { 0, -1 },          { -1, -1 },
		{ -1, 999999999 }, { -1, 1000000000 }, { LONG_MIN, 0 },
	};
	uint64_t begin;

	block_one_read();
	begin = now_ns();
	for (size_t i = 0; i < sizeof(timeouts) / sizeof(timeouts[0]); i++) {
		check_equal(suspend_one(&cbs[0], &timeouts[i]), -1);
		check_equal(errno, EAGAIN);
	}
	check(now_ns() - begin < stretched_ns(5000000000));
	finish_read();
	return 0;
}

static void test_negative_timeout_does_not_wait(void **state)
{
	(void)state;
	check_in_child(wait_for_negative_times, default_deadline_ms());
}

/* ---- waiting ---- */

static atomic_bool main_is_back;

/* Write a byte once the main thread sleeps, or has come back too early. */
static void *write_when_main_sleeps(void *arg)
{
	(void)arg;
	becomes_true(main_is_back || thread_sleeps(main_tid), default_deadline_ms());
	write_fully(fds[1], "a", 1);
	return NULL;
}

static void start_writer(pthread_t *writer)
{
	main_is_back = false;
	check(pthread_create(writer, NULL, write_when_main_sleeps, NULL) == 0);
}

static void stop_writer(pthread_t writer)
{
	main_is_back = true;
	check(pthread_join(writer, NULL) == 0);
}

static void wait_for_a_completion(const struct timespec *timeout)
{
	pthread_t writer;
	int ret, error;

	block_one_read();
	start_writer(&writer);
	ret = suspend_one(&cbs[0], timeout);
	error = errno;
	stop_writer(writer);
	check_equal(await_result(&cbs[0]), 1);
	close_pair(fds);
	errno = error;
	check_equal(ret, 0);
}

static void test_completion_ends_the_wait(void **state)
{
	struct timespec timeout = { .tv_sec = stretched_ms(20000) / 1000 };

	(void)state;
	for (int i = 0; i < 20; i++)
		wait_for_a_completion(i % 2 ? &timeout : NULL);
}

/* glibc computes an absolute time, which overflows. */
static void test_completion_ends_the_wait_with_the_longest_timeout(void **state)
{
	struct timespec timeout = { .tv_sec = LONG_MAX, .tv_nsec = 999999999 };

	(void)state;
	wait_for_a_completion(&timeout);
}

static void test_any_request_of_the_list_ends_the_wait(void **state)
{
	int other[2];

	(void)state;
	open_pipe(other);
	for (int position = 0; position < 3; position++) {
		const struct aiocb *list[4] = { &cbs[1], &cbs[2], NULL, NULL };
		pthread_t writer;

		block_one_read();
		aiocb_init(&cbs[1], other[0], bufs[1], 1, 0);
		aiocb_init(&cbs[2], other[0], bufs[2], 1, 0);
		check_equal(aio_read(&cbs[1]), 0);
		check_equal(aio_read(&cbs[2]), 0);
		list[3] = list[position];
		list[position] = &cbs[0];
		start_writer(&writer);
		check_equal(aio_suspend(list, 4, NULL), 0);
		check_equal(aio_error(&cbs[0]), 0);
		check_equal(aio_error(&cbs[1]), EINPROGRESS);
		stop_writer(writer);
		write_fully(other[1], "bc", 2);
		check_equal(await_result(&cbs[1]), 1);
		check_equal(await_result(&cbs[2]), 1);
		close_pair(fds);
	}
	close_pair(other);
}

static void test_same_request_may_be_listed_twice(void **state)
{
	const struct aiocb *list[3] = { &cbs[0], NULL, &cbs[0] };
	pthread_t writer;

	(void)state;
	block_one_read();
	start_writer(&writer);
	check_equal(aio_suspend(list, 3, NULL), 0);
	stop_writer(writer);
	check_equal(aio_error(&cbs[0]), 0);
	close_pair(fds);
}

static void test_long_list_is_waited_for(void **state)
{
	enum { NR = 10000 };
	static const struct aiocb *list[NR];
	static struct aiocb many[NR];
	static char buf[NR];
	pthread_t writer;

	(void)state;
	main_tid = (pid_t)syscall(SYS_gettid);
	open_pipe(fds);
	for (int i = 0; i < NR; i++) {
		aiocb_init(&many[i], fds[0], &buf[i], 1, 0);
		check_equal(aio_read(&many[i]), 0);
		list[NR - 1 - i] = &many[i];
	}
	start_writer(&writer);
	check_equal(aio_suspend(list, NR, NULL), 0);
	check_equal(aio_error(&many[0]), 0);
	stop_writer(writer);
	aio_cancel(fds[0], NULL);
	write_fully(fds[1], "b", 1);
	for (int i = 0; i < NR; i++)
		await(&many[i]);
	close_pair(fds);
}

static atomic_int nr_waiting, nr_woken;

static void *suspend_on_first(void *arg)
{
	(void)arg;
	atomic_fetch_add(&nr_waiting, 1);
	if (suspend_one(&cbs[0], NULL) == 0 && aio_error(&cbs[0]) == 0)
		atomic_fetch_add(&nr_woken, 1);
	return NULL;
}

static void test_all_threads_waiting_for_a_request_wake_up(void **state)
{
	enum { NR = 8 };
	pthread_t waiters[NR];

	(void)state;
	for (int round = 0; round < 10; round++) {
		nr_waiting = nr_woken = 0;
		block_one_read();
		for (int i = 0; i < NR; i++)
			check(pthread_create(&waiters[i], NULL, suspend_on_first, NULL) == 0);
		eventually(nr_waiting == NR);
		write_fully(fds[1], "a", 1);
		eventually(nr_woken == NR);
		for (int i = 0; i < NR; i++)
			check(pthread_join(waiters[i], NULL) == 0);
		close_pair(fds);
	}
}

static void *cancel_second_when_main_sleeps(void *arg)
{
	(void)arg;
	becomes_true(thread_sleeps(main_tid), default_deadline_ms());
	aio_cancel(fds[0], &cbs[1]);
	return NULL;
}

static void test_cancellation_of_a_request_ends_the_wait(void **state)
{
	pthread_t thread;

	(void)state;
	block_one_read();
	aiocb_init(&cbs[1], fds[0], bufs[1], 1, 0);
	check_equal(aio_read(&cbs[1]), 0);
	check(pthread_create(&thread, NULL, cancel_second_when_main_sleeps, NULL) == 0);
	check_equal(suspend_one(&cbs[1], NULL), 0);
	check_equal(aio_error(&cbs[1]), ECANCELED);
	check(pthread_join(thread, NULL) == 0);
	finish_read();
}

/* An fsync behind a read that blocks: its end is one, too. */
static void test_fsync_ends_the_wait(void **state)
{
	pthread_t writer;

	(void)state;
	block_one_read();
	aiocb_init(&cbs[1], fds[0], NULL, 0, 0);
	check_equal(aio_fsync(O_SYNC, &cbs[1]), 0);
	start_writer(&writer);
	check_equal(suspend_one(&cbs[1], NULL), 0);
	check(aio_error(&cbs[1]) != EINPROGRESS);
	stop_writer(writer);
	check_equal(await_result(&cbs[0]), 1);
	close_pair(fds);
}

int main(void)
{
	const struct CMUnitTest aio_suspend_tests[] = {
		cmocka_unit_test(test_second_may_be_given_in_nanoseconds),
		cmocka_unit_test(test_negative_timeout_does_not_wait),
		cmocka_unit_test(test_negative_count_gives_einval),
		cmocka_unit_test(test_empty_list_returns_at_once),
		cmocka_unit_test(test_finished_request_returns_at_once),
		cmocka_unit_test(test_zero_timeout_polls),
		cmocka_unit_test(test_timeout_gives_eagain_and_is_not_short),
		cmocka_unit_test(test_file_ends_the_wait_beside_a_blocked_pipe),
		cmocka_unit_test(test_completion_ends_the_wait),
		cmocka_unit_test(test_completion_ends_the_wait_with_the_longest_timeout),
		cmocka_unit_test(test_any_request_of_the_list_ends_the_wait),
		cmocka_unit_test(test_same_request_may_be_listed_twice),
		cmocka_unit_test(test_long_list_is_waited_for),
		cmocka_unit_test(test_all_threads_waiting_for_a_request_wake_up),
		cmocka_unit_test(test_cancellation_of_a_request_ends_the_wait),
		cmocka_unit_test(test_fsync_ends_the_wait),
	};

	return cmocka_run_group_tests(aio_suspend_tests, NULL, NULL);
}
