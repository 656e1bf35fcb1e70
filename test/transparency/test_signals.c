// SPDX-License-Identifier: MIT
/*
 * test_signals.c - signals that must not go astray
 *
 * The library's own threads take no signal of the program, and no function
 * changes the caller's signal mask.  test_handlers has handlers that use AIO.
 */
#include "transparency.h"

#include <stdatomic.h>
#include <sys/syscall.h>

/* ---- masks ---- */

static void check_mask(const sigset_t *expected)
{
	sigset_t now;

	check_equal(pthread_sigmask(SIG_BLOCK, NULL, &now), 0);
	for (int signo = 1; signo < NSIG; signo++)
		check_equal(sigismember(&now, signo), sigismember(expected, signo));
}

static void *call_with_mask(void *arg)
{
	struct aiocb first, second, *const list[] = { &first, &second };
	struct timespec at_once = { 0 };
	int fd = temp_file_filled(8192);
	sigset_t set;
	char buf[4096];
	int fds[2];

	(void)arg;
	open_pipe(fds);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN + 3);
	check_equal(pthread_sigmask(SIG_SETMASK, &set, NULL), 0);
	submit_read(&first, fd, buf, sizeof(buf), 0);
	check_mask(&set);
	outcome(&first);
	check_mask(&set);
	submit_write(&first, fd, buf, sizeof(buf), 0);
	check_mask(&set);
	outcome(&first);
	aiocb_init(&first, fd, NULL, 0, 0);
	check_equal(aio_fsync(O_SYNC, &first), 0);
	check_mask(&set);
	outcome(&first);
	submit_read(&first, fds[0], buf, 1, 0);
	check_mask(&set);
	aio_suspend((const struct aiocb *const *)list, 1, &at_once);
	check_mask(&set);
	aio_cancel(fds[0], &first);
	check_mask(&set);
	write_fully(fds[1], "x", 1);
	outcome(&first);
	for (int mode = LIO_WAIT; mode <= LIO_NOWAIT; mode++) {
		aiocb_init_lio(&first, LIO_READ, fd, buf, 1, 0);
		aiocb_init_lio(&second, LIO_READ, fd, buf + 1, 1, 0);
		check_equal(lio_listio(mode, list, 2, NULL), 0);
		check_mask(&set);
		outcome(&first);
		outcome(&second);
	}
	check_mask(&set);
	return NULL;
}

static int keep_mask(void)
{
	call_with_mask(NULL);
	join_thread(start_thread(call_with_mask, NULL));
	return 0;
}

TEST_IN_CHILD(test_no_function_changes_the_signal_mask, keep_mask, 20000)

/* ---- signals to the process ---- */

static atomic_int nr_usr1;
static atomic_int usr1_tid;

static void note_thread(int signo)
{
	(void)signo;
	usr1_tid = gettid();
	atomic_fetch_add(&nr_usr1, 1);
}

static void note_caller(union sigval value)
{
	atomic_store((atomic_int *)value.sival_ptr, gettid());
}

/* All threads of the program block the signal: no other may take it. */
static bool stays_pending(void)
{
	int before = nr_usr1;
	struct timespec no_time = { 0 };
	sigset_t set;

	check_equal(kill(getpid(), SIGUSR1), 0);
	use_aio_briefly();
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	return sigtimedwait(&set, NULL, &no_time) == SIGUSR1 && nr_usr1 == before;
}

static int block_in_program(void)
{
	atomic_int caller = 0;
	struct aiocb cb, waiting;
	sigset_t set;
	char byte;
	int fds[2];

	handle_signal(SIGUSR1, note_thread, 0);
	change_mask(SIG_BLOCK, SIGUSR1);
	open_pipe(fds);
	use_aio();
	submit_read(&waiting, fds[0], &byte, 1, 0);
	for (int i = 0; i < 200; i++)
		check(stays_pending());
	/* A thread that ran a callback may take a signal until it has ended. */
	aiocb_init(&cb, fds[1], "x", 1, 0);
	notify_by_thread(&cb.aio_sigevent, note_caller, &caller);
	check_equal(aio_write(&cb), 0);
	check_equal(outcome(&waiting), 1);
	eventually(caller && thread_has_ended(caller));
	for (int i = 0; i < 50; i++)
		check(stays_pending());
	/* Once the program takes it, its own thread does. */
	nr_usr1 = 0;
	check_equal(kill(getpid(), SIGUSR1), 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	check_equal(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
	check_equal(nr_usr1, 1);
	check_equal(usr1_tid, gettid());
	return 0;
}

TEST_IN_CHILD(test_signals_run_on_threads_of_the_program_only, block_in_program, 30000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_function_changes_the_signal_mask),
		cmocka_unit_test(test_signals_run_on_threads_of_the_program_only),
	};

	return cmocka_run_group_tests_name("signals", tests, NULL, NULL);
}
