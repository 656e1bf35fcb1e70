// SPDX-License-Identifier: MIT
/*
 * test_waits.c - waits that last, on everything that can be waited for
 *
 * A wait ends at the time that was asked for, or with its request, also after
 * 0.4, 1.2 or 3 s, when internal intervals are over.
 */
#include "transparency.h"

#include <pthread.h>

#define LATE_NS     200000000u
#define NR_ATTEMPTS 5 /* other programs use the processor, too: once in time is enough */

static const unsigned int waits_ms[] = { 400, 1200, 3000 };
#define NR_WAITS (sizeof(waits_ms) / sizeof(*waits_ms))

/* ---- one of each kind ---- */

struct kinds {
	struct aiocb file, direct, stream;
	char *buf;
	int fds[2], file_fd, direct_fd;
};

static void kinds_open(struct kinds *kinds)
{
	kinds->buf = direct_buffer(3 * 4096);
	kinds->file_fd = temp_file_filled(4096);
	kinds->direct_fd = direct_file(4096, 0);
	if (kinds->direct_fd < 0)
		kinds->direct_fd = temp_file_filled(4096);
	open_pipe(kinds->fds);
}

/* A miss of the page cache, one past it, and a blocked read. */
static void kinds_submit(struct kinds *kinds)
{
	evict(kinds->file_fd);
	submit_read(&kinds->file, kinds->file_fd, kinds->buf, 4096, 0);
	submit_read(&kinds->direct, kinds->direct_fd, kinds->buf + 4096, 4096, 0);
	submit_read(&kinds->stream, kinds->fds[0], kinds->buf + 8192, 1, 0);
}

static void kinds_end(struct kinds *kinds)
{
	check_equal(outcome(&kinds->file), 4096);
	check_equal(outcome(&kinds->direct), 4096);
	check_equal(outcome(&kinds->stream), 1);
}

/* ---- a thread that ends the wait ---- */

struct later {
	unsigned int ms;
	int writer;
};

