// SPDX-License-Identifier: MIT
/*
 * test_offload_life.c - what happens to a program amid offloaded requests
 *
 * A fork or a signal between submission and completion changes nothing for a
 * request that a worker serves (test_offload.c), nor does it
 * matter which thread submits and which one collects.
 */
#include "offload.h"

#include <sys/time.h>

/* ---- fork ---- */

static struct work forked_work;

static void use_deep(int fd)
{
	struct work work;
	unsigned int seed = 3;

	work_open_filled(&work, fd, 0, 64 * BLOCK, 2 * BLOCK, DEPTH);
	for (int i = 0; i < 500; i++)
		work_do_any(&work, 64, &seed);
	work_close(&work);
}

/* The parent goes on in the middle of its requests; the child is given a function. */
static void fork_amid_deep(void (*in_child_of_fork)(void), int nr_children)
{
	int fd = temp_file(0);

	/* So that the parent has threads that are idle, too. */
	use_aio_briefly();
	work_open_filled(&forked_work, fd, 0, FILE_SIZE, BLOCK, DEPTH);
	for (int round = 0; round < nr_children; round++) {
		pid_t pid;

		for (size_t i = 0; i < 200; i++) {
			work_write(&forked_work, i * 2 * BLOCK, BLOCK);
			work_read(&forked_work, (i * 2 + 1) * BLOCK, BLOCK);
		}
		pid = fork();
		if (pid == 0) {
			in_child_of_fork();
			_exit(0);
		}
		for (size_t i = 0; i < 100; i++)
			work_write(&forked_work, i * 2 * BLOCK, BLOCK);
		work_check(&forked_work);
		check_child(pid);
	}
	work_close(&forked_work);
}

static void do_nothing(void)
{
}

static void use_aio_in_child(void)
{
	use_deep(temp_file(0));
	use_aio();
}

static int fork_without_use(void)
{
	fork_amid_deep(do_nothing, 20);
	return 0;
}

static int fork_with_use(void)
{
	fork_amid_deep(use_aio_in_child, 10);
	return 0;
}

TEST_OFFLOAD(test_deep_requests_survive_fork, fork_without_use, 20000)
TEST_OFFLOAD(test_child_of_fork_amid_deep_requests_is_deep_anew, fork_with_use, 20000)

/* ---- threads ---- */

#define NR_THREADS 4
#define PART_SIZE  (64 * BLOCK)

struct share {
	pthread_t thread;
	int shared_fd, number;
};

/* Each has a file of its own and a part of one that they share. */
static void *be_deep(void *arg)
{
	struct share *share = arg;
	unsigned int seed = (unsigned int)share->number;
	struct work own, shared;
	int fd = temp_file(0);

	work_open_filled(&own, fd, 0, PART_SIZE, 2 * BLOCK, DEPTH);
	work_open_filled(&shared, share->shared_fd, (off_t)share->number * PART_SIZE, PART_SIZE,
			 2 * BLOCK, DEPTH);
	for (int i = 0; i < 2000; i++) {
		work_do_any(&own, PART_SIZE / BLOCK, &seed);
		work_do_any(&shared, PART_SIZE / BLOCK, &seed);
		if (i % 500 == 499)
			work_check(&shared);
	}
	work_close(&own);
	work_close(&shared);
	close(fd);
	return NULL;
}

static int run_threads(void)
{
	struct share shares[NR_THREADS];
	int fd = temp_file(0);

	for (int i = 0; i < NR_THREADS; i++) {
		shares[i].shared_fd = fd;
		shares[i].number = i;
		shares[i].thread = start_thread(be_deep, &shares[i]);
	}
	for (int i = 0; i < NR_THREADS; i++)
		join_thread(shares[i].thread);
	return 0;
}

TEST_OFFLOAD(test_deep_threads_do_not_disturb_each_other, run_threads, 30000)

/* Submitted by one thread, waited for and collected by another. */
struct relay {
	struct aiocb cbs[DEPTH];
	char *buf;
	int fd;
	sem_t free, full;
};

#define NR_RELAYED 3000

