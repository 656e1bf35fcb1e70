// SPDX-License-Identifier: MIT
/*
 * test_aio_cancel_queued.c - a request still queued is always cancelled
 */
#include "../support/support.h"

#include <stdatomic.h>

static void test_queued_request_is_cancelled(void **state)
{
	static struct aiocb cbs[3];
	static char bufs[3][8];
	int fds[2];

	(void)state;
	open_pipe(fds);
	for (int i = 0; i < 3; i++)
		submit_read(&cbs[i], fds[0], bufs[i], 1, 0);
	check_equal(aio_cancel(fds[0], &cbs[1]), AIO_CANCELED);
	check_cancelled(&cbs[1]);
	check_equal(aio_cancel(fds[0], &cbs[1]), AIO_ALLDONE);
	check_equal(aio_error(&cbs[0]), EINPROGRESS);
	check_equal(aio_error(&cbs[2]), EINPROGRESS);
	/* The others keep their order. */
	write_fully(fds[1], "ab", 2);
	check_equal(await_result(&cbs[0]), 1);
	check_equal(await_result(&cbs[2]), 1);
	check_equal(bufs[0][0], 'a');
	check_equal(bufs[2][0], 'b');
	close_pair(fds);
}

static void test_cancelled_write_does_not_appear(void **state)
{
	static struct aiocb first, second, third;
	size_t size;
	char found[8];
	int fds[2];

	(void)state;
	open_pipe(fds);
	size = fill_up(fds[1]);
	aiocb_init(&first, fds[1], "1", 1, 0);
	aiocb_init(&second, fds[1], "2", 1, 0);
	aiocb_init(&third, fds[1], "3", 1, 0);
	check_equal(aio_write(&first), 0);
	check_equal(aio_write(&second), 0);
	check_equal(aio_write(&third), 0);
	check_equal(aio_cancel(fds[1], &second), AIO_CANCELED);
	check_cancelled(&second);
	read_fully(fds[0], NULL, size);
	read_fully(fds[0], found, 2);
	check_memory(found, "13", 2);
	check_equal(await_result(&first), 1);
	check_equal(await_result(&third), 1);
	close_pair(fds);
}

static void test_cancel_of_everything_cancels_all_queued_requests(void **state)
{
	enum { NR = 200 };
	static struct aiocb cbs[NR];
	static char bufs[NR], last;
	int fds[2], answer;

	(void)state;
	open_pipe(fds);
	for (int i = 0; i < NR; i++)
		submit_read(&cbs[i], fds[0], &bufs[i], 1, 0);
	answer = aio_cancel(fds[0], NULL);
	for (int i = 1; i < NR; i++)
		check_cancelled(&cbs[i]);
	if (answer == AIO_CANCELED) {
		check_cancelled(&cbs[0]);
	} else {
		check_equal(answer, AIO_NOTCANCELED);
		check_equal(aio_error(&cbs[0]), EINPROGRESS);
		write_fully(fds[1], "a", 1);
		check_equal(await_result(&cbs[0]), 1);
	}
	check_equal(aio_cancel(fds[0], NULL), AIO_ALLDONE);
	/* The descriptor is as good as new. */
	submit_read(&cbs[0], fds[0], &last, 1, 0);
	write_fully(fds[1], "z", 1);
	check_equal(await_result(&cbs[0]), 1);
	check_equal(last, 'z');
	close_pair(fds);
}

static atomic_int nr_called;

static void count_callback(union sigval value)
{
	if (aio_error(value.sival_ptr) == ECANCELED)
		nr_called++;
}

/* Half of them by a signal, half by a callback; all but the first are surely queued. */
static void test_every_cancelled_request_is_announced(void **state)
{
	enum { NR = 20 };
	static struct aiocb cbs[NR + 1];
	static char bytes[NR + 1];
	unsigned int seen = 0;
	int fds[2];

	(void)state;
	catch_signal(SIGRTMIN + 1, SA_RESTART);
	open_pipe(fds);
	nr_called = 0;
	submit_read(&cbs[NR], fds[0], &bytes[NR], 1, 0);
	for (int i = 0; i < NR; i++) {
		aiocb_init(&cbs[i], fds[0], &bytes[i], 1, 0);
		if (i % 2)
			notify_by_thread(&cbs[i].aio_sigevent, count_callback, &cbs[i]);
		else
			notify_by_signal(&cbs[i].aio_sigevent, SIGRTMIN + 1, i);
		check_equal(aio_read(&cbs[i]), 0);
	}
	check(aio_cancel(fds[0], NULL) >= 0);
	for (int i = 0; i < NR; i++)
		check_cancelled(&cbs[i]);
	eventually(nr_caught() == NR / 2);
	for (unsigned int i = 0; i < NR / 2; i++)
		seen |= 1u << caught(i)->si_value.sival_int;
	check_equal(seen, 0x55555);
	eventually(nr_called == NR / 2);
	write_fully(fds[1], "a", 1);
	await(&cbs[NR]);
	release_signals();
	close_pair(fds);
}

