// SPDX-License-Identifier: MIT
/*
 * test_thread_cancel.c - threads that are cancelled while they use AIO
 */
#include "transparency.h"

#include <stdatomic.h>

/* ---- cancellation ---- */

static struct aiocb cancelled_cb;
static atomic_int nr_cleanups, is_waiting;
static int cancel_fds[2];
static char cancel_byte;

static void note_cleanup(void *arg)
{
	(void)arg;
	atomic_fetch_add(&nr_cleanups, 1);
}

static void *suspend_for_ever(void *timeout)
{
	const struct aiocb *list[] = { &cancelled_cb };

	is_waiting = gettid();
	pthread_cleanup_push(note_cleanup, NULL);
	for (;;)
		aio_suspend(list, 1, timeout);
	pthread_cleanup_pop(0);
	return NULL;
}

static int cancel_suspend(void)
{
	struct timespec long_time = { .tv_sec = 1000 };
	pthread_t thread;

	open_pipe(cancel_fds);
	for (int i = 0; i < 50; i++) {
		cancel_byte = 0;
		is_waiting = 0;
		submit_read(&cancelled_cb, cancel_fds[0], &cancel_byte, 1, 0);
		thread = start_thread(suspend_for_ever, i % 2 ? &long_time : NULL);
		eventually(is_waiting && thread_sleeps(is_waiting));
		check_equal(pthread_cancel(thread), 0);
		join_thread(thread);
		check_equal(nr_cleanups, i + 1);
		write_fully(cancel_fds[1], "x", 1);
		check_equal(outcome(&cancelled_cb), 1);
		check_equal(cancel_byte, 'x');
	}
	use_aio();
	return 0;
}

/* ---- what the clean-up of a cancelled thread finds ---- */

static struct aiocb direct_cb;
static char *direct_buf;
static int direct_fd, wrong_masks;
static atomic_int nr_reads;

/* The thread has SIGUSR2 blocked and no other. */
static void look_at_mask(void *arg)
{
	sigset_t mask;

	(void)arg;
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	wrong_masks += !sigismember(&mask, SIGUSR2) || sigismember(&mask, SIGUSR1) ||
		       sigismember(&mask, SIGTERM);
}

/* Only the wait may be cancelled. */
static void *wait_for_direct_reads(void *unused)
{
	const struct aiocb *list[] = { &direct_cb };

	change_mask(SIG_BLOCK, SIGUSR2);
	pthread_cleanup_push(look_at_mask, NULL);
	for (;;) {
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
		submit_read(&direct_cb, direct_fd, direct_buf, 4096, 0);
		nr_reads++;
		pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
		while (aio_error(&direct_cb) == EINPROGRESS)
			aio_suspend(list, 1, NULL);
	}
	pthread_cleanup_pop(0);
	return unused;
}

#define NR_ROUNDS     1000 /* or as many as there is time for, */
#define NR_ROUNDS_MIN 100  /* but so many at least */
#define ROUNDS_NS     12000000000

/* At any moment of the wait. */
static int cancel_direct_waits(void)
{
	uint64_t until = now_ns() + stretched_ns(ROUNDS_NS);
	int nr = 0;

	direct_fd = direct_file(4096, 0);
	if (direct_fd < 0)
		return CHILD_SKIPPED;
	direct_buf = direct_buffer(4096);
	for (; nr < NR_ROUNDS && (nr < NR_ROUNDS_MIN || now_ns() < until); nr++) {
		pthread_t thread = start_thread(wait_for_direct_reads, NULL);

		eventually(nr_reads > nr % 20);
		check_equal(pthread_cancel(thread), 0);
		join_thread(thread);
		check_equal(outcome(&direct_cb), 4096);
		nr_reads = 0;
	}
	if (wrong_masks)
		check_failed("%d of %d threads cleaned up under another mask", wrong_masks, nr);
	return 0;
}

