// SPDX-License-Identifier: MIT
/*
 * test_aio_suspend_interrupted.c - signals and cancellations during aio_suspend
 *
 * A handler ends the wait with EINTR, but for one that restarts calls if there
 * is no timeout.  The wait is a cancellation point.
 */
#include "one_read.h"

#include <pthread.h>
#include <stdatomic.h>

static atomic_bool main_is_back;

/* ---- signals ---- */

static atomic_int nr_to_send;

/* Signal the sleeping main thread, again and again until it is back. */
static void *signal_main(void *arg)
{
	int limit = *(int *)arg;
	uint64_t until = now_ns() + (uint64_t)default_deadline_ms() * 1000000;

	while (!main_is_back && now_ns() < until && nr_to_send < limit) {
		if (thread_sleeps(main_tid)) {
			syscall(SYS_tgkill, getpid(), main_tid, SIGUSR1);
			atomic_fetch_add(&nr_to_send, 1);
		}
		short_pause();
	}
	if (limit != INT_MAX)
		write_fully(fds[1], "a", 1);
	return NULL;
}

/* The result of a wait disturbed by signals; a limit ends it by a completion. */
static int suspend_under_signals(int flags, int limit, const struct timespec *timeout)
{
	pthread_t thread;
	int ret, error;

	catch_signal(SIGUSR1, flags);
	block_one_read();
	main_is_back = false;
	nr_to_send = 0;
	check(pthread_create(&thread, NULL, signal_main, &limit) == 0);
	ret = suspend_one(&cbs[0], timeout);
	error = errno;
	main_is_back = true;
	check(pthread_join(thread, NULL) == 0);
	check(nr_caught() > 0);
	release_signals();
	if (limit == INT_MAX)
		write_fully(fds[1], "a", 1);
	check_equal(await_result(&cbs[0]), 1);
	close_pair(fds);
	errno = error;
	return ret;
}

static void test_signal_handler_ends_the_wait_with_eintr(void **state)
{
	(void)state;
	check_equal(suspend_under_signals(0, INT_MAX, NULL), -1);
	check_equal(errno, EINTR);
}

static void test_signal_handler_ends_a_timed_wait_with_eintr(void **state)
{
	struct timespec timeout = { .tv_sec = stretched_ms(20000) / 1000 };

	(void)state;
	check_equal(suspend_under_signals(0, INT_MAX, &timeout), -1);
	check_equal(errno, EINTR);
}

static void test_restarting_handler_does_not_end_the_wait(void **state)
{
	(void)state;
	check_equal(suspend_under_signals(SA_RESTART, 5, NULL), 0);
}

static void test_restarting_handler_ends_a_timed_wait_with_eintr(void **state)
{
	struct timespec timeout = { .tv_sec = stretched_ms(20000) / 1000 };

	(void)state;
	check_equal(suspend_under_signals(SA_RESTART, INT_MAX, &timeout), -1);
	check_equal(errno, EINTR);
}

/* Without a handler there is no interruption, with a timeout or without. */
static void test_ignored_signal_does_not_end_the_wait(void **state)
{
	struct timespec timeout = { .tv_sec = stretched_ms(20000) / 1000 };
	int limit = 5;

	(void)state;
	signal(SIGUSR1, SIG_IGN);
	for (int i = 0; i < 2; i++) {
		pthread_t thread;

		block_one_read();
		main_is_back = false;
		nr_to_send = 0;
		check(pthread_create(&thread, NULL, signal_main, &limit) == 0);
		check_equal(suspend_one(&cbs[0], i ? &timeout : NULL), 0);
		main_is_back = true;
		check(pthread_join(thread, NULL) == 0);
		check_equal(nr_to_send, limit);
		check_equal(await_result(&cbs[0]), 1);
		close_pair(fds);
	}
	signal(SIGUSR1, SIG_DFL);
}

