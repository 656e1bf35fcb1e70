// SPDX-License-Identifier: MIT
/*
 * test_waitcomplete_life.c - aio_waitcomplete() with handlers of signals, and in processes that
 * fork
 */
#include "waitcomplete.h"

#include <setjmp.h>

/* ---- handlers that end a wait ---- */

static int handler_ends_it(void)
{
	struct waiter waiter;

	catch_signal(SIGUSR1, 0);
	begin_wait(&waiter);
	pthread_kill(waiter.thread, SIGUSR1);
	check_equal(end_wait(&waiter, NULL), -EINTR);
	return 0;
}

static int restarted(void)
{
	static struct aiocb cb;
	struct waiter waiter;

	catch_signal(SIGUSR1, SA_RESTART);
	begin_wait(&waiter);
	pthread_kill(waiter.thread, SIGUSR1);
	eventually(nr_caught() == 1);
	eventually(thread_sleeps(waiter.tid));
	read_byte(&cb);
	check_equal(end_wait(&waiter, &cb), 1);
	return 0;
}

TEST_WAITCOMPLETE(test_handler_ends_the_wait, handler_ends_it, 20000)
TEST_WAITCOMPLETE(test_restarting_handler_does_not_end_the_wait, restarted, 20000)

/* ---- handlers that collect requests, and that jump out of a wait ---- */

#define NR_INTERRUPTED 5000

static struct aiocb interrupted_cb[NR_INTERRUPTED], handler_cb;
static _Atomic int nr_of_cb[NR_INTERRUPTED];
static _Atomic bool handler_is_over;

static void note_collected(const struct aiocb *cb, ssize_t res)
{
	check_equal(res, 1);
	if (cb != &handler_cb)
		nr_of_cb[cb - interrupted_cb]++;
}

static void submit_and_collect(int signo)
{
	const struct aiocb *cb;
	ssize_t res;

	(void)signo;
	read_byte(&handler_cb);
	do {
		cb = collect(&res, NULL);
		if (cb)
			note_collected(cb, res);
	} while (cb != &handler_cb);
	if (!handler_is_over)
		wind_timer(100);
}

static int in_handlers(void)
{
	static char bytes[NR_INTERRUPTED];
	int fd = temp_file_filled(NR_INTERRUPTED);
	const struct aiocb *cb;
	ssize_t res;

	check_nothing_left();
	read_byte(&handler_cb); /* opens its file */
	check_equal(collect_this(&handler_cb), 1);
	handle_signal(SIGALRM, submit_and_collect, SA_RESTART);
	wind_timer(100);
	for (int i = 0; i < NR_INTERRUPTED; i++) {
		submit_read(&interrupted_cb[i], fd, &bytes[i], 1, i);
		while ((cb = collect(&res, &at_once)))
			note_collected(cb, res);
		check(res == -EAGAIN || res == -EINTR);
	}
	handler_is_over = true;
	change_mask(SIG_BLOCK, SIGALRM);
	for (int i = 0; i < NR_INTERRUPTED; i++) {
		eventually(aio_error(&interrupted_cb[i]) == 0);
		while ((cb = collect(&res, &at_once)))
			note_collected(cb, res);
		check_equal(nr_of_cb[i], 1);
	}
	return 0;
}

static sigjmp_buf before_wait;

static void jump(int signo)
{
	(void)signo;
	siglongjmp(before_wait, 1);
}

static int jumps(void)
{
	static struct aiocb cb;
	volatile int round = 0;
	uint64_t began = now_ns();
	char *buf = direct_buffer(4096);
	int fd = direct_file(4096, 0);
	ssize_t res;

	if (fd < 0)
		fd = temp_file_filled(4096);
	check_nothing_left();
	handle_signal(SIGALRM, jump, 0);
	while (goes_on(++round, 100, began)) {
		if (sigsetjmp(before_wait, 1) == 0) {
			wind_timer(1000);
			collect(&res, NULL);
			check_failed("the wait has ended: %s", strerror((int)-res));
		}
		submit_read(&cb, fd, buf, 4096, 0);
		check_equal(collect_this(&cb), 4096);
	}
	check_nothing_left();
	return 0;
}