static void *collect_relayed(void *arg)
{
	struct relay *relay = arg;

	for (int i = 0; i < NR_RELAYED; i++) {
		await_semaphore(&relay->full);
		check_equal(outcome(&relay->cbs[i % DEPTH]), BLOCK);
		check_pattern(relay->buf + i % DEPTH * BLOCK, (size_t)(i % 64) * BLOCK, BLOCK);
		sem_post(&relay->free);
	}
	return NULL;
}

static int relay_deep(void)
{
	static struct relay relay;
	pthread_t thread;

	relay.fd = temp_file_filled(64 * BLOCK);
	relay.buf = direct_buffer(DEPTH * BLOCK);
	sem_init(&relay.free, 0, DEPTH);
	sem_init(&relay.full, 0, 0);
	thread = start_thread(collect_relayed, &relay);
	for (int i = 0; i < NR_RELAYED; i++) {
		char *place = relay.buf + i % DEPTH * BLOCK;

		await_semaphore(&relay.free);
		memset(place, 0, BLOCK);
		submit_read(&relay.cbs[i % DEPTH], relay.fd, place, BLOCK, i % 64 * BLOCK);
		sem_post(&relay.full);
	}
	join_thread(thread);
	return 0;
}

TEST_OFFLOAD(test_deep_requests_may_be_collected_by_another_thread, relay_deep, 30000)

/* ---- handlers ---- */

#define NR_HANDLED 500
#define STORM_SIZE (64 * BLOCK)

static volatile sig_atomic_t nr_handled;
static int storm_fd;
static char *storm_buf;

/* On a block of its own, but for the fsync, which waits for what was submitted before. */
static void use_in_handler(int signo)
{
	static struct aiocb cb;
	int error = errno, value = nr_handled / 3 % 100 + 1;

	(void)signo;
	if (nr_handled % 3 == 0) {
		memset(storm_buf, value, BLOCK);
		submit_write(&cb, storm_fd, storm_buf, BLOCK, STORM_SIZE);
		check_equal(outcome(&cb), BLOCK);
	} else if (nr_handled % 3 == 1) {
		submit_read(&cb, storm_fd, storm_buf + BLOCK, BLOCK, STORM_SIZE);
		check_equal(outcome(&cb), BLOCK);
		check_memory(storm_buf, storm_buf + BLOCK, BLOCK);
	} else {
		aiocb_init(&cb, storm_fd, NULL, 0, 0);
		check_equal(aio_fsync(O_DSYNC, &cb), 0);
		check_equal(outcome(&cb), 0);
	}
	nr_handled = nr_handled + 1;
	if (nr_handled < NR_HANDLED)
		wind_timer(50);
	errno = error;
}

static int be_deep_in_storm(void)
{
	uint64_t until = now_ns() + (uint64_t)default_deadline_ms() * 1000000;
	struct work work;

	storm_fd = memory_file();
	storm_buf = direct_buffer(2 * BLOCK);
	work_open_filled(&work, storm_fd, 0, STORM_SIZE, BLOCK, DEPTH);
	handle_signal(SIGALRM, use_in_handler, SA_RESTART);
	wind_timer(50);
	for (size_t i = 0; nr_handled < NR_HANDLED; i++) {
		work_transfer(&work, i % 2 == 0, i % 64 * BLOCK, BLOCK);
		check(now_ns() < until);
	}
	work_close(&work);
	check_equal(pread(storm_fd, storm_buf + BLOCK, BLOCK, STORM_SIZE), BLOCK);
	check_memory(storm_buf, storm_buf + BLOCK, BLOCK);
	return 0;
}

TEST_OFFLOAD(test_handler_may_use_aio_amid_deep_submissions, be_deep_in_storm, 30000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deep_requests_survive_fork),
		cmocka_unit_test(test_child_of_fork_amid_deep_requests_is_deep_anew),
		cmocka_unit_test(test_deep_threads_do_not_disturb_each_other),
		cmocka_unit_test(test_deep_requests_may_be_collected_by_another_thread),
		cmocka_unit_test(test_handler_may_use_aio_amid_deep_submissions),
	};

	return cmocka_run_group_tests_name("offload_life", tests, NULL, NULL);
}
