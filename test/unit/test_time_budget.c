// SPDX-License-Identifier: MIT
/*
 * test_time_budget.c - what is wasted adds up, and the time since pays it back
 */
#include "support.h"

#include "base/time_budget.h"

#define START 1000000000u /* some time */

static void test_what_is_lost_adds_up(void **state)
{
	struct time_budget budget = { 0 };

	(void)state;
	time_budget_spend(&budget, 0, START, 100);
	check_equal(time_budget_spend(&budget, 300, START, 100), 300);
	check_equal(time_budget_spend(&budget, 200, START, 100), 500);
}

static void test_a_part_of_the_time_is_paid_back(void **state)
{
	struct time_budget budget = { 0 };

	(void)state;
	time_budget_spend(&budget, 0, START, 100);
	time_budget_spend(&budget, 1000, START, 100);
	check_equal(time_budget_spend(&budget, 0, START + 50000, 100), 500);
	/* Only once for the same time, */
	check_equal(time_budget_spend(&budget, 0, START + 50000, 100), 500);
	/* and not more than was lost. */
	check_equal(time_budget_spend(&budget, 7, START + 1000000, 100), 7);
}

/* Two threads may come in another order than they looked at the clock. */
static void test_time_that_runs_backwards_pays_nothing(void **state)
{
	struct time_budget budget = { 0 };

	(void)state;
	time_budget_spend(&budget, 1000, START, 100);
	check_equal(time_budget_spend(&budget, 0, START - 500, 100), 1000);
}

static void test_nothing_is_left_after_clear(void **state)
{
	struct time_budget budget = { 0 };

	(void)state;
	time_budget_spend(&budget, 1000, START, 100);
	time_budget_clear(&budget);
	check_equal(time_budget_spend(&budget, 0, START, 100), 0);
}

static void test_budget_is_spent_above_the_mark(void **state)
{
	struct time_budget budget = { 0 };
	uint64_t now = now_ns() + 3600 * (uint64_t)1000000000; /* nothing is paid during the test */

	(void)state;
	check(!time_budget_is_spent(&budget));
	time_budget_lose(&budget, TIME_BUDGET_HIGH_NS, now);
	check(!time_budget_is_spent(&budget));
	time_budget_lose(&budget, 1, now);
	check(time_budget_is_spent(&budget));
}

/* A process that was stopped for an hour has not wasted it. */
static void test_one_loss_is_bounded(void **state)
{
	struct time_budget budget = { 0 };

	(void)state;
	time_budget_spend(&budget, 0, START, TIME_BUDGET_DECAY);
	time_budget_lose(&budget, 3600 * (uint64_t)1000000000, START);
	check_equal(time_budget_spend(&budget, 0, START, TIME_BUDGET_DECAY), TIME_BUDGET_MAX_NS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_lost_adds_up),
		cmocka_unit_test(test_a_part_of_the_time_is_paid_back),
		cmocka_unit_test(test_time_that_runs_backwards_pays_nothing),
		cmocka_unit_test(test_nothing_is_left_after_clear),
		cmocka_unit_test(test_budget_is_spent_above_the_mark),
		cmocka_unit_test(test_one_loss_is_bounded),
	};

	return cmocka_run_group_tests_name("time_budget", tests, NULL, NULL);
}