TEST_WAITCOMPLETE(test_handlers_collect, in_handlers, 60000)
TEST_WAITCOMPLETE(test_handler_may_jump_out_of_the_wait, jumps, 60000)

/* ---- fork ---- */

static int child_of_waiters(void)
{
	static struct aiocb done, cb;
	struct waiter waiter;
	pid_t child;

	check_nothing_left();
	read_byte(&done);
	eventually(aio_error(&done) == 0);
	child = fork();
	if (child == 0) {
		check_nothing_left();
		check_equal(aio_return(&done), 1);
		read_byte(&cb);
		check_equal(collect_this(&cb), 1);
		check_nothing_left();
		_exit(0);
	}
	check_child(child);
	check_equal(collect_this(&done), 1);
	begin_wait(&waiter);
	child = fork();
	if (child == 0) {
		read_byte(&cb);
		check_equal(collect_this(&cb), 1);
		check_nothing_left();
		_exit(0);
	}
	check_child(child);
	read_byte(&cb);
	check_equal(end_wait(&waiter, &cb), 1);
	return 0;
}

static void return_and_collect(void)
{
	struct aiocb cbs[2];
	ssize_t res;

	for (int i = 0; i < 2; i++)
		read_byte(&cbs[i]);
	for (int i = 0; i < 2; i++)
		check_equal(await_result(&cbs[i]), 1);
	collect(&res, &at_once);
}

/*
 * A child can call aio_return() for a request of its parent, whatever the other threads did at the
 * fork.
 */
static int fork_storm(void)
{
	static struct aiocb done;
	uint64_t began = now_ns();

	read_byte(&done);
	check_equal(await_result(&done), 1);
	check_nothing_left();
	begin_storm(return_and_collect);
	for (int i = 1; goes_on(i, 300, began); i++) {
		pid_t child = fork();

		if (child == 0) {
			check_equal(aio_return(&done), 1);
			check_nothing_left();
			_exit(0);
		}
		check_child(child);
	}
	end_storm();
	return 0;
}

static _Atomic pid_t forked; /* 0 in the child */
static _Atomic int nr_forked;

static void fork_in_handler(int signo)
{
	(void)signo;
	forked = fork();
	nr_forked++;
}

/* The child returns from the handler into the wait, which must end. */
static int fork_in_waits(void)
{
	struct timespec short_wait = { .tv_nsec = 2000000 };
	uint64_t began = now_ns();
	ssize_t res;

	check_nothing_left();
	handle_signal(SIGALRM, fork_in_handler, 0);
	change_mask(SIG_BLOCK, SIGALRM); /* in the other threads */
	begin_storm(return_and_collect);
	change_mask(SIG_UNBLOCK, SIGALRM);
	for (int i = 1; goes_on(i, 300, began); i++) {
		forked = -1;
		nr_forked = 0;
		wind_timer(200);
		while (nr_forked == 0)
			(void)collect(&res, &short_wait);
		if (forked == 0)
			_exit(collect(&res, &at_once) ? 1 : 0);
		check_child(forked);
	}
	end_storm();
	return 0;
}

TEST_WAITCOMPLETE(test_child_has_completions_of_its_own, child_of_waiters, 20000)
TEST_WAITCOMPLETE(test_children_collect_amid_a_storm, fork_storm, 60000)
TEST_WAITCOMPLETE(test_wait_ends_in_a_child_that_its_handler_forks, fork_in_waits, 60000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handler_ends_the_wait),
		cmocka_unit_test(test_restarting_handler_does_not_end_the_wait),
		cmocka_unit_test(test_handlers_collect),
		cmocka_unit_test(test_handler_may_jump_out_of_the_wait),
		cmocka_unit_test(test_child_has_completions_of_its_own),
		cmocka_unit_test(test_children_collect_amid_a_storm),
		cmocka_unit_test(test_wait_ends_in_a_child_that_its_handler_forks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
