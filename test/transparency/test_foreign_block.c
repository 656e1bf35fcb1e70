// SPDX-License-Identifier: MIT
/*
 * test_foreign_block.c - a process waits for a block that another one has in flight
 *
 * The child of a fork has copies of blocks that are in progress, and may share memory with others
 * where such blocks lie.  A wait for one sleeps; it ends when the block does, if it is shared, else
 * by its timeout or a signal.  It can be neither cancelled nor mistaken for one that has ended.
 */
#include "transparency.h"

#include <sys/mman.h>

#define WAIT_NS 300000000

static struct aiocb *block; /* in the parent's hands */
static int fds[2];

static void submit_in_parent(int flags)
{
	static char byte;

	block = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);
	check(block != MAP_FAILED);
	open_pipe(fds);
	submit_read(block, fds[0], &byte, 1, 0);
}

static void end_in_parent(void)
{
	write_fully(fds[1], "x", 1);
	check_equal(outcome(block), 1);
}

static int suspend_for(uint64_t ns)
{
	struct timespec timeout = { (time_t)(ns / 1000000000), (long)(ns % 1000000000) };
	const struct aiocb *list[] = { NULL, block };

	return aio_suspend(list, 2, &timeout);
}

static uint64_t cpu_ns(void)
{
	struct timespec now;

	check_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now), 0);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void sleep_until_timeout(void)
{
	uint64_t start = now_ns(), cpu = cpu_ns();

	check_equal(suspend_for(WAIT_NS), -1);
	check_equal(errno, EAGAIN);
	check(now_ns() - start >= WAIT_NS);
	check(cpu_ns() - cpu < (now_ns() - start) / 4);
}

static void cancel_nothing(void)
{
	check_equal(aio_cancel(fds[0], block), AIO_NOTCANCELED);
	check_equal(aio_error(block), EINPROGRESS);
}

static void ignore(int signo)
{
	(void)signo;
}

static void sleep_until_signal(void)
{
	const struct aiocb *list[] = { block };
	const struct itimerspec soon = { { .tv_nsec = WAIT_NS }, { .tv_nsec = WAIT_NS } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	timer_t timer;

	handle_signal(SIGUSR1, ignore, 0);
	check_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	check_equal(timer_settime(timer, 0, &soon, NULL), 0);
	check_equal(aio_suspend(list, 1, NULL), -1);
	check_equal(errno, EINTR);
}

static void *sleep_for_ever(void *arg)
{
	const struct aiocb *list[] = { block };

	(void)arg;
	aio_suspend(list, 1, NULL);
	return NULL;
}

static void cancel_thread(void)
{
	pthread_t thread = start_thread(sleep_for_ever, NULL);
	void *result;

	eventually(others_are_asleep());
	check_equal(pthread_cancel(thread), 0);
	check_equal(pthread_join(thread, &result), 0);
	check(result == PTHREAD_CANCELED);
}

/* A request of its own, waited for with the other one: its end is seen. */
static void wait_for_own_too(void)
{
	struct aiocb own;
	const struct aiocb *list[] = { block, &own };
	struct timespec timeout = { .tv_sec = 10 };
	int others[2];
	char byte;

	open_pipe(others);
	submit_read(&own, others[0], &byte, 1, 0);
	write_fully(others[1], "x", 1);
	while (aio_error(&own) == EINPROGRESS)
		check_equal(aio_suspend(list, 2, &timeout), 0);
	check_equal(aio_return(&own), 1);
}

/* The other way round, after the fork: the requests of both are the first of their kind. */
static int parent_waits(void)
{
	struct aiocb own;
	char bytes[2];
	int others[2];
	pid_t pid;

	block = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_SHARED, -1, 0);
	check(block != MAP_FAILED);
	open_pipe(fds);
	open_pipe(others);
	pid = fork();
	if (!pid) {
		submit_read(block, fds[0], &bytes[0], 1, 0);
		check_equal(outcome(block), 1);
		_exit(0);
	}
	submit_read(&own, others[0], &bytes[1], 1, 0);
	eventually(aio_error(block) == EINPROGRESS);
	sleep_until_timeout();
	cancel_nothing();
	write_fully(fds[1], "x", 1);
	check_child(pid);
	check_equal(suspend_for(WAIT_NS), 0);
	write_fully(others[1], "x", 1);
	check_equal(outcome(&own), 1);
	return 0;
}

