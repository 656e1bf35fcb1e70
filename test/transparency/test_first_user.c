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
	int policy, nice, io;
};

static struct schedule seen;
static atomic_int nr_called;
static int blocked_fds[2];
static struct aiocb blocked;
static char blocked_byte;

static void get_schedule(struct schedule *schedule)
{
	check_equal(sched_getaffinity(0, sizeof(schedule->cpus), &schedule->cpus), 0);
	schedule->policy = sched_getscheduler(0);
	schedule->nice = getpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid));
	schedule->io = (int)syscall(SYS_ioprio_get, 1, 0);
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

static int look_after_another_thread(void)
{
	struct schedule mine;
	struct aiocb cb;
	bool may_return = false;
	char byte;
	int fds[2];

	get_schedule(&mine);
	open_pipe(blocked_fds);
	open_pipe(fds);
	join_thread(start_thread(try_to_return, &may_return));
	join_thread(start_thread(use_aio_first, &may_return));
	aiocb_init(&cb, fds[0], &byte, 1, 0);
	notify_by_thread(&cb.aio_sigevent, look, NULL);
	check_equal(aio_read(&cb), 0);
	write_fully(fds[1], "x", 1);
	check_equal(outcome(&cb), 1);
	eventually(nr_called == 1);
	check(CPU_EQUAL(&seen.cpus, &mine.cpus));
	check_equal(seen.policy, mine.policy);
	check_equal(seen.nice, mine.nice);
	check_equal(seen.io, mine.io);
	write_fully(blocked_fds[1], "x", 1);
	check_equal(outcome(&blocked), 1);
	return 0;
}

TEST_IN_CHILD(test_threads_have_the_schedule_of_the_process, look_after_another_thread, 15000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads_have_the_schedule_of_the_process),
	};

	return cmocka_run_group_tests_name("first_user", tests, NULL, NULL);
}
