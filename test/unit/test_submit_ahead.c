// SPDX-License-Identifier: MIT
/*
 * test_submit_ahead.c - how far ahead of its results a thread submits
 */
#include "support.h"

#include <pthread.h>

#include "lane/submit_ahead.h"

#define BURST 160 /* pieces of work that may be done between two results */

/* Each test in a thread of its own, which has submitted nothing yet. */
static void *enter(void *test)
{
	((void (*)(void))(uintptr_t)test)();
	return NULL;
}

static void in_a_thread(void (*test)(void))
{
	pthread_t thread;

	check_equal(pthread_create(&thread, NULL, enter, (void *)(uintptr_t)test), 0);
	check_equal(pthread_join(thread, NULL), 0);
}

#define IN_A_THREAD(test, function)    \
	static void test(void **state) \
	{                              \
		(void)state;           \
		in_a_thread(function); \
	}

static void submit_short(int nr)
{
	for (int i = 0; i < nr; i++)
		submit_ahead_note_submitted(1);
}

static void count_pieces(void)
{
	check_equal(submit_ahead_pieces(0), 1);
	check_equal(submit_ahead_pieces(PIECE_BYTES - 1), 1);
	check_equal(submit_ahead_pieces(PIECE_BYTES), 2);
	check_equal(submit_ahead_pieces(65536), 5);
	check_equal(submit_ahead_note_submitted(1), 1);
	check_equal(submit_ahead_note_submitted(65536), 6);
	check_equal(submit_ahead_note_submitted(1), 7);
}

/* No position is 0, which stands for a request that has none. */
static void wrap_around(void)
{
	check_equal(submit_ahead_note_submitted((size_t)(UINT32_MAX - 1) * PIECE_BYTES),
		    UINT32_MAX);
	check_equal(submit_ahead_note_submitted(1), 1);
}

static void go_on_and_on(void)
{
	submit_short(BURST);
	check(!submit_ahead_wants_short_calls(false));
	submit_short(1);
	check(submit_ahead_wants_short_calls(false));
	submit_ahead_note_wait();
	check(!submit_ahead_wants_short_calls(false));
	submit_short(BURST + 1);
	check(submit_ahead_wants_short_calls(false));
	submit_ahead_note_collected(1);
	check(!submit_ahead_wants_short_calls(false));
	submit_short(BURST + 1);
	submit_ahead_note_collected(0); /* the result of a request without a position */
	check(!submit_ahead_wants_short_calls(false));
}

static void submit_and_wait(void)
{
	submit_short(1);
	submit_ahead_note_wait();
}

static void wait_only(void)
{
	submit_ahead_note_wait();
}

/* A thread that collects for others counts, one that submits itself does not. */
static void wait_elsewhere(void)
{
	submit_ahead_wants_short_calls(false);
	submit_short(BURST + 1);
	check(submit_ahead_wants_short_calls(false));
	in_a_thread(submit_and_wait);
	check(submit_ahead_wants_short_calls(false));
	in_a_thread(wait_only);
	check(!submit_ahead_wants_short_calls(false));
	submit_short(BURST + 1);
	check(submit_ahead_wants_short_calls(false));
}

/* @distance pieces ahead, until the average stands still. */
static unsigned average_of(uint32_t distance)
{
	for (int i = 0; i < 200; i++)
		submit_ahead_note_collected(submit_ahead_note_submitted(1) - distance);
	return submit_ahead_average();
}

static void collect(void)
{
	submit_short(1000);
	check_equal(submit_ahead_average(), 0);
	check_equal(average_of(0), 0);
	check_equal(average_of(8), 8);
	check_equal(average_of(32), 32);
	check_equal(average_of(64), 64);
	check_equal(average_of(500), 64); /* no more than that counts */
	submit_ahead_note_collected(0);
	check_equal(submit_ahead_average(), 64);
	submit_ahead_note_collected(submit_ahead_note_submitted(1)); /* the newest is an eighth */
	check_equal(submit_ahead_average(), 56);
}

IN_A_THREAD(test_work_is_counted_in_pieces, count_pieces)
IN_A_THREAD(test_positions_wrap_around, wrap_around)
IN_A_THREAD(test_thread_that_asks_for_nothing_is_far_ahead, go_on_and_on)
IN_A_THREAD(test_results_that_others_collect_count, wait_elsewhere)
IN_A_THREAD(test_average_follows_the_distance, collect)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_work_is_counted_in_pieces),
		cmocka_unit_test(test_positions_wrap_around),
		cmocka_unit_test(test_thread_that_asks_for_nothing_is_far_ahead),
		cmocka_unit_test(test_results_that_others_collect_count),
		cmocka_unit_test(test_average_follows_the_distance),
	};

	return cmocka_run_group_tests_name("submit_ahead", tests, NULL, NULL);
}
