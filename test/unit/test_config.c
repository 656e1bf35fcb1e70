// SPDX-License-Identifier: MIT
/*
 * test_config.c - what the environment makes of the configuration
 *
 * Each case in a child, which has the defaults; what it reports on standard
 * error is looked at here.
 */
#include "support.h"

#include "base/config.h"

static struct config before;

/* Read these variables, given as name and value, until NULL. */
static void load(const char *const variables[])
{
	clearenv();
	for (; *variables; variables += 2)
		check_equal(setenv(variables[0], variables[1], 1), 0);
	memcpy(&before, &config, sizeof(before));
	config_load(true);
}

#define LOAD(...) load((const char *const[]){ __VA_ARGS__, NULL })

static int nothing_is_set(void)
{
	LOAD(NULL);
	check_memory(&config, &before, sizeof(config));
	check_equal(config.backend, BACKEND_AUTO);
	return 0;
}

static int everything_is_set(void)
{
	LOAD("RTAIO_BACKEND", "threads", "RTAIO_DEPTH", "1", "RTAIO_THREADS", "65536",
	     "RTAIO_CALLBACKS", "7", "RTAIO_BUSY_POLL", "0", "RTAIO_INLINE", "0", "RTAIO_OFFLOAD",
	     "0", "RTAIO_IN_FLIGHT", "4", "RTAIO_VERBOSE", "1", "RTAIO_STATS", "/some/file");
	check_equal(config.backend, BACKEND_THREADS);
	check_equal(config.depth, 1);
	check_equal(config.threads_max, 65536);
	check_equal(config.callbacks_max, 7);
	check_equal(config.busy_poll_us, 0);
	check_equal(config.in_flight_kib, 4);
	check(!config.inline_lane && !config.offload_lane && config.verbose && config.stats);
	check(strcmp(config.stats_path, "/some/file") == 0);
	return 0;
}

static int observers_are_asked_for(void)
{
	LOAD("RTAIO_EXPLAIN", "", "RTAIO_CHECK", "0");
	check_equal(config.observe, OBSERVE_NOTHING);
	LOAD("RTAIO_EXPLAIN", "/some/directory");
	check_equal(config.observe, OBSERVE_EXPLAIN);
	check(strcmp(config.observe_path, "/some/directory") == 0);
	LOAD("RTAIO_CHECK", "1");
	check_equal(config.observe, OBSERVE_CHECK);
	check_equal(config.observe_path[0], '\0');
	LOAD("RTAIO_CHECK", "/some/file");
	check(strcmp(config.observe_path, "/some/file") == 0);
	return 0;
}

static int one_of_two_observers_counts(void)
{
	LOAD("RTAIO_EXPLAIN", "/some/directory", "RTAIO_CHECK", "/some/file");
	check_equal(config.observe, OBSERVE_CHECK);
	check(strcmp(config.observe_path, "/some/file") == 0);
	LOAD("RTAIO_CHECK", "1", "RTAIO_EXPLAIN", "/some/directory");
	check_equal(config.observe, OBSERVE_CHECK);
	check_equal(config.observe_path[0], '\0');
	return 0;
}

/* Nothing else of the program's environment counts. */
static int others_are_set(void)
{
	LOAD("RTAIO", "1", "XRTAIO_DEPTH", "1", "RTAI", "1", "RTAIO_TEST_SOMETHING", "1");
	check_memory(&config, &before, sizeof(config));
	return 0;
}

static int unusable_values_are_set(void)
{
	static const char *const numbers[] = { "",     "0",   "65537", "-1",
					       "1x",   "x",   "1 ",    "99999999999999999999",
					       "0x10", "1.5", NULL };

	for (int i = 0; numbers[i]; i++) {
		LOAD("RTAIO_DEPTH", numbers[i], "RTAIO_INLINE", "yes");
		check_memory(&config, &before, sizeof(config));
	}
	return 0;
}

static int unknown_backend_is_set(void)
{
	LOAD("RTAIO_BACKEND", "uring");
	check_equal(config.backend, BACKEND_INVALID);
	return 0;
}

static int unknown_variable_is_set(void)
{
	LOAD("RTAIO_DEPHT", "1");
	check_memory(&config, &before, sizeof(config));
	return 0;
}

static int long_path_is_set(void)
{
	static char path[sizeof(config.stats_path) + 1];

	memset(path, 'x', sizeof(path) - 1);
	LOAD("RTAIO_STATS", path);
	check(!config.stats);
	return 0;
}

/* In a child, whose output has this in it; NULL: which prints nothing. */
static void check_load(int (*function)(void), const char *report)
{
	struct child_result result = in_child(function, 10000);

	if (result.end != CHILD_EXITED || result.code != 0)
		check_failed("%s: %s", describe_child(&result), result.output);
	if (report ? !strstr(result.output, report) : result.output[0] != '\0')
		check_failed("it printed: %s", result.output);
}

#define TEST_LOAD(test, function, report)     \
	static void test(void **state)        \
	{                                     \
		(void)state;                  \
		check_load(function, report); \
	}

TEST_LOAD(test_empty_environment_leaves_the_defaults, nothing_is_set, NULL)
TEST_LOAD(test_every_variable_is_read, everything_is_set, NULL)
TEST_LOAD(test_other_variables_are_left_alone, others_are_set, NULL)
TEST_LOAD(test_value_that_cannot_be_used_is_reported, unusable_values_are_set,
	  "RTAIO_DEPTH=65537 is not a number from 1 to 65536: 256 is used")
TEST_LOAD(test_unknown_backend_is_no_backend, unknown_backend_is_set,
	  "RTAIO_BACKEND=uring is not a backend")
TEST_LOAD(test_observers_are_asked_for, observers_are_asked_for, NULL)
TEST_LOAD(test_one_of_two_observers_counts, one_of_two_observers_counts, NULL)
TEST_LOAD(test_unknown_variable_is_reported, unknown_variable_is_set,
	  "RTAIO_DEPHT is not a variable of rtaio")
TEST_LOAD(test_path_that_is_too_long_means_no_statistics, long_path_is_set, "no statistics")

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty_environment_leaves_the_defaults),
		cmocka_unit_test(test_every_variable_is_read),
		cmocka_unit_test(test_other_variables_are_left_alone),
		cmocka_unit_test(test_value_that_cannot_be_used_is_reported),
		cmocka_unit_test(test_unknown_backend_is_no_backend),
		cmocka_unit_test(test_observers_are_asked_for),
		cmocka_unit_test(test_one_of_two_observers_counts),
		cmocka_unit_test(test_unknown_variable_is_reported),
		cmocka_unit_test(test_path_that_is_too_long_means_no_statistics),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
