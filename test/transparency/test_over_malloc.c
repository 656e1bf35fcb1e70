// SPDX-License-Identifier: MIT
/*
 * test_over_malloc.c - a handler that submits while its thread is in malloc
 *
 * The interrupted call holds the lock of the heap.  A program that has used AIO
 * a moment ago may submit all the same, as on glibc: nothing is allocated for it.
 */
#include "transparency.h"

#include <sys/time.h>

#define NR_CHILDREN 10
#define NR_REQUESTS 15
#define BLOCK_SIZE  4096

static int fds[3]; /* a pipe, a file, a file with O_DIRECT if there may be one */
static int nr_fds;
static struct aiocb cbs[NR_REQUESTS];
static char *buffers;
static volatile sig_atomic_t nr_submitted;

static void submit_one(int signo)
{
	int i = nr_submitted;

	(void)signo;
	if (i == NR_REQUESTS)
		return;
	submit_read(&cbs[i], fds[i % nr_fds], buffers + i * BLOCK_SIZE, BLOCK_SIZE, 0);
	nr_submitted = i + 1;
}

/* The heap takes its lock only where there are several threads. */
static void *do_nothing(void *fd)
{
	char byte;

	read_fully(*(int *)fd, &byte, 1);
	return NULL;
}

static void allocate_until_all_are_submitted(void)
{
	const struct itimerval soon = { { 0, 2000 }, { 0, 2000 } }, never = { 0 };
	void *blocks[64] = { NULL };
	unsigned int seed = 1;

	handle_signal(SIGALRM, submit_one, SA_RESTART);
	check_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
	while (nr_submitted < NR_REQUESTS) {
		unsigned int random = (unsigned int)rand_r(&seed);

		free(blocks[random % 64]);
		blocks[random % 64] = malloc(2000 + random / 64 % 65536);
	}
	check_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
}

/* Several at once, so that glibc has threads enough as well. */
static void use_aio_at_once(void)
{
	static struct aiocb blocked[3];
	int pipes[3][2];
	char bytes[3];

	for (int i = 0; i < 3; i++) {
		open_pipe(pipes[i]);
		submit_read(&blocked[i], pipes[i][0], &bytes[i], 1, 0);
	}
	for (int i = 0; i < 3; i++) {
		write_fully(pipes[i][1], "x", 1);
		check_equal(outcome(&blocked[i]), 1);
	}
}

/* The thread that copies reads from memory is made by the first of them, here in the handler. */
static int submit_first_reads_over_malloc(void)
{
	pthread_t thread;
	int gate[2];

	setenv("RTAIO_TEST_COPIER", "1", 1);
	open_pipe(gate);
	fds[nr_fds++] = temp_file_filled(BLOCK_SIZE);
	buffers = direct_buffer((size_t)NR_REQUESTS * BLOCK_SIZE);
	use_aio_at_once();
	change_mask(SIG_BLOCK, SIGALRM);
	thread = start_thread(do_nothing, &gate[0]);
	change_mask(SIG_UNBLOCK, SIGALRM);
	allocate_until_all_are_submitted();
	for (int i = 0; i < NR_REQUESTS; i++)
		check_equal(outcome(&cbs[i]), BLOCK_SIZE);
	write_fully(gate[1], "x", 1);
	join_thread(thread);
	return 0;
}

static int submit_over_malloc(void)
{
	struct aiocb cb;
	pthread_t thread;
	int pipe_fds[2], gate[2];

	open_pipe(pipe_fds);
	open_pipe(gate);
	fds[nr_fds++] = pipe_fds[0];
	fds[nr_fds++] = temp_file_filled(BLOCK_SIZE);
	fds[nr_fds] = direct_file(BLOCK_SIZE, 0);
	nr_fds += fds[nr_fds] >= 0;
	buffers = direct_buffer((size_t)NR_REQUESTS * BLOCK_SIZE);
	use_aio_at_once();
	for (int i = 1; i < nr_fds; i++) {
		submit_read(&cb, fds[i], buffers, BLOCK_SIZE, 0);
		check_equal(outcome(&cb), BLOCK_SIZE);
	}
	/* Blocked in here, so that the timer's signal comes to the main thread. */
	change_mask(SIG_BLOCK, SIGALRM);
	thread = start_thread(do_nothing, &gate[0]);
	change_mask(SIG_UNBLOCK, SIGALRM);
	allocate_until_all_are_submitted();
	for (int i = 0; i < NR_REQUESTS; i++) {
		if (i % nr_fds == 0)
			write_fully(pipe_fds[1], "x", 1);
		check_equal(outcome(&cbs[i]), i % nr_fds == 0 ? 1 : BLOCK_SIZE);
	}
	write_fully(gate[1], "x", 1);
	join_thread(thread);
	return 0;
}

static void test_handler_submits_over_malloc(void **state)
{
	(void)state;
	for (int i = 0; i < NR_CHILDREN; i++)
		check_in_child(submit_over_malloc, 15000);
}

static void test_handler_submits_its_first_reads_over_malloc(void **state)
{
	(void)state;
	for (int i = 0; i < 3 * NR_CHILDREN; i++)
		check_in_child(submit_first_reads_over_malloc, 15000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handler_submits_over_malloc),
		cmocka_unit_test(test_handler_submits_its_first_reads_over_malloc),
	};

	return cmocka_run_group_tests_name("over malloc", tests, NULL, NULL);
}
