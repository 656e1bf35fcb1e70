// SPDX-License-Identifier: MIT
/*
 * test_submit_waits_buffered.c - calls that submit do not sleep, on cached files and streams
 *
 * A thread that sleeps in the kernel gives its processor up of its own accord, which
 * the kernel counts.  Hence this does not depend on how busy the machine is.  glibc's
 * calls take a lock, and sleep when one of its threads has it.  So one call in 10,000
 * may sleep, or as many as in the same program without a library preloaded, and twice
 * that, as such a count varies.
 */
#include "offload.h"

#include <sys/socket.h>

#define NR        20000
#define NR_PLACES 2000
#define TRIES     3

struct plan {
	bool is_stream, is_socket, is_write, is_on_disk;
};

static struct aiocb cbs[2][DEPTH];
static unsigned long nr_slept;

static unsigned long nr_sleeps(void)
{
	struct rusage usage;

	check_equal(getrusage(RUSAGE_THREAD, &usage), 0);
	return (unsigned long)usage.ru_nvcsw;
}

/* The one that was submitted DEPTH before is collected first. */
static void submit(int i, bool is_write, int fd, off_t at)
{
	static char bufs[2][BLOCK];
	struct aiocb *cb = &cbs[is_write][i % DEPTH];
	unsigned long before;

	if (i >= DEPTH)
		check_equal(outcome(cb), BLOCK);
	aiocb_init(cb, fd, bufs[is_write], BLOCK, at);
	before = nr_sleeps();
	check_equal(is_write ? aio_write(cb) : aio_read(cb), 0);
	nr_slept += nr_sleeps() != before;
}

static void use_file(const struct plan *plan)
{
	int fd = plan->is_on_disk ? temp_file(0) : memory_file();
	char *data = direct_buffer(NR_PLACES * BLOCK);

	check_equal(pwrite(fd, data, NR_PLACES * BLOCK, 0), NR_PLACES * BLOCK);
	free(data);
	for (int i = 0; i < NR; i++)
		submit(i, plan->is_write, fd, (off_t)(i * 1201 % NR_PLACES) * BLOCK);
	for (int i = 0; i < DEPTH; i++)
		check_equal(outcome(&cbs[plan->is_write][i]), BLOCK);
}

static void use_stream(const struct plan *plan)
{
	int ends[2];

	if (plan->is_socket)
		check_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	else
		open_pipe(ends);
	for (int i = 0; i < NR; i++) {
		submit(i, false, ends[0], 0);
		submit(i, true, ends[1], 0);
	}
	for (int i = 0; i < 2 * DEPTH; i++)
		check_equal(outcome(&cbs[i % 2][i / 2]), BLOCK);
}

/* How many calls slept, as a text on standard output. */
static int count(const char *word)
{
	struct plan plan = {
		.is_stream = word[0] == '1',
		.is_socket = word[1] == '1',
		.is_write = word[2] == '1',
		.is_on_disk = word[3] == '1',
	};

	if (plan.is_stream)
		use_stream(&plan);
	else
		use_file(&plan);
	printf("%lu\n", nr_slept);
	return 0;
}

static unsigned long count_in_program(const struct plan *plan, bool is_plain)
{
	char command[PATH_MAX + 64];
	unsigned long nr = 0;
	FILE *output;

	snprintf(command, sizeof(command), "%s %s --count %d%d%d%d",
		 is_plain ? "env -u LD_PRELOAD" : "", program_invocation_name, plan->is_stream,
		 plan->is_socket, plan->is_write, plan->is_on_disk);
	output = popen(command, "r");
	check(output != NULL);
	check_equal(fscanf(output, "%lu", &nr), 1);
	check_equal(pclose(output), 0);
	return nr;
}

static int compare(void *arg)
{
	const struct plan *plan = arg;
	unsigned long nr_calls = plan->is_stream ? 2 * NR : NR;

	for (int i = 0; i < TRIES; i++) {
		unsigned long nr = count_in_program(plan, false);

		printf("# %lu of %lu calls slept\n", nr, nr_calls);
		if (nr <= nr_calls / 10000 || nr <= 2 * count_in_program(plan, true))
			return 0;
	}
	return 1;
}

#define TEST_PLAN(test, ...) TEST_WITH_PLAN(test, compare, 60000, __VA_ARGS__)

TEST_PLAN(test_buffered_writes_do_not_sleep, .is_write = true, .is_on_disk = true)
TEST_PLAN(test_cached_reads_do_not_sleep, .is_on_disk = true)
TEST_PLAN(test_writes_to_memory_do_not_sleep, .is_write = true)
TEST_PLAN(test_reads_from_memory_do_not_sleep, .is_write = false)
TEST_PLAN(test_requests_on_a_pipe_do_not_sleep, .is_stream = true)
TEST_PLAN(test_requests_on_a_socket_do_not_sleep, .is_stream = true, .is_socket = true)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buffered_writes_do_not_sleep),
		cmocka_unit_test(test_cached_reads_do_not_sleep),
		cmocka_unit_test(test_writes_to_memory_do_not_sleep),
		cmocka_unit_test(test_reads_from_memory_do_not_sleep),
		cmocka_unit_test(test_requests_on_a_pipe_do_not_sleep),
		cmocka_unit_test(test_requests_on_a_socket_do_not_sleep),
	};

	if (argc == 3 && !strcmp(argv[1], "--count"))
		return count(argv[2]);
	return cmocka_run_group_tests_name("submit_waits_buffered", tests, NULL, NULL);
}
