// SPDX-License-Identifier: MIT
/*
 * test_other_libraries.c - functions of libc that a second preloaded library wraps
 *
 * wraps.so, in the directory of this program, counts the calls and hands them on.
 * It is preloaded before and after what is preloaded already, and this program
 * runs itself with it.  What stands in for a function of libc calls the next
 * one's, so that both libraries see each call.
 */
#include "transparency.h"

#include <dlfcn.h>

static _Atomic unsigned int *nr_calls;

/* The statement is seen by the other library once. */
#define check_seen(statement)                        \
	do {                                         \
		unsigned int before_ = *nr_calls;    \
                                                     \
		statement;                           \
		check_equal(*nr_calls, before_ + 1); \
	} while (0)

static void call_what_closes(void)
{
	int fd = open("/dev/null", O_RDWR), other = open("/dev/zero", O_RDWR);
	FILE *stream = fopen("/dev/null", "r");

	check_seen(check_equal(dup2(fd, other), other));
	check_seen(check_equal(dup3(fd, other, O_CLOEXEC), other));
	check_seen(check_equal(close(other), 0));
	check_seen(check_equal(fclose(stream), 0));
	check_seen(check_equal(close_range((unsigned int)fd, (unsigned int)fd, 0), 0));
	check_seen(closefrom(fd));
}

static void call_what_limits(void)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
	struct rlimit64 wide = { RLIM64_INFINITY, RLIM64_INFINITY };

	check_seen(check_equal(setrlimit(RLIMIT_FSIZE, &limit), 0));
	check_seen(check_equal(setrlimit64(RLIMIT_FSIZE, &wide), 0));
	check_seen(check_equal(prlimit(0, RLIMIT_FSIZE, &limit, NULL), 0));
	check_seen(check_equal(prlimit64(0, RLIMIT_FSIZE, &wide, NULL), 0));
	check_seen(check_equal(setrlimit((__rlimit_resource_t)-1, &limit), -1));
	check_equal(errno, EINVAL);
}

/* A library that is switched off hands all of AIO on. */
static void call_aio(void)
{
	struct aiocb cb;
	char byte;

	submit_read(&cb, temp_file_filled(1), &byte, 1, 0);
	while (aio_error(&cb) == EINPROGRESS)
		short_pause();
	check_seen(check_equal(aio_error(&cb), 0));
	check_seen(check_equal(aio_return(&cb), 1));
}

static int live_beside_other(const char *what)
{
	nr_calls = dlsym(RTLD_DEFAULT, "wraps_nr_calls");
	check(nr_calls);
	if (strcmp(what, "aside") == 0)
		call_aio();
	for (int i = 0; i < 2; i++) {
		call_what_closes();
		call_what_limits();
		use_aio();
	}
	if (strcmp(what, "_exit") == 0)
		_exit(40);
	if (strcmp(what, "_Exit") == 0)
		_Exit(40);
	return 0;
}

/* ---- the program runs itself ---- */

struct world {
	const char *what;
	bool is_first;
};

static int enter_world(void *arg)
{
	const struct world *world = arg;

	preload("wraps.so", world->is_first);
	if (strcmp(world->what, "aside") == 0)
		setenv("RTAIO_BACKEND", "glibc", 1);
	execl(own_program(), "test_other_libraries", world->what, NULL);
	return 1;
}

static void check_status(const char *what, int status)
{
	for (int i = 0; i < 2; i++) {
		struct world world = { what, i == 0 };
		struct child_result result = in_child_with(enter_world, &world, 30000);

		if (result.end != CHILD_EXITED || result.code != status)
			check_failed("%s, expected status %d: %s", describe_child(&result), status,
				     result.output);
	}
}

static void test_each_call_reaches_the_other_library(void **state)
{
	(void)state;
	check_status("return", 0);
	check_status("aside", 0);
}

static void test_end_of_a_program_reaches_the_other_library(void **state)
{
	(void)state;
	check_status("_exit", 41);
	check_status("_Exit", 42);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_call_reaches_the_other_library),
		cmocka_unit_test(test_end_of_a_program_reaches_the_other_library),
	};

	if (argc == 2)
		return live_beside_other(argv[1]);
	return cmocka_run_group_tests_name("other_libraries", tests, NULL, NULL);
}
