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
	eventually(nr_tasks() == 1);
	check(nr_called <= 10);
	pthread_attr_destroy(&attr);
	return 0;
}

TEST_IN_CHILD(test_attributes_without_a_thread_spoil_nothing_else, use_impossible_affinity, 30000)

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
	eventually(nr_tasks() == 1);
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
		cmocka_unit_test(test_more_callbacks_than_threads_may_end_theirs),
		cmocka_unit_test(test_many_callbacks_at_once_may_end_their_threads),
		cmocka_unit_test(test_callbacks_that_wait_in_turn_run_together),
	};

	return cmocka_run_group_tests_name("callbacks_odd", tests, NULL, NULL);
}