static void sleep_until_ns(uint64_t at)
{
	struct timespec ts = { (time_t)(at / 1000000000), (long)(at % 1000000000) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		continue;
}

static void *write_later(void *arg)
{
	struct later *later = arg;

	sleep_until_ns(now_ns() + (uint64_t)later->ms * 1000000);
	write_fully(later->writer, "x", 1);
	return NULL;
}

/* Never early; true if it was not late either. */
static bool is_in_time(uint64_t begin, unsigned int ms)
{
	uint64_t took = now_ns() - begin, wanted = (uint64_t)ms * 1000000;

	if (took < wanted)
		check_failed("a wait for %u ms ended after %u us", ms, (unsigned)(took / 1000));
	return took <= wanted + LATE_NS;
}

typedef bool wait_fn(struct kinds *kinds, unsigned int ms);

static void check_wait(wait_fn *wait, struct kinds *kinds, unsigned int ms)
{
	for (int i = 0; i < NR_ATTEMPTS; i++)
		if (wait(kinds, ms))
			return;
	check_failed("%d waits for %u ms have all ended late", NR_ATTEMPTS, ms);
}

static void check_all_waits(wait_fn *wait)
{
	static struct kinds kinds;

	kinds_open(&kinds);
	for (unsigned int i = 0; i < NR_WAITS; i++)
		check_wait(wait, &kinds, waits_ms[i]);
}

/* ---- aio_suspend ---- */

/* The others have ended: only the blocked read is waited for. */
static void begin_wait(struct kinds *kinds)
{
	kinds_submit(kinds);
	check_equal(outcome(&kinds->file), 4096);
	check_equal(outcome(&kinds->direct), 4096);
}

static bool wait_until_timeout(struct kinds *kinds, unsigned int ms)
{
	struct timespec timeout = { ms / 1000, ms % 1000 * 1000000L };
	const struct aiocb *list[] = { &kinds->stream, NULL };
	uint64_t begin;
	bool is_good;

	begin_wait(kinds);
	begin = now_ns();
	check_equal(aio_suspend(list, 2, &timeout), -1);
	check_equal(errno, EAGAIN);
	is_good = is_in_time(begin, ms);
	write_fully(kinds->fds[1], "x", 1);
	check_equal(outcome(&kinds->stream), 1);
	return is_good;
}

static bool wait_until_data(struct kinds *kinds, unsigned int ms)
{
	struct later later = { ms, kinds->fds[1] };
	const struct aiocb *list[] = { &kinds->stream, NULL };
	uint64_t begin;
	pthread_t thread;
	bool is_good;

	begin_wait(kinds);
	begin = now_ns();
	thread = start_thread(write_later, &later);
	check_equal(aio_suspend(list, 2, NULL), 0);
	is_good = is_in_time(begin, ms);
	join_thread(thread);
	check_equal(outcome(&kinds->stream), 1);
	return is_good;
}

/* ---- LIO_WAIT ---- */

static void fill_list(struct kinds *kinds)
{
	evict(kinds->file_fd);
	aiocb_init_lio(&kinds->file, LIO_READ, kinds->file_fd, kinds->buf, 4096, 0);
	aiocb_init_lio(&kinds->direct, LIO_READ, kinds->direct_fd, kinds->buf + 4096, 4096, 0);
	aiocb_init_lio(&kinds->stream, LIO_READ, kinds->fds[0], kinds->buf + 8192, 1, 0);
}

static bool wait_for_list(struct kinds *kinds, unsigned int ms)
{
	struct aiocb *list[] = { &kinds->file, &kinds->direct, &kinds->stream };
	struct later later = { ms, kinds->fds[1] };
	uint64_t begin;
	pthread_t thread;
	bool is_good;

	fill_list(kinds);
	begin = now_ns();
	thread = start_thread(write_later, &later);
	check_equal(lio_listio(LIO_WAIT, list, 3, NULL), 0);
	is_good = is_in_time(begin, ms);
	join_thread(thread);
	kinds_end(kinds);
	return is_good;
}

/* ---- many at once, of which each ends by itself ---- */

struct waiter {
	pthread_t thread;
	unsigned int ms;
};

/* They wait all in one process, so that one of them may have to wake the others. */
static void *wait_alone(void *arg)
{
	struct waiter *waiter = arg;
	struct kinds kinds;

	memset(&kinds, 0, sizeof(kinds));
	kinds_open(&kinds);
	check_wait(wait_until_data, &kinds, waiter->ms);
	check_wait(wait_until_timeout, &kinds, waiter->ms);
	return NULL;
}

static int wait_together(void)
{
	struct waiter waiters[NR_WAITS];

	for (unsigned int i = 0; i < NR_WAITS; i++) {
		waiters[i].ms = waits_ms[i];
		waiters[i].thread = start_thread(wait_alone, &waiters[i]);
	}
	for (unsigned int i = 0; i < NR_WAITS; i++)
		check_equal(pthread_join(waiters[i].thread, NULL), 0);
	return 0;
}

static int run_timeouts(void)
{
	check_all_waits(wait_until_timeout);
	return 0;
}

static int run_data(void)
{
	check_all_waits(wait_until_data);
	return 0;
}

static int run_lists(void)
{
	check_all_waits(wait_for_list);
	return 0;
}

TEST_IN_CHILD(test_long_timeouts_end_in_time, run_timeouts, 60000)
TEST_IN_CHILD(test_long_waits_end_with_their_request, run_data, 60000)
TEST_IN_CHILD(test_long_waits_for_a_list_end_with_it, run_lists, 60000)
TEST_IN_CHILD(test_long_waits_side_by_side_end_in_time, wait_together, 60000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_long_timeouts_end_in_time),
		cmocka_unit_test(test_long_waits_end_with_their_request),
		cmocka_unit_test(test_long_waits_for_a_list_end_with_it),
		cmocka_unit_test(test_long_waits_side_by_side_end_in_time),
	};

	return cmocka_run_group_tests_name("waits", tests, NULL, NULL);
}
