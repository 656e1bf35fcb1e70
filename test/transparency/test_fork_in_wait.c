// SPDX-License-Identifier: MIT
/*
 * test_fork_in_wait.c - a handler that forks and returns into a call that waits, in both processes
 *
 * The child finds itself in aio_cancel(), close(), aio_suspend() or lio_listio(), waiting for
 * threads that it does not have.  Each call returns there, and the child uses AIO as it likes.
 * The parent's call goes on.
 */
#include "transparency.h"

#include <sys/time.h>

#define NR_FORKS  80
#define PERIOD_US 700
#define NR_QUEUED 4

static volatile sig_atomic_t is_inside, is_child, nr_forks;

static void set_timer(long us)
{
	struct itimerval timer = { { 0, us }, { 0, us } };

	check_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

/* Without SA_RESTART: where a wait ends by a signal it ends in the child, too. */
static void fork_inside(int signo)
{
	int error = errno;
	pid_t pid;

	(void)signo;
	if (!is_inside || is_child)
		return;
	is_inside = false;
	pid = fork();
	if (pid == 0) {
		is_child = true;
		set_timer(PERIOD_US); /* nothing else ends what waits for the parent's requests */
	} else {
		check_child(pid);
	}
	nr_forks++;
	errno = error;
}

/* The request that the parent waits for is not the child's; all else works. */
static void end_child(void)
{
	if (!is_child)
		return;
	set_timer(0);
	use_aio_briefly();
	_exit(0);
}

/* ---- calls ---- */

static struct aiocb cbs[NR_QUEUED];
static char bytes[NR_QUEUED], direct_bytes[4096] __attribute__((aligned(4096)));
static int fds[2];

static void queue_reads(void)
{
	open_pipe(fds);
	for (int i = 0; i < NR_QUEUED; i++)
		submit_read(&cbs[i], fds[0], &bytes[i], 1, 0);
}

static void end_reads(void)
{
	end_child();
	close(fds[1]);
	for (int i = 0; i < NR_QUEUED; i++) {
		ssize_t res = outcome(&cbs[i]);

		check(res == -ECANCELED || res == 0);
	}
}

static void cancel_once(void)
{
	int ret;

	queue_reads();
	is_inside = true;
	ret = aio_cancel(fds[0], NULL);
	is_inside = false;
	check(ret == AIO_CANCELED || ret == AIO_NOTCANCELED || (is_child && ret == AIO_ALLDONE));
	end_reads();
	close(fds[0]);
}

static void close_once(void)
{
	queue_reads();
	is_inside = true;
	check_equal(close(fds[0]), 0);
	is_inside = false;
	check_equal(fcntl(fds[0], F_GETFD), -1);
	end_reads();
}

/* Nobody writes before the signal has come. */
static void suspend_once(void)
{
	const struct aiocb *list[] = { &cbs[0], &cbs[1] };

	queue_reads();
	is_inside = true;
	check_equal(aio_suspend(list, 2, NULL), -1);
	check_equal(errno, EINTR);
	end_reads();
	close(fds[0]);
}

static void list_once(void)
{
	struct aiocb *list[] = { &cbs[0], &cbs[1] };

	open_pipe(fds);
	for (int i = 0; i < NR_QUEUED; i++)
		aiocb_init_lio(&cbs[i], LIO_READ, fds[0], &bytes[i], 1, 0);
	is_inside = true;
	check_equal(lio_listio(LIO_WAIT, list, 2, NULL), -1);
	check_equal(errno, EINTR);
	end_child();
	close(fds[1]);
	for (int i = 0; i < 2; i++)
		check_equal(outcome(&cbs[i]), 0);
	close(fds[0]);
}

static int direct;

/* It may be over before the signal comes. */
static void suspend_past_the_cache_once(void)
{
	const struct aiocb *list[] = { &cbs[0] };

	submit_read(&cbs[0], direct, direct_bytes, sizeof(direct_bytes), 0);
	is_inside = true;
	check(aio_suspend(list, 1, NULL) == 0 || errno == EINTR);
	is_inside = false;
	end_child();
	check_equal(outcome(&cbs[0]), sizeof(direct_bytes));
}

static int fork_in(void (*once)(void))
{
	uint64_t end = now_ns() + stretched_ns(15000000000);

	use_aio();
	handle_signal(SIGALRM, fork_inside, 0);
	set_timer(PERIOD_US);
	while (nr_forks < NR_FORKS && now_ns() < end)
		once();
	set_timer(0);
	/* Some calls are so short that few signals come in them. */
	check(nr_forks > 0);
	use_aio();
	return 0;
}

static int fork_in_cancel(void)
{
	return fork_in(cancel_once);
}

static int fork_in_close(void)
{
	return fork_in(close_once);
}

static int fork_in_suspend(void)
{
	return fork_in(suspend_once);
}

static int fork_in_suspend_past_the_cache(void)
{
	direct = direct_file(sizeof(direct_bytes), 0);
	if (direct < 0) {
		printf("no O_DIRECT here");
		return CHILD_SKIPPED;
	}
	return fork_in(suspend_past_the_cache_once);
}

static int fork_in_list(void)
{
	return fork_in(list_once);
}

TEST_IN_CHILD(test_fork_in_aio_cancel, fork_in_cancel, 40000)
TEST_IN_CHILD(test_fork_in_close, fork_in_close, 40000)
TEST_IN_CHILD(test_fork_in_aio_suspend, fork_in_suspend, 40000)
TEST_OR_SKIP(test_fork_in_aio_suspend_past_the_cache, fork_in_suspend_past_the_cache, 40000)
TEST_IN_CHILD(test_fork_in_lio_listio, fork_in_list, 40000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fork_in_aio_cancel),
		cmocka_unit_test(test_fork_in_close),
		cmocka_unit_test(test_fork_in_aio_suspend),
		cmocka_unit_test(test_fork_in_aio_suspend_past_the_cache),
		cmocka_unit_test(test_fork_in_lio_listio),
	};

	return cmocka_run_group_tests_name("fork_in_wait", tests, NULL, NULL);
}
