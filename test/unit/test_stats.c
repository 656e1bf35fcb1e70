// SPDX-License-Identifier: MIT
/*
 * test_stats.c - counters of many threads: none is lost, and no two threads write to one cache line
 */
#include "support.h"

#include <pthread.h>
#include <stdalign.h>

#include "base/stats.h"
#include "base/thread.h"

#define THREADS 100 /* more than there are rows */
#define TIMES   1000

static uint64_t counted(enum stats_counter counter)
{
	return stats_sum(counter, counter);
}

static void *count(void *unused)
{
	for (int i = 0; i < TIMES; i++) {
		stats_inc(errors);
		stats_inc(lists);
	}
	stats_inc(notify_callbacks); /* the last one */
	return unused;
}

static void run_threads(unsigned nr, void *(*run)(void *), void *arg)
{
	pthread_t threads[THREADS];

	for (unsigned i = 0; i < nr; i++)
		check_equal(pthread_create(&threads[i], NULL, run, arg), 0);
	for (unsigned i = 0; i < nr; i++)
		pthread_join(threads[i], NULL);
}

static void test_rows_lie_in_lines_of_their_own(void **state)
{
	(void)state;
	check_equal(alignof(struct stats_row), CACHE_LINE);
	check_equal((uintptr_t)&stats_rows[1] % CACHE_LINE, 0);
}

static void *take_row(void *row)
{
	*(unsigned *)row = thread_row();
	check_equal(thread_row(), *(unsigned *)row);
	return NULL;
}

static void test_first_threads_have_a_row_each(void **state)
{
	unsigned mine = thread_row(), other = mine;

	(void)state;
	for (unsigned i = 1; i < THREAD_ROWS; i++) {
		run_threads(1, take_row, &other);
		check_equal(other, (mine + i) % THREAD_ROWS);
		check_equal(thread_nr_rows(), i + 1);
	}
	run_threads(1, take_row, &other);
	check_equal(other, mine);
	check_equal(thread_nr_rows(), THREAD_ROWS);
}

static void test_thread_counts_in_its_row(void **state)
{
	unsigned mine = thread_row();

	(void)state;
	stats_after_fork();
	stats_inc(errors);
	check_equal(stats_rows[mine].counters[STATS_errors], 1);
	run_threads(1, count, NULL);
	check_equal(stats_rows[mine].counters[STATS_errors], 1);
	check_equal(counted(STATS_errors), TIMES + 1);
}

static void test_no_count_is_lost(void **state)
{
	(void)state;
	stats_after_fork();
	run_threads(THREADS, count, NULL);
	check_equal(counted(STATS_errors), THREADS * TIMES);
	check_equal(counted(STATS_notify_callbacks), THREADS);
	check_equal(stats_sum(STATS_errors, STATS_lists), 2 * THREADS * TIMES);
	stats_after_fork();
	check_equal(stats_sum(0, STATS_NR - 1), 0);
}

static void *see_depth(void *depth)
{
	stats_max(STATS_engine_depth, *(uint64_t *)depth);
	return NULL;
}

/* An engine may end, and the next one is another thread. */
static void test_highest_depth_is_that_of_all_engines(void **state)
{
	static uint64_t depths[] = { 3, 5, 4 };

	(void)state;
	stats_after_fork();
	for (int i = 0; i < 3; i++)
		run_threads(1, see_depth, &depths[i]);
	check_equal(counted(STATS_engine_depth), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_first_threads_have_a_row_each), /* before others make threads */
		cmocka_unit_test(test_rows_lie_in_lines_of_their_own),
		cmocka_unit_test(test_thread_counts_in_its_row),
		cmocka_unit_test(test_no_count_is_lost),
		cmocka_unit_test(test_highest_depth_is_that_of_all_engines),
	};

	return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}
