// SPDX-License-Identifier: MIT
/*
 * test_callbacks_odd.c - callbacks that no thread can run, or that end or hold theirs
 *
 * Attributes by which no thread can be made spoil neither the data of their
 * request nor later callbacks.  Callbacks may end their threads more often than
 * there may be threads for callbacks (RTAIO_CALLBACKS).
 */
#include "transparency.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

static atomic_int nr_called;

static void count(union sigval value)
{
	(void)value;
	nr_called++;
}

static void count_and_exit(union sigval value)
{
	(void)value;
	nr_called++;
	pthread_exit(NULL);
}

/* ---- attributes ---- */

/* No machine has that processor, and if one has, the callback simply runs. */
static int use_impossible_affinity(void)
{
	pthread_attr_t attr;
	cpu_set_t cpus;

	/* Read at the first use of AIO: fewer than threads that cannot be made. */
	setenv("RTAIO_CALLBACKS", "4", 1);
	CPU_ZERO(&cpus);
	CPU_SET(CPU_SETSIZE - 1, &cpus);
	check_equal(pthread_attr_init(&attr), 0);
	check_equal(pthread_attr_setaffinity_np(&attr, sizeof(cpus), &cpus), 0);
	for (int i = 0; i < 5; i++) {
		int nr_before;

		read_with_callback(count, &attr);
		nr_before = nr_called;
		read_with_callback(count, NULL);
		eventually(nr_called > nr_before);
	}
	use_aio();
	eventually(nr_called >= 5);
	eventually(nr_threads() == 1);
	check(nr_called <= 10);
	pthread_attr_destroy(&attr);
	return 0;
}

TEST_IN_CHILD(test_attributes_without_a_thread_spoil_nothing_else, use_impossible_affinity, 30000)

/* The first of them is beyond what a cpu_set_t can say. */
#define NR_CPUS 4096

/* A set of so many that has the processor at hand and the last one. */
static int use_large_affinity(void)
{
	cpu_set_t *cpus = CPU_ALLOC(NR_CPUS);
	size_t size = CPU_ALLOC_SIZE(NR_CPUS);
	pthread_attr_t attr;

	CPU_ZERO_S(size, cpus);
	CPU_SET_S(sched_getcpu(), size, cpus);
	CPU_SET_S(NR_CPUS - 1, size, cpus);
	check_equal(pthread_attr_init(&attr), 0);
	check_equal(pthread_attr_setaffinity_np(&attr, size, cpus), 0);
	read_with_callback(count, &attr);
	eventually(nr_called == 1);
	pthread_attr_destroy(&attr);
	CPU_FREE(cpus);
	return 0;
}

static char *own_stack;
static atomic_bool is_on_own_stack;

static void find_stack(union sigval value)
{
	char here;

	is_on_own_stack = &here > own_stack && &here < own_stack + value.sival_int;
	nr_called++;
}

static int use_own_stack(void)
{
	enum { SIZE = 256 << 10 };
	union sigval size = { .sival_int = SIZE };
	struct sigevent event;
	pthread_attr_t attr;
	struct aiocb cb;

	own_stack = direct_buffer(SIZE);
	check_equal(pthread_attr_init(&attr), 0);
	check_equal(pthread_attr_setstack(&attr, own_stack, SIZE), 0);
	notify_by_thread(&event, find_stack, NULL);
	event.sigev_value = size;
	event.sigev_notify_attributes = &attr;
	submit_notified_read(&cb, temp_file_filled(100), &event);
	eventually(nr_called == 1);
	check(is_on_own_stack);
	pthread_attr_destroy(&attr);
	return 0;
}

/* A priority that this user may not have.  Without a thread there is no callback on glibc. */
static int use_forbidden_policy(void)
{
	struct sched_param param = { .sched_priority = 1 };
	pthread_attr_t attr;

	become_nobody();
	set_soft_limit(RLIMIT_RTPRIO, 0);
	check_equal(pthread_attr_init(&attr), 0);
	check_equal(pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED), 0);
	check_equal(pthread_attr_setschedpolicy(&attr, SCHED_FIFO), 0);
	check_equal(pthread_attr_setschedparam(&attr, &param), 0);
	read_with_callback(count, &attr);
	read_with_callback(count, NULL);
	eventually(nr_called == 2);
	pthread_attr_destroy(&attr);
	return 0;
}

