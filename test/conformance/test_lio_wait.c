// SPDX-License-Identifier: MIT
/*
 * test_lio_wait.c - what happens while a thread waits for a list
 *
 * LIO_WAIT returns when every entry is finished, whatever signals and
 * cancellations come meanwhile.
 */
#include "../support/support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>

static int call_listio(int mode, struct aiocb *const list[], int nent, struct sigevent *sig)
{
	errno = 0;
	return lio_listio(mode, list, nent, sig);
}

static struct aiocb waited[2];
static struct aiocb *waited_list[2] = { &waited[0], &waited[1] };
static char waited_bufs[2][8];
static int fds[2];
static atomic_int waiter_tid, wait_result, wait_errno;
static atomic_bool is_back;

static void *wait_for_list(void *arg)
{
	int old;

	waiter_tid = (int)syscall(SYS_gettid);
	wait_result = call_listio(LIO_WAIT, waited_list, 2, NULL);
	wait_errno = errno;
	is_back = true;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
	return arg;
}

/* A thread that waits for two reads of an empty pipe. */
static void start_waiting(pthread_t *thread)
{
	waiter_tid = 0;
	is_back = false;
	open_pipe(fds);
	for (int i = 0; i < 2; i++)
		aiocb_init_lio(&waited[i], LIO_READ, fds[0], waited_bufs[i], 1, 0);
	check(pthread_create(thread, NULL, wait_for_list, waited_list) == 0);
	for (int i = 0; i < 2; i++)
		eventually(aio_error(&waited[i]) == EINPROGRESS);
	eventually(thread_sleeps(waiter_tid));
}

static void join_waiting(pthread_t thread)
{
	void *result;

	eventually(is_back);
	check(pthread_join(thread, &result) == 0);
	check(result == waited_list);
	close_pair(fds);
}

static void test_waited_list_waits_for_the_last_entry(void **state)
{
	pthread_t thread;

	(void)state;
	start_waiting(&thread);
	write_fully(fds[1], "a", 1);
	check_equal(await_result(&waited[0]), 1);
	check(!is_back);
	check_equal(aio_error(&waited[1]), EINPROGRESS);
	write_fully(fds[1], "b", 1);
	join_waiting(thread);
	check_equal(wait_result, 0);
	check_equal(aio_error(&waited[1]), 0);
}

static void test_waited_list_with_a_cancelled_entry_gives_eio(void **state)
{
	pthread_t thread;

	(void)state;
	start_waiting(&thread);
	eventually(aio_cancel(fds[0], &waited[1]) == AIO_CANCELED);
	write_fully(fds[1], "a", 1);
	join_waiting(thread);
	check_equal(wait_result, -1);
	check_equal(wait_errno, EIO);
	check_equal(aio_error(&waited[0]), 0);
	check_equal(aio_error(&waited[1]), ECANCELED);
}

static void test_restarting_handler_does_not_end_the_wait(void **state)
{
	pthread_t thread;

	(void)state;
	catch_signal(SIGUSR1, SA_RESTART);
	start_waiting(&thread);
	for (unsigned int i = 0; i < 5; i++) {
		eventually(thread_sleeps(waiter_tid));
		check(pthread_kill(thread, SIGUSR1) == 0);
		eventually(nr_caught() == i + 1);
	}
	check(!is_back);
	write_fully(fds[1], "ab", 2);
	join_waiting(thread);
	check_equal(wait_result, 0);
	release_signals();
}

/* POSIX would allow it to be one; with glibc it is not. */
static void test_wait_is_not_a_cancellation_point(void **state)
{
	pthread_t thread;

	(void)state;
	start_waiting(&thread);
	check(pthread_cancel(thread) == 0);
	eventually(thread_sleeps(waiter_tid));
	write_fully(fds[1], "ab", 2);
	join_waiting(thread);
	check_equal(wait_result, 0);
}

static atomic_int nr_cleanups, nr_ended, nr_blocked;

static void look_around(void *arg)
{
	sigset_t mask;

	(void)arg;
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	for (int signo = 1; signo < SIGRTMIN; signo++)
		nr_blocked += sigismember(&mask, signo) == 1;
	for (int i = 0; i < 2; i++)
		nr_ended += aio_error(&waited[i]) == 0;
	nr_cleanups++;
}

static void *wait_and_clean_up(void *arg)
{
	pthread_cleanup_push(look_around, NULL);
	waiter_tid = (int)syscall(SYS_gettid);
	wait_result = call_listio(LIO_WAIT, waited_list, 2, NULL);
	pthread_testcancel();
	pthread_cleanup_pop(0);
	return arg;
}

/* They may free what the list reads into. */
static void test_cleanup_handlers_come_after_the_waited_list(void **state)
{
	pthread_t thread;
	void *result;

	(void)state;
	waiter_tid = 0;
	wait_result = -1;
	open_pipe(fds);
	for (int i = 0; i < 2; i++)
		aiocb_init_lio(&waited[i], LIO_READ, fds[0], waited_bufs[i], 1, 0);
	check(pthread_create(&thread, NULL, wait_and_clean_up, NULL) == 0);
	eventually(waiter_tid && thread_sleeps(waiter_tid));
	check(pthread_cancel(thread) == 0);
	write_fully(fds[1], "a", 1);
	check_equal(await_result(&waited[0]), 1);
	eventually(thread_sleeps(waiter_tid));
	check_equal(nr_cleanups, 0);
	write_fully(fds[1], "b", 1);
	check(pthread_join(thread, &result) == 0);
	check(result == PTHREAD_CANCELED);
	check_equal(wait_result, 0);
	check_equal(nr_cleanups, 1);
	check_equal(nr_ended, 2);
	check_equal(nr_blocked, 0);
	close_pair(fds);
}

int main(void)
{
	const struct CMUnitTest lio_wait_tests[] = {
		cmocka_unit_test(test_waited_list_waits_for_the_last_entry),
		cmocka_unit_test(test_waited_list_with_a_cancelled_entry_gives_eio),
		cmocka_unit_test(test_restarting_handler_does_not_end_the_wait),
		cmocka_unit_test(test_wait_is_not_a_cancellation_point),
		cmocka_unit_test(test_cleanup_handlers_come_after_the_waited_list),
	};

	return cmocka_run_group_tests(lio_wait_tests, NULL, NULL);
}