static void test_own_completion_signal_is_no_trap(void **state)
{
	int fd = temp_file_filled(1000);

	(void)state;
	catch_signal(SIGRTMIN + 3, 0);
	for (unsigned int i = 0; i < 200; i++) {
		aiocb_init(&cbs[0], fd, bufs[0], 8, i);
		notify_by_signal(&cbs[0].aio_sigevent, SIGRTMIN + 3, (int)i);
		check_equal(aio_read(&cbs[0]), 0);
		check(suspend_one(&cbs[0], NULL) == 0 || errno == EINTR);
		check_equal(await_result(&cbs[0]), 8);
		eventually(nr_caught() == i + 1);
	}
	release_signals();
	close(fd);
}

/* ---- thread cancellation ---- */

static atomic_int waiter_tid;

static void *suspend_for_ever(void *arg)
{
	(void)arg;
	waiter_tid = (int)syscall(SYS_gettid);
	for (;;)
		suspend_one(&cbs[0], NULL);
	return NULL;
}

static void test_waiting_is_a_cancellation_point(void **state)
{
	pthread_t thread;
	void *result;

	(void)state;
	for (int round = 0; round < 10; round++) {
		block_one_read();
		waiter_tid = 0;
		check(pthread_create(&thread, NULL, suspend_for_ever, NULL) == 0);
		if (round)
			eventually(waiter_tid && thread_sleeps(waiter_tid));
		check(pthread_cancel(thread) == 0);
		check(pthread_join(thread, &result) == 0);
		check(result == PTHREAD_CANCELED);
		/* The request does not mind, and others may wait for it. */
		check_equal(aio_error(&cbs[0]), EINPROGRESS);
		finish_read();
	}
}

static int finished_fd;
static atomic_int nr_steps;

/* None of these may act on the pending cancellation. */
static void *do_all_but_wait(void *arg)
{
	static struct aiocb done, entry;
	struct aiocb *entries[1] = { &entry };
	const struct aiocb *list[1] = { &done };
	static char buf[8];
	int old;

	(void)arg;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
	pthread_cancel(pthread_self());
	aiocb_init(&done, finished_fd, buf, 1, 0);
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old);
	nr_steps += aio_read(&done) == 0;
	while (aio_error(&done) == EINPROGRESS)
		;
	nr_steps += aio_return(&done) == 1;
	nr_steps += aio_suspend(list, 1, NULL) == 0;
	nr_steps += aio_suspend(list, 0, NULL) == 0;
	nr_steps += aio_write(&done) == 0;
	while (aio_error(&done) == EINPROGRESS)
		;
	nr_steps += aio_fsync(O_SYNC, &done) == 0;
	while (aio_error(&done) == EINPROGRESS)
		;
	nr_steps += aio_cancel(finished_fd, NULL) == AIO_ALLDONE;
	aiocb_init_lio(&entry, LIO_READ, finished_fd, buf, 1, 0);
	nr_steps += lio_listio(LIO_WAIT, entries, 1, NULL) == 0;
	nr_steps += lio_listio(LIO_NOWAIT, entries, 1, NULL) == 0;
	while (aio_error(&entry) == EINPROGRESS)
		;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
	nr_steps += 1;
	return NULL;
}

static void test_nothing_else_is_a_cancellation_point(void **state)
{
	pthread_t thread;
	void *result;

	(void)state;
	finished_fd = temp_file_filled(100);
	nr_steps = 0;
	check(pthread_create(&thread, NULL, do_all_but_wait, NULL) == 0);
	check(pthread_join(thread, &result) == 0);
	check(result == NULL);
	check_equal(nr_steps, 10);
	close(finished_fd);
}

int main(void)
{
	const struct CMUnitTest aio_suspend_interrupted_tests[] = {
		cmocka_unit_test(test_signal_handler_ends_the_wait_with_eintr),
		cmocka_unit_test(test_signal_handler_ends_a_timed_wait_with_eintr),
		cmocka_unit_test(test_restarting_handler_does_not_end_the_wait),
		cmocka_unit_test(test_restarting_handler_ends_a_timed_wait_with_eintr),
		cmocka_unit_test(test_ignored_signal_does_not_end_the_wait),
		cmocka_unit_test(test_own_completion_signal_is_no_trap),
		cmocka_unit_test(test_waiting_is_a_cancellation_point),
		cmocka_unit_test(test_nothing_else_is_a_cancellation_point),
	};

	return cmocka_run_group_tests(aio_suspend_interrupted_tests, NULL, NULL);
}