TEST_IN_CHILD(test_attributes_with_more_processors_than_usual_are_taken, use_large_affinity, 15000)
TEST_IN_CHILD(test_callback_runs_on_the_stack_of_its_attributes, use_own_stack, 15000)
TEST_IN_CHILD(test_callback_comes_without_a_policy_it_may_not_have, use_forbidden_policy, 15000)

/* ---- pthread_exit ---- */

#define CALLBACKS_MAX 4
#define NR_EXITS      40

static int exit_often(void)
{
	/* Read at the first use of AIO, which is still to come in this process. */
	setenv("RTAIO_CALLBACKS", "4", 1);
	for (int i = 0; i < NR_EXITS; i++) {
		read_with_callback(count_and_exit, NULL);
		eventually(nr_called == i + 1);
	}
	for (int i = 0; i < 2 * CALLBACKS_MAX; i++)
		read_with_callback(count, NULL);
	eventually(nr_called == NR_EXITS + 2 * CALLBACKS_MAX);
	eventually(nr_threads() == 1);
	return 0;
}

/* All at the same time, more than there may be threads. */
static int exit_together(void)
{
	static struct aiocb cbs[NR_EXITS];
	static char bytes[NR_EXITS];
	int fds[2];

	setenv("RTAIO_CALLBACKS", "4", 1);
	open_pipe(fds);
	for (int i = 0; i < NR_EXITS; i++) {
		aiocb_init(&cbs[i], fds[0], &bytes[i], 1, 0);
		notify_by_thread(&cbs[i].aio_sigevent, count_and_exit, NULL);
		check_equal(aio_read(&cbs[i]), 0);
	}
	for (int i = 0; i < NR_EXITS; i++)
		write_fully(fds[1], "x", 1);
	for (int i = 0; i < NR_EXITS; i++)
		check_equal(outcome(&cbs[i]), 1);
	eventually(nr_called == NR_EXITS);
	read_with_callback(count, NULL);
	eventually(nr_called == NR_EXITS + 1);
	return 0;
}

TEST_IN_CHILD(test_more_callbacks_than_threads_may_end_theirs, exit_often, 30000)
TEST_IN_CHILD(test_many_callbacks_at_once_may_end_their_threads, exit_together, 30000)

/* ---- callbacks that wait ---- */

#define NR_WAITING  400
#define NR_TOGETHER 100

static atomic_int nr_running;
static sem_t turn;

static void await_turn(union sigval value)
{
	(void)value;
	nr_running++;
	check_equal(sem_wait(&turn), 0);
	nr_running--;
	nr_called++;
}

/* One goes on every now and then, so that they never all hang; the others shall not queue up. */
static int wait_in_turn(void)
{
	static struct aiocb cbs[NR_WAITING];
	int fd = temp_file_filled(1000), nr_turns = 0;
	struct sigevent event;

	sem_init(&turn, 0, 0);
	notify_by_thread(&event, await_turn, NULL);
	for (int i = 0; i < NR_WAITING; i++)
		submit_notified_read(&cbs[i], fd, &event);
	for (; nr_turns < NR_WAITING - NR_TOGETHER && nr_running < NR_TOGETHER; nr_turns++) {
		eventually(nr_running > 0);
		sem_post(&turn);
		eventually(nr_called > nr_turns);
		short_pause();
	}
	check(nr_running >= NR_TOGETHER);
	for (; nr_turns < NR_WAITING; nr_turns++)
		sem_post(&turn);
	eventually(nr_called == NR_WAITING);
	return 0;
}

TEST_IN_CHILD(test_callbacks_that_wait_in_turn_run_together, wait_in_turn, 60000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attributes_without_a_thread_spoil_nothing_else),
		cmocka_unit_test(test_attributes_with_more_processors_than_usual_are_taken),
		cmocka_unit_test(test_callback_runs_on_the_stack_of_its_attributes),
		cmocka_unit_test(test_callback_comes_without_a_policy_it_may_not_have),
		cmocka_unit_test(test_more_callbacks_than_threads_may_end_theirs),
		cmocka_unit_test(test_many_callbacks_at_once_may_end_their_threads),
		cmocka_unit_test(test_callbacks_that_wait_in_turn_run_together),
	};

	return cmocka_run_group_tests_name("callbacks_odd", tests, NULL, NULL);
}