/* A cancellation is pending; only the last line acts on it. */
static void *call_cancelled(void *arg)
{
	struct aiocb cb, *const list[] = { &cb };
	int *fd = arg, *passed = fd + 1;
	char buf[64];

	check_equal(pthread_cancel(pthread_self()), 0);
	aiocb_init(&cb, *fd, buf, sizeof(buf), 0);
	check_equal(aio_read(&cb), 0);
	while (aio_error(&cb) == EINPROGRESS)
		sched_yield();
	check_equal(aio_return(&cb), sizeof(buf));
	check_equal(aio_write(&cb), 0);
	while (aio_error(&cb) == EINPROGRESS)
		sched_yield();
	check_equal(aio_fsync(O_SYNC, &cb), 0);
	while (aio_error(&cb) == EINPROGRESS)
		sched_yield();
	cb.aio_lio_opcode = LIO_READ;
	check_equal(lio_listio(LIO_WAIT, list, 1, NULL), 0);
	check_equal(lio_listio(LIO_NOWAIT, list, 1, NULL), 0);
	while (aio_error(&cb) == EINPROGRESS)
		sched_yield();
	check_equal(aio_cancel(*fd, NULL), AIO_ALLDONE);
	*passed = 1;
	pthread_testcancel();
	*passed = 2;
	return NULL;
}

static int ignore_pending_cancel(void)
{
	int fd_and_passed[2] = { temp_file_filled(4096), 0 };

	for (int i = 0; i < 20; i++) {
		fd_and_passed[1] = 0;
		evict(fd_and_passed[0]);
		join_thread(start_thread(call_cancelled, fd_and_passed));
		check_equal(fd_and_passed[1], 1);
	}
	return 0;
}

/* ---- the type of cancellation that the program has chosen ---- */

#define NR_WAITS 50

static void check_is_deferred(void)
{
	int type;

	check_equal(pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &type), 0);
	check_equal(type, PTHREAD_CANCEL_DEFERRED);
}

static void wait_for_reads(int fd, char *buf, size_t size)
{
	const struct timespec moment = { .tv_nsec = 1000000 };
	struct aiocb cb;
	const struct aiocb *list[] = { &cb };

	submit_read(&cb, fd, buf, size, 0);
	while (aio_error(&cb) == EINPROGRESS) {
		if (aio_suspend(list, 1, &moment) < 0)
			check_equal(errno, EAGAIN);
		check_is_deferred();
	}
	check_equal(aio_return(&cb), (ssize_t)size);
}

static int keep_type(void)
{
	int direct = direct_file(4096, 0), fds[2];
	char *buf = direct_buffer(4096);
	struct aiocb cb;
	const struct aiocb *list[] = { &cb };
	const struct timespec moment = { .tv_nsec = 1000000 };

	open_pipe(fds);
	submit_read(&cb, fds[0], buf, 1, 0);
	check_equal(aio_suspend(list, 1, &moment), -1);
	check_is_deferred();
	write_fully(fds[1], "x", 1);
	check_equal(outcome(&cb), 1);
	for (int i = 0; direct >= 0 && i < NR_WAITS; i++)
		wait_for_reads(direct, buf, 4096);
	return 0;
}

TEST_IN_CHILD(test_cancellation_ends_aio_suspend, cancel_suspend, 30000)
TEST_IN_CHILD(test_wait_keeps_the_type_of_cancellation, keep_type, 30000)
TEST_OR_SKIP(test_cancelled_wait_cleans_up_under_its_own_mask, cancel_direct_waits, 30000)
TEST_IN_CHILD(test_pending_cancellation_waits_for_a_cancellation_point, ignore_pending_cancel,
	      30000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cancellation_ends_aio_suspend),
		cmocka_unit_test(test_wait_keeps_the_type_of_cancellation),
		cmocka_unit_test(test_cancelled_wait_cleans_up_under_its_own_mask),
		cmocka_unit_test(test_pending_cancellation_waits_for_a_cancellation_point),
	};

	return cmocka_run_group_tests_name("thread_cancel", tests, NULL, NULL);
}
