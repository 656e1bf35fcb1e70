// SPDX-License-Identifier: MIT
/*
 * test_first_user.c - the thread that uses AIO first gives the others nothing
 *
 * It keeps to one processor and has a low priority, as a thread that works in the
 * background may.  Its own request blocks, so that with glibc, too, another thread
 * serves the main thread, whose callback shows what that thread has inherited.
 */
#include "transparency.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>

struct schedule {
	cpu_set_t cpus;
	int policy, priority, nice, io;
};

static struct schedule seen;
static atomic_int nr_called;
static int blocked_fds[2];
static struct aiocb blocked;
static char blocked_byte;

static void get_schedule(struct schedule *schedule)
{
	struct sched_param param;

	check_equal(sched_getaffinity(0, sizeof(schedule->cpus), &schedule->cpus), 0);
	check_equal(sched_getparam(0, &param), 0);
	schedule->priority = param.sched_priority;
	schedule->policy = sched_getscheduler(0);
	schedule->nice = getpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid));
	schedule->io = (int)syscall(SYS_ioprio_get, 1, 0);
	/* Without a class the level means nothing, and is 4 or 0 on Linux 5.10. */
	if (schedule->io < 1 << 13)
		schedule->io = 0;
}

static bool set_nice(int value)
{
	return setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), value) == 0;
}

/* In a thread of its own, since without a privilege there is no way back. */
static void *try_to_return(void *may_return)
{
	*(bool *)may_return = set_nice(5) && set_nice(0);
	return NULL;
}

static void go_to_background(bool may_return)
{
	struct sched_param param = { 0 };
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(sched_getcpu(), &cpus);
	check_equal(sched_setaffinity(0, sizeof(cpus), &cpus), 0);
	check_equal(syscall(SYS_ioprio_set, 1, 0, 3 << 13), 0);
	check(!may_return || set_nice(5));
	check_equal(sched_setscheduler(0, may_return ? SCHED_IDLE : SCHED_BATCH, &param), 0);
}

static void *use_aio_first(void *may_return)
{
	go_to_background(*(bool *)may_return);
	submit_read(&blocked, blocked_fds[0], &blocked_byte, 1, 0);
	return NULL;
}

static void look(union sigval value)
{
	(void)value;
	get_schedule(&seen);
	nr_called++;
}

/* In the callback of a read, which has what a thread of the main thread's has. */
static void check_schedule(const struct schedule *expected)
{
	struct aiocb cb;
	char byte;
	int fds[2];

	open_pipe(fds);
	aiocb_init(&cb, fds[0], &byte, 1, 0);
	notify_by_thread(&cb.aio_sigevent, look, NULL);
	check_equal(aio_read(&cb), 0);
	write_fully(fds[1], "x", 1);
	check_equal(outcome(&cb), 1);
	eventually(nr_called == 1);
	check(CPU_EQUAL(&seen.cpus, &expected->cpus));
	check_equal(seen.policy, expected->policy);
	check_equal(seen.priority, expected->priority);
	check_equal(seen.nice, expected->nice);
	check_equal(seen.io, expected->io);
	write_fully(blocked_fds[1], "x", 1);
	check_equal(outcome(&blocked), 1);
}

static int look_after_another_thread(void)
{
	bool may_return = false;
	struct schedule mine;

	get_schedule(&mine);
	open_pipe(blocked_fds);
	join_thread(start_thread(try_to_return, &may_return));
	join_thread(start_thread(use_aio_first, &may_return));
	check_schedule(&mine);
	return 0;
}

/* ---- priorities ---- */

static int set_policy(int policy, int priority)
{
	return sched_setscheduler(0, policy, &(struct sched_param){ .sched_priority = priority });
}

static void *use_aio_with_priority(void *arg)
{
	(void)arg;
	check_equal(set_policy(SCHED_FIFO, 2), 0);
	submit_read(&blocked, blocked_fds[0], &blocked_byte, 1, 0);
	return NULL;
}

/* Both are real-time threads, of which the first user has the higher priority. */
static int look_after_a_higher_priority(void)
{
	struct schedule mine;

	if (set_policy(SCHED_FIFO, 1) < 0) {
		printf("no real-time priority here");
		return CHILD_SKIPPED;
	}
	get_schedule(&mine);
	open_pipe(blocked_fds);
	join_thread(start_thread(use_aio_with_priority, NULL));
	check_schedule(&mine);
	return 0;
}

/* The main thread keeps its priority to itself: no thread that it makes has it. */
static int look_where_nothing_is_inherited(void)
{
	struct schedule expected;

	get_schedule(&expected);
	if (expected.nice != 0 || !set_nice(-5) ||
	    set_policy(SCHED_FIFO | SCHED_RESET_ON_FORK, 1) < 0) {
		printf("no real-time priority here");
		return CHILD_SKIPPED;
	}
	open_pipe(blocked_fds);
	submit_read(&blocked, blocked_fds[0], &blocked_byte, 1, 0);
	check_schedule(&expected);
	return 0;
}

TEST_IN_CHILD(test_threads_have_the_schedule_of_the_process, look_after_another_thread, 15000)
TEST_OR_SKIP(test_threads_have_the_priority_of_the_process, look_after_a_higher_priority, 15000)
TEST_OR_SKIP(test_threads_have_no_priority_that_is_not_inherited, look_where_nothing_is_inherited,
	     15000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads_have_the_schedule_of_the_process),
		cmocka_unit_test(test_threads_have_the_priority_of_the_process),
		cmocka_unit_test(test_threads_have_no_priority_that_is_not_inherited),
	};

	return cmocka_run_group_tests_name("first_user", tests, NULL, NULL);
}
