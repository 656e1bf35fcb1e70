// SPDX-License-Identifier: MIT
/*
 * test_waitcomplete.c - aio_waitcomplete() on one thread: timeouts, order, and what aio_return()
 * takes away
 *
 * test_waitcomplete_requests.c has the kinds of requests, test_waitcomplete_threads.c several
 * threads, and test_waitcomplete_life.c handlers and fork.
 */
#include "waitcomplete.h"

/* ---- timeouts ---- */

static int zero_timeout(void)
{
	static struct aiocb cb;

	check_nothing_left();
	read_byte(&cb);
	eventually(aio_error(&cb) == 0);
	check_equal(collect_this(&cb), 1);
	check_nothing_left();
	return 0;
}

static int bad_timeouts(void)
{
	static const struct timespec bad[] = {
		{ -1, 0 }, { 0, -1 }, { 0, 1000000000 }, { 1, LONG_MAX }, { LONG_MIN, 0 },
	};
	static struct aiocb cb;
	ssize_t res;

	check_nothing_left();
	read_byte(&cb);
	eventually(aio_error(&cb) == 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		check(collect(&res, &bad[i]) == NULL);
		check_equal(res, -EINVAL);
	}
	check_equal(collect_this(&cb), 1);
	return 0;
}

static int finite_timeout(void)
{
	static const struct timespec some = { .tv_nsec = 50000000 },
				     longest = { LONG_MAX, 999999999 };
	static struct aiocb cb;
	uint64_t begin = now_ns();
	ssize_t res;

	check(collect(&res, &some) == NULL);
	check_equal(res, -EAGAIN);
	check(now_ns() - begin >= 50000000);
	read_byte(&cb);
	check(collect(&res, &longest) == &cb);
	check_equal(res, 1);
	return 0;
}

TEST_WAITCOMPLETE(test_zero_timeout_only_looks, zero_timeout, 20000)
TEST_WAITCOMPLETE(test_bad_timeout_is_refused, bad_timeouts, 20000)
TEST_WAITCOMPLETE(test_timeout_ends_the_wait, finite_timeout, 20000)

/* ---- order, and aio_return ---- */

static int order(void)
{
	static const int sequence[] = { 2, 0, 3, 1 };
	static struct aiocb cbs[4];
	static char buf[4];
	int fds[4][2];

	check_nothing_left();
	for (int i = 0; i < 4; i++) {
		open_pipe(fds[i]);
		submit_read(&cbs[i], fds[i][0], &buf[i], 1, 0);
	}
	for (int i = 0; i < 4; i++) {
		write_fully(fds[sequence[i]][1], "x", 1);
		eventually(aio_error(&cbs[sequence[i]]) == 0);
	}
	for (int i = 0; i < 4; i++)
		check_equal(collect_this(&cbs[sequence[i]]), 1);
	check_nothing_left();
	return 0;
}

/* Two requests that may have ended in any order. */
static void collect_both(const struct aiocb *one, const struct aiocb *other)
{
	ssize_t res;
	const struct aiocb *found = collect_next(&res);

	check(found == one || found == other);
	check_equal(res, 1);
	check_equal(collect_this(found == one ? other : one), 1);
}

static int returned_before(void)
{
	static struct aiocb cbs[3];

	check_nothing_left();
	for (int round = 0; round < 100; round++) {
		for (int i = 0; i < 3; i++)
			read_byte(&cbs[i]);
		for (int i = 0; i < 3; i++)
			eventually(aio_error(&cbs[i]) == 0);
		check_equal(aio_return(&cbs[1]), 1);
		if (round % 2) {
			collect_both(&cbs[0], &cbs[2]);
		} else {
			check_equal(aio_return(&cbs[2]), 1);
			check_equal(aio_return(&cbs[0]), 1);
		}
		check_nothing_left();
	}
	return 0;
}

static int asked_too_early(void)
{
	static struct aiocb cb;
	static char byte;
	int fds[2];

	check_nothing_left();
	open_pipe(fds);
	submit_read(&cb, fds[0], &byte, 1, 0);
	(void)aio_return(&cb);
	check_nothing_left();
	write_fully(fds[1], "x", 1);
	check_equal(collect_this(&cb), 1);
	return 0;
}

