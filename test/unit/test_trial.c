// SPDX-License-Identifier: MIT
/*
 * test_trial.c - the faster of two lanes serves the next requests
 */
#include "support.h"

#include <time.h>

#include "lane/trial.h"

#define CLASS   7
#define NR_TRY  256
#define NR_RUN  16384
#define SLOW_MS 50

static int nr_for_engine(unsigned class, int nr)
{
	int nr_engine = 0;

	for (int i = 0; i < nr; i++)
		nr_engine += trial_prefers_engine(class);
	return nr_engine;
}

/* Much longer than the other trial takes. */
static void be_slow(void)
{
	struct timespec pause = { .tv_nsec = SLOW_MS * 1000000 };

	nanosleep(&pause, NULL);
}

/* One trial of each lane, the one of them that is named slow. */
static void try_both(unsigned class, bool is_direct_slow)
{
	check_equal(nr_for_engine(class, NR_TRY), 0);
	if (is_direct_slow)
		be_slow();
	check_equal(nr_for_engine(class, NR_TRY), NR_TRY);
	if (!is_direct_slow)
		be_slow();
}

static void test_faster_lane_serves_the_next_ones(void **state)
{
	(void)state;
	try_both(CLASS, true);
	check_equal(nr_for_engine(CLASS, NR_RUN), NR_RUN);
	try_both(CLASS, false);
	check_equal(nr_for_engine(CLASS, NR_RUN), 0);
	try_both(CLASS, true);
	check_equal(nr_for_engine(CLASS, NR_RUN), NR_RUN);
}

static void test_classes_are_apart(void **state)
{
	(void)state;
	try_both(CLASS + 1, true);
	check_equal(nr_for_engine(CLASS + 2, NR_TRY), 0);
	check_equal(nr_for_engine(CLASS + 1, NR_RUN), NR_RUN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_faster_lane_serves_the_next_ones),
		cmocka_unit_test(test_classes_are_apart),
	};

	return cmocka_run_group_tests_name("trial", tests, NULL, NULL);
}