/* As with glibc, whose aio_cancel sends it itself: it is pending at once. */
static void test_cancelled_request_is_announced_before_the_call_returns(void **state)
{
	static const struct timespec no_time;
	static struct aiocb cbs[2];
	static char bytes[2];
	siginfo_t info;
	sigset_t set;
	int fds[2];

	(void)state;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 1);
	change_mask(SIG_BLOCK, SIGRTMIN + 1);
	open_pipe(fds);
	submit_read(&cbs[0], fds[0], &bytes[0], 1, 0);
	for (int i = 0; i < 100; i++) {
		aiocb_init(&cbs[1], fds[0], &bytes[1], 1, 0);
		notify_by_signal(&cbs[1].aio_sigevent, SIGRTMIN + 1, i);
		check_equal(aio_read(&cbs[1]), 0);
		check_equal(aio_cancel(fds[0], &cbs[1]), AIO_CANCELED);
		check_equal(sigtimedwait(&set, &info, &no_time), SIGRTMIN + 1);
		check_equal(info.si_value.sival_int, i);
	}
	write_fully(fds[1], "a", 1);
	check_equal(await_result(&cbs[0]), 1);
	change_mask(SIG_UNBLOCK, SIGRTMIN + 1);
	close_pair(fds);
}

static void test_cancel_knows_only_its_own_descriptor(void **state)
{
	static struct aiocb cbs[2];
	static char bufs[2][8];
	int fds[2], other;

	(void)state;
	open_pipe(fds);
	other = dup(fds[0]);
	submit_read(&cbs[0], fds[0], bufs[0], 1, 0);
	submit_read(&cbs[1], fds[0], bufs[1], 1, 0);
	check_equal(aio_cancel(other, NULL), AIO_ALLDONE);
	errno = 0;
	check_equal(aio_cancel(other, &cbs[1]), -1);
	check_equal(errno, EINVAL);
	check_equal(aio_cancel(fds[1], NULL), AIO_ALLDONE);
	check_equal(aio_error(&cbs[0]), EINPROGRESS);
	check_equal(aio_error(&cbs[1]), EINPROGRESS);
	write_fully(fds[1], "ab", 2);
	check_equal(await_result(&cbs[0]), 1);
	check_equal(await_result(&cbs[1]), 1);
	close(other);
	close_pair(fds);
}

static void test_cancel_of_a_queued_fsync_works(void **state)
{
	static struct aiocb cb, sync;
	static char buf[8];
	int fds[2];

	(void)state;
	open_pipe(fds);
	submit_read(&cb, fds[0], buf, 1, 0);
	aiocb_init(&sync, fds[0], NULL, 0, 0);
	check_equal(aio_fsync(O_SYNC, &sync), 0);
	check_equal(aio_cancel(fds[0], &sync), AIO_CANCELED);
	check_cancelled(&sync);
	write_fully(fds[1], "a", 1);
	check_equal(await_result(&cb), 1);
	close_pair(fds);
}

static void test_cancelled_block_may_be_submitted_again(void **state)
{
	static struct aiocb cbs[2];
	static char bufs[2][8];
	int fds[2];

	(void)state;
	open_pipe(fds);
	submit_read(&cbs[0], fds[0], bufs[0], 1, 0);
	for (int i = 0; i < 100; i++) {
		submit_read(&cbs[1], fds[0], bufs[1], 1, 0);
		check_equal(aio_cancel(fds[0], &cbs[1]), AIO_CANCELED);
		/* Not even initialised again. */
		check_equal(aio_read(&cbs[1]), 0);
		check_equal(aio_cancel(fds[0], &cbs[1]), AIO_CANCELED);
	}
	submit_read(&cbs[1], fds[0], bufs[1], 1, 0);
	write_fully(fds[1], "ab", 2);
	check_equal(await_result(&cbs[0]), 1);
	check_equal(await_result(&cbs[1]), 1);
	check_equal(bufs[1][0], 'b');
	close_pair(fds);
}

int main(void)
{
	const struct CMUnitTest aio_cancel_queued_tests[] = {
		cmocka_unit_test(test_queued_request_is_cancelled),
		cmocka_unit_test(test_cancelled_write_does_not_appear),
		cmocka_unit_test(test_cancel_of_everything_cancels_all_queued_requests),
		/* A thread that ran a callback could still live, and take the blocked signal. */
		cmocka_unit_test(test_cancelled_request_is_announced_before_the_call_returns),
		cmocka_unit_test(test_every_cancelled_request_is_announced),
		cmocka_unit_test(test_cancel_knows_only_its_own_descriptor),
		cmocka_unit_test(test_cancel_of_a_queued_fsync_works),
		cmocka_unit_test(test_cancelled_block_may_be_submitted_again),
	};

	return cmocka_run_group_tests(aio_cancel_queued_tests, NULL, NULL);
}