static int not_kept(void)
{
	static struct aiocb before, after;
	static char byte;
	int fds[2];

	read_byte(&after);
	open_pipe(fds);
	submit_read(&before, fds[0], &byte, 1, 0);
	check_nothing_left();
	write_fully(fds[1], "x", 1);
	check_equal(await_result(&before), 1);
	check_nothing_left();
	check_equal(await_result(&after), 1);
	read_byte(&after);
	check_equal(collect_this(&after), 1);
	return 0;
}

TEST_WAITCOMPLETE(test_requests_are_collected_in_the_order_of_their_ends, order, 20000)
TEST_WAITCOMPLETE(test_aio_return_collects, returned_before, 20000)
TEST_WAITCOMPLETE(test_aio_return_of_a_running_request_does_not_collect, asked_too_early, 20000)
TEST_WAITCOMPLETE(test_earlier_requests_are_not_kept, not_kept, 20000)

/* ---- many requests ---- */

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/*
 * The CPU time for one of @nr requests on one pipe, in nanoseconds.  aio_return() collects the
 * later half, the last request first; aio_waitcomplete() collects the rest.
 */
static uint64_t time_to_collect(int nr)
{
	struct aiocb *cbs = calloc((size_t)nr, sizeof(*cbs));
	char *buf = calloc((size_t)nr, 1), *data = calloc((size_t)nr, 1);
	uint64_t began;
	int fds[2];

	open_pipe(fds);
	for (int i = 0; i < nr; i++)
		submit_read(&cbs[i], fds[0], &buf[i], 1, 0);
	write_fully(fds[1], data, (size_t)nr);
	eventually(aio_error(&cbs[nr - 1]) == 0);
	began = cpu_ns();
	for (int i = nr - 1; i >= nr / 2; i--)
		check_equal(aio_return(&cbs[i]), 1);
	for (int i = 0; i < nr / 2; i++)
		check_equal(collect_this(&cbs[i]), 1);
	check_nothing_left();
	began = cpu_ns() - began;
	close_pair(fds);
	free(cbs);
	free(buf);
	free(data);
	return began / (uint64_t)nr;
}

static int many(void)
{
	uint64_t few_ns, many_ns;

	choose_default_deadline(60000);
	check_nothing_left();
	few_ns = time_to_collect(1000);
	many_ns = time_to_collect(100000);
	if (many_ns > 20 * few_ns + 2000)
		check_failed("%llu ns with 1,000, %llu with 100,000", (unsigned long long)few_ns,
			     (unsigned long long)many_ns);
	return 0;
}

TEST_WAITCOMPLETE(test_hundred_thousand_requests_cost_no_more_each, many, 120000)

/* ---- memory ---- */

static void return_many(int nr)
{
	static struct aiocb cb;

	for (int i = 0; i < nr; i++) {
		read_byte(&cb);
		check_equal(await_result(&cb), 1);
	}
}

static int memory(void)
{
	size_t before;

	check_nothing_left();
	return_many(2000);
	before = memory_in_use().resident;
	return_many(20000);
	check(memory_in_use().resident < before + (1 << 20));
	check_nothing_left();
	return 0;
}

TEST_WAITCOMPLETE(test_nothing_grows_if_aio_return_collects, memory, 60000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zero_timeout_only_looks),
		cmocka_unit_test(test_bad_timeout_is_refused),
		cmocka_unit_test(test_timeout_ends_the_wait),
		cmocka_unit_test(test_requests_are_collected_in_the_order_of_their_ends),
		cmocka_unit_test(test_aio_return_collects),
		cmocka_unit_test(test_aio_return_of_a_running_request_does_not_collect),
		cmocka_unit_test(test_earlier_requests_are_not_kept),
		cmocka_unit_test(test_hundred_thousand_requests_cost_no_more_each),
		cmocka_unit_test(test_nothing_grows_if_aio_return_collects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