/* Blocks that say so by accident, as garbage does: nobody has them, and nobody hangs. */
static int hold_blocks_of_nobody(void)
{
	static const int garbage[] = { 0, 0x5a, 0xff };
	struct aiocb nobodys;
	struct timespec timeout = { .tv_nsec = 10000000 };
	const struct aiocb *list[] = { &nobodys };

	use_aio_briefly();
	open_pipe(fds);
	for (int i = 0; i < 3; i++) {
		memset(&nobodys, garbage[i], sizeof(nobodys));
		nobodys.aio_fildes = fds[0];
		nobodys.__error_code = EINPROGRESS;
		check(aio_cancel(fds[0], &nobodys) != AIO_CANCELED);
		check_equal(aio_error(&nobodys), EINPROGRESS);
		if (aio_suspend(list, 1, &timeout) < 0)
			check_equal(errno, EAGAIN);
	}
	use_aio_briefly();
	return 0;
}

TEST_IN_CHILD(test_blocks_of_nobody_hold_up_nobody, hold_blocks_of_nobody, 15000)

static int child_does(void *arg)
{
	void (*function)(void) = *(void (**)(void))arg;
	pid_t pid;

	submit_in_parent(MAP_PRIVATE);
	pid = fork();
	if (!pid) {
		function();
		_exit(0);
	}
	check_child(pid);
	end_in_parent();
	return 0;
}

static int child_sees_end(void)
{
	pid_t pid;

	submit_in_parent(MAP_SHARED);
	pid = fork();
	if (!pid) {
		uint64_t until = now_ns() + stretched_ns(10000000000);

		sleep_until_timeout();
		write_fully(fds[1], "x", 1);
		while (aio_error(block) == EINPROGRESS) {
			check(now_ns() < until);
			suspend_for(WAIT_NS);
		}
		check_equal(aio_return(block), 1);
		_exit(0);
	}
	check_child(pid);
	check_equal(outcome(block), 1);
	return 0;
}

#define TEST_CHILD(test, function)                                                                \
	static void test(void **state)                                                            \
	{                                                                                         \
		void (*does)(void) = function;                                                    \
		(void)state;                                                                      \
		support_check_child(in_child_with(child_does, &does, 20000), #function, __FILE__, \
				    __LINE__);                                                    \
	}

TEST_CHILD(test_child_sleeps_until_the_timeout, sleep_until_timeout)
TEST_CHILD(test_child_sleeps_until_a_signal, sleep_until_signal)
TEST_CHILD(test_child_is_cancelled_while_it_sleeps, cancel_thread)
TEST_CHILD(test_child_cancels_nothing, cancel_nothing)
TEST_CHILD(test_child_waits_for_a_request_of_its_own, wait_for_own_too)
TEST_IN_CHILD(test_parent_sleeps_while_its_child_has_a_block, parent_waits, 30000)
TEST_IN_CHILD(test_end_of_a_shared_block_is_seen, child_sees_end, 30000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_child_sleeps_until_the_timeout),
		cmocka_unit_test(test_child_sleeps_until_a_signal),
		cmocka_unit_test(test_child_is_cancelled_while_it_sleeps),
		cmocka_unit_test(test_child_cancels_nothing),
		cmocka_unit_test(test_child_waits_for_a_request_of_its_own),
		cmocka_unit_test(test_parent_sleeps_while_its_child_has_a_block),
		cmocka_unit_test(test_end_of_a_shared_block_is_seen),
		cmocka_unit_test(test_blocks_of_nobody_hold_up_nobody),
	};

	return cmocka_run_group_tests_name("foreign_block", tests, NULL, NULL);
}
