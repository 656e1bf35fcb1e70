// SPDX-License-Identifier: MIT
/*
 * test_memory.c - the memory of many requests comes back when they are done
 */
#include "transparency.h"

#define NR_PIPES    128
#define NR_PER_PIPE 400
#define NR          (NR_PIPES * NR_PER_PIPE)
#define KEPT_MAX    (8u << 20)

static struct aiocb cbs[NR];
static char bytes[NR];

static void burst(int pipes[NR_PIPES][2])
{
	static char text[NR_PER_PIPE];

	for (int i = 0; i < NR; i++)
		submit_read(&cbs[i], pipes[i % NR_PIPES][0], &bytes[i], 1, 0);
	for (int i = 0; i < NR_PIPES; i++)
		write_fully(pipes[i][1], text, sizeof(text));
	for (int i = 0; i < NR; i++)
		check_equal(outcome(&cbs[i]), 1);
}

static void check_burst(void)
{
	static int pipes[NR_PIPES][2];
	size_t before;

	memset(cbs, 0, sizeof(cbs));
	memset(bytes, 1, sizeof(bytes));
	for (int i = 0; i < NR_PIPES; i++)
		open_pipe(pipes[i]);
	for (int round = 0; round < 2; round++) {
		before = memory_in_use().resident;
		burst(pipes);
		eventually(memory_in_use().resident < before + KEPT_MAX);
	}
}

static int all_are_done(void)
{
	check_burst();
	return 0;
}

/* And stays blocked. */
static int one_came_before(void)
{
	static struct aiocb early;
	static char byte;
	int fds[2];

	open_pipe(fds);
	submit_read(&early, fds[0], &byte, 1, 0);
	check_burst();
	check_equal(aio_error(&early), EINPROGRESS);
	write_fully(fds[1], "x", 1);
	check_equal(outcome(&early), 1);
	return 0;
}

TEST_IN_CHILD(test_memory_of_a_burst_comes_back, all_are_done, 120000)
TEST_IN_CHILD(test_memory_comes_back_while_a_request_is_blocked, one_came_before, 120000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory_of_a_burst_comes_back),
		cmocka_unit_test(test_memory_comes_back_while_a_request_is_blocked),
	};

	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
