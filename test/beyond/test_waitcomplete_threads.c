// SPDX-License-Identifier: MIT
/*
 * test_waitcomplete_threads.c - several threads in aio_waitcomplete(): each request is collected
 * once, by one of them, and no thread sleeps while there is something to collect
 */
#include "waitcomplete.h"

#include <stdatomic.h>

/* ---- aio_return on another thread, as soon as the result is visible ---- */

#define NR_RACES 1000

static struct aiocb raced;
static _Atomic int begun, returned; /* rounds */
static _Atomic bool is_race_over;

static void *return_each(void *unused)
{
	for (int round = 1;; round++) {
		while (begun < round && !is_race_over)
			sched_yield();
		if (is_race_over)
			return unused;
		while (aio_error(&raced) == EINPROGRESS)
			sched_yield();
		check_equal(aio_return(&raced), 1);
		returned = round;
	}
}

static int race(void)
{
	static char byte;
	pthread_t thread = start_thread(return_each, NULL);
	uint64_t began = now_ns();
	int fds[2];

	check_nothing_left();
	open_pipe(fds);
	for (int round = 1; goes_on(round, NR_RACES, began); round++) {
		bool was_returned;
		ssize_t res;

		submit_read(&raced, fds[0], &byte, 1, 0);
		begun = round;
		write_fully(fds[1], "x", 1);
		do {
			was_returned = returned == round;
			if (collect(&res, &at_once)) {
				check(!was_returned);
				check_equal(res, 1);
			}
		} while (!was_returned);
	}
	is_race_over = true;
	join_thread(thread);
	check_nothing_left();
	return 0;
}

TEST_WAITCOMPLETE(test_what_was_returned_is_not_collected, race, 60000)

/* ---- many threads ---- */

#define NR_THREADS 16
#define NR_BLOCKS  256

/* The last NR_THREADS of them end the threads. */
static struct aiocb crowd_cb[NR_BLOCKS + NR_THREADS];
static _Atomic bool is_under_way[NR_BLOCKS + NR_THREADS];
static _Atomic long nr_submitted, nr_collected;
static long nr_wanted;
static int crowd_fd;

static long nr_completions(void)
{
	const char *text = getenv("RTAIO_TEST_COMPLETIONS");

	return text ? atol(text) : 20000;
}

static void crowd_submit(long i)
{
	static char bytes[NR_BLOCKS + NR_THREADS];

	check(!atomic_exchange(&is_under_way[i], true));
	submit_read(&crowd_cb[i], crowd_fd, &bytes[i], 1, i);
}

static void *collect_and_submit(void *unused)
{
	for (;;) {
		ssize_t res;
		const struct aiocb *cb = collect(&res, NULL);
		long i = cb - crowd_cb;

		check(cb != NULL);
		check_equal(res, 1);
		check(atomic_exchange(&is_under_way[i], false));
		if (i >= NR_BLOCKS)
			return unused;
		if (atomic_fetch_add(&nr_submitted, 1) < nr_wanted)
			crowd_submit(i);
		if (atomic_fetch_add(&nr_collected, 1) == nr_wanted - 1)
			for (i = NR_BLOCKS; i < NR_BLOCKS + NR_THREADS; i++)
				crowd_submit(i);
	}
}

static int crowd(void)
{
	pthread_t threads[NR_THREADS];

	nr_wanted = nr_completions();
	nr_submitted = NR_BLOCKS;
	crowd_fd = temp_file_filled(NR_BLOCKS + NR_THREADS);
	check_nothing_left();
	for (int i = 0; i < NR_THREADS; i++)
		threads[i] = start_thread(collect_and_submit, NULL);
	for (long i = 0; i < NR_BLOCKS; i++)
		crowd_submit(i);
	for (int i = 0; i < NR_THREADS; i++)
		check_equal(pthread_join(threads[i], NULL), 0);
	check_equal(nr_collected, nr_wanted);
	check_nothing_left();
	return 0;
}

TEST_WAITCOMPLETE(test_sixteen_threads_collect_each_request_once, crowd, 600000)

/* ---- nobody sleeps while there is something to collect ---- */

#define NR_SLEEPERS 4
#define NR_WAKES    2000

static struct aiocb wake_cb[2];
static _Atomic int nr_woken;
static _Atomic bool is_last;

static void *collect_all(void *unused)
{
	for (;;) {
		ssize_t res;
		const struct aiocb *cb = collect(&res, NULL);

		check(cb != NULL);
		if (is_last)
			return unused;
		if (cb == &wake_cb[0])
			nr_woken++;
	}
}

/*
 * aio_return() of one request comes across the completion of the other.  A waiting thread must get
 * that one.
 */
