// SPDX-License-Identifier: MIT
/*
 * test_many_requests.c - what a burst of requests leaves behind
 *
 * A program that once had very many requests under way pays for that only then:
 * its later calls cost what they did before.
 */
#include "transparency.h"

#include <sys/resource.h>

#define NR_PIPES  200
#define NR_EACH   1000
#define NR_ROUNDS 50
#define SIZE      4096
#define LONG      (1 << 20)

/* ---- the burst: all of it is under way at once ---- */

static void raise_fd_limit(void)
{
	struct rlimit limit;

	check_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	check_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void make_burst(void)
{
	static char bytes[NR_EACH];
	struct aiocb *cbs = malloc(sizeof(*cbs) * NR_PIPES * NR_EACH);
	int(*pipes)[2] = malloc(sizeof(*pipes) * NR_PIPES);

	check(cbs && pipes);
	raise_fd_limit();
	for (int i = 0; i < NR_PIPES; i++)
		open_pipe(pipes[i]);
	for (int i = 0; i < NR_PIPES * NR_EACH; i++)
		submit_read(&cbs[i], pipes[i / NR_EACH][0], &bytes[i % NR_EACH], 1, 0);
	for (int i = 0; i < NR_PIPES; i++)
		write_fully(pipes[i][1], bytes, NR_EACH);
	for (int i = 0; i < NR_PIPES * NR_EACH; i++)
		check_equal(outcome(&cbs[i]), 1);
	for (int i = 0; i < NR_PIPES; i++)
		close_pair(pipes[i]);
	free(cbs);
	free(pipes);
}

/* ---- calls that look for the requests of one fd ---- */

static char *buf;

static int open_file(bool is_direct)
{
	int fd = is_direct ? direct_file(LONG, 0) : -1;

	return fd >= 0 ? fd : temp_file_filled(LONG);
}

static void submit_any(struct aiocb *cb, int fd, bool is_direct)
{
	if (is_direct)
		submit_read(cb, fd, buf, SIZE, 0);
	else
		submit_write(cb, fd, buf, LONG, 0);
}

static uint64_t time_of_close(int fd, bool is_direct)
{
	int other = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	struct aiocb cb;
	uint64_t begin;

	submit_any(&cb, other, is_direct);
	begin = now_ns();
	check_equal(close(other), 0);
	begin = now_ns() - begin;
	outcome(&cb);
	return begin;
}

static uint64_t time_of_cancel(int fd, bool is_direct)
{
	struct aiocb cb;
	uint64_t begin;

	submit_any(&cb, fd, is_direct);
	begin = now_ns();
	check(aio_cancel(fd, NULL) >= 0);
	begin = now_ns() - begin;
	outcome(&cb);
	return begin;
}

typedef uint64_t time_fn(int fd, bool is_direct);

static int compare_times(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

/* Most are as fast as that, or slower, and on a busy machine much slower. */
static uint64_t low_decile(time_fn *time_of, int fd, bool is_direct)
{
	uint64_t times[NR_ROUNDS];

	for (int i = 0; i < NR_ROUNDS; i++)
		times[i] = time_of(fd, is_direct);
	qsort(times, NR_ROUNDS, sizeof(times[0]), compare_times);
	return times[NR_ROUNDS / 10];
}

struct plan {
	time_fn *time_of;
	bool is_direct;
};

static int compare_with_before(void *arg)
{
	const struct plan *plan = arg;
	int fd = open_file(plan->is_direct);
	uint64_t before, after;

	buf = direct_buffer(LONG);
	before = low_decile(plan->time_of, fd, plan->is_direct);
	make_burst();
	after = low_decile(plan->time_of, fd, plan->is_direct);
	printf("# %lu ns before, %lu ns after\n", before, after);
	/* Some memory is colder now; a look at every record takes milliseconds. */
	check(after < 5 * before + 500000);
	return 0;
}

#define TEST_PLAN(test, ...) TEST_WITH_PLAN(test, compare_with_before, 100000, __VA_ARGS__)

TEST_PLAN(test_close_with_a_direct_read_costs_as_before, time_of_close, true)
TEST_PLAN(test_close_with_a_long_write_costs_as_before, time_of_close, false)
TEST_PLAN(test_cancel_of_a_direct_read_costs_as_before, time_of_cancel, true)
TEST_PLAN(test_cancel_of_a_long_write_costs_as_before, time_of_cancel, false)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_close_with_a_direct_read_costs_as_before),
		cmocka_unit_test(test_close_with_a_long_write_costs_as_before),
		cmocka_unit_test(test_cancel_of_a_direct_read_costs_as_before),
		cmocka_unit_test(test_cancel_of_a_long_write_costs_as_before),
	};

	return cmocka_run_group_tests_name("many_requests", tests, NULL, NULL);
}