static int wakes(void)
{
	pthread_t threads[NR_SLEEPERS];
	static struct aiocb last[NR_SLEEPERS];
	uint64_t began = now_ns();

	check_nothing_left();
	for (int i = 0; i < NR_SLEEPERS; i++)
		threads[i] = start_thread(collect_all, NULL);
	for (int round = 1; goes_on(round, NR_WAKES, began); round++) {
		read_byte(&wake_cb[0]);
		read_byte(&wake_cb[1]);
		eventually(aio_error(&wake_cb[1]) == 0);
		check_equal(aio_return(&wake_cb[1]), 1);
		eventually(nr_woken == round);
	}
	is_last = true;
	for (int i = 0; i < NR_SLEEPERS; i++)
		read_byte(&last[i]);
	for (int i = 0; i < NR_SLEEPERS; i++)
		join_thread(threads[i]);
	return 0;
}

TEST_WAITCOMPLETE(test_nobody_sleeps_beside_a_complete_request, wakes, 60000)

/* ---- a complete request is found while another call takes many completions over ---- */

#define NR_SORTED   5000
#define NR_SORTINGS 20
/* Most threads that may still be about to add one that aio_error calls complete. */
#define NR_PUBLISHERS 20

static struct aiocb sorted_cb[NR_SORTED];
static _Atomic int nr_sortings, nr_checked; /* rounds */
static _Atomic bool is_sorting_over, has_collected_last;

static void collect_one(int round, int nr_left)
{
	struct aiocb *cb;
	ssize_t res;

	cb = collect(&res, &at_once);
	if (!cb && nr_left > NR_PUBLISHERS)
		check_failed("round %d: %d of %d were not found: %s", round, nr_left, NR_SORTED,
			     strerror((int)-res));
	if (!cb)
		cb = collect_next(&res);
	check(cb != NULL);
	if (cb == &sorted_cb[NR_SORTED - 1])
		has_collected_last = true;
}

static void *collect_without_waiting(void *unused)
{
	for (int round = 1;; round++) {
		while (nr_sortings < round && !is_sorting_over)
			continue;
		if (is_sorting_over)
			return unused;
		for (int i = NR_SORTED - 1; i > 0; i--)
			collect_one(round, i);
		nr_checked = round;
	}
}

static int sorting(void)
{
	uint64_t began = now_ns();
	pthread_t thread;
	ssize_t res;

	check_nothing_left();
	thread = start_thread(collect_without_waiting, NULL);
	for (int round = 1; goes_on(round, NR_SORTINGS, began); round++) {
		for (int i = 0; i < NR_SORTED; i++)
			read_byte(&sorted_cb[i]);
		for (int i = 0; i < NR_SORTED; i++)
			eventually(aio_error(&sorted_cb[i]) == 0);
		nr_sortings = round;
		check_equal(aio_return(&sorted_cb[NR_SORTED - 1]), 1);
		eventually(nr_checked == round);
		/* Another thread may have ended an earlier one later. */
		if (atomic_exchange(&has_collected_last, false))
			check(collect_next(&res) != NULL);
		check_nothing_left();
	}
	is_sorting_over = true;
	join_thread(thread);
	return 0;
}

TEST_WAITCOMPLETE(test_complete_request_is_found_at_any_moment, sorting, 60000)

/* ---- threads that end ---- */

static int cancelled_threads(void)
{
	static struct aiocb cb;
	struct waiter waiters[4];
	void *end;

	for (int i = 0; i < 4; i++)
		begin_wait(&waiters[i]);
	for (int i = 0; i < 3; i++) {
		pthread_cancel(waiters[i].thread);
		check_equal(pthread_join(waiters[i].thread, &end), 0);
		check(end == PTHREAD_CANCELED);
	}
	read_byte(&cb);
	check_equal(end_wait(&waiters[3], &cb), 1);
	read_byte(&cb);
	check_equal(collect_this(&cb), 1);
	check_nothing_left();
	return 0;
}

static struct aiocb left_behind;

static void *submit_and_end(void *pipe_end)
{
	static char byte;

	submit_read(&left_behind, *(int *)pipe_end, &byte, 1, 0);
	return NULL;
}

static int ended_threads(void)
{
	int fds[2];

	check_nothing_left();
	open_pipe(fds);
	for (int i = 0; i < 20; i++) {
		join_thread(start_thread(submit_and_end, &fds[0]));
		write_fully(fds[1], "x", 1);
		check_equal(collect_this(&left_behind), 1);
	}
	return 0;
}

TEST_WAITCOMPLETE(test_waits_of_others_survive_cancelled_threads, cancelled_threads, 20000)
TEST_WAITCOMPLETE(test_requests_of_a_thread_that_has_ended_are_collected, ended_threads, 20000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_returned_is_not_collected),
		cmocka_unit_test(test_sixteen_threads_collect_each_request_once),
		cmocka_unit_test(test_nobody_sleeps_beside_a_complete_request),
		cmocka_unit_test(test_complete_request_is_found_at_any_moment),
		cmocka_unit_test(test_waits_of_others_survive_cancelled_threads),
		cmocka_unit_test(test_requests_of_a_thread_that_has_ended_are_collected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
