// SPDX-License-Identifier: MIT
/*
 * test_first_call.c - the first call of a function takes no more stack than the next
 *
 * Handlers may run on a small stack of their own.  A library that has a function of
 * libc looked up when it is first called needs some kilobytes there, for once.  The
 * program itself has bound all that it calls.
 */
#include "transparency.h"

#define STACK_SIZE (256 * 1024)
#define UNUSED     0x5a
#define SPARE      1024 /* libc may bind its own calls: 776 bytes on arm64 */

static int (*volatile suspend)(const struct aiocb *const list[], int nent,
			       const struct timespec *timeout) = aio_suspend;
static int (*volatile close_file)(FILE *file) = fclose;

static struct aiocb blocked;
static FILE *file;
static void (*volatile function)(void);

static void on_signal(int signo)
{
	(void)signo;
	function();
}

/* How much of its stack a handler uses that calls @function_. */
static size_t stack_of(void (*function_)(void))
{
	static char stack[STACK_SIZE];
	stack_t alternative = { .ss_sp = stack, .ss_size = STACK_SIZE };
	size_t nr_unused = 0;

	memset(stack, UNUSED, STACK_SIZE);
	function = function_;
	handle_signal(SIGUSR1, on_signal, SA_ONSTACK);
	check_equal(sigaltstack(&alternative, NULL), 0);
	check_equal(raise(SIGUSR1), 0);
	while (nr_unused < STACK_SIZE && stack[nr_unused] == UNUSED)
		nr_unused++;
	return STACK_SIZE - nr_unused;
}

static void check_stacks(size_t first, size_t next)
{
	if (first > next + SPARE)
		check_failed("the first call took %zu bytes, the next %zu", first, next);
}

static void wait_until_timeout(void)
{
	const struct aiocb *list[] = { &blocked };
	struct timespec timeout = { .tv_nsec = 1000000 };

	check_equal(suspend(list, 1, &timeout), -1);
}

static int wait_in_handler(void)
{
	size_t first;
	int fds[2];
	char byte;

	open_pipe(fds);
	submit_read(&blocked, fds[0], &byte, 1, 0);
	eventually(others_are_asleep());
	first = stack_of(wait_until_timeout);
	check_stacks(first, stack_of(wait_until_timeout));
	write_fully(fds[1], "x", 1);
	check_equal(outcome(&blocked), 1);
	return 0;
}

static void open_file(void)
{
	file = fopen("/proc/self/status", "r");
	check(file != NULL);
}

static void close_it(void)
{
	check_equal(close_file(file), 0);
}

static int close_in_handler(void)
{
	size_t first;

	open_file();
	first = stack_of(close_it);
	open_file();
	check_stacks(first, stack_of(close_it));
	return 0;
}

TEST_IN_CHILD(test_first_wait_takes_no_more_stack, wait_in_handler, 20000)
TEST_IN_CHILD(test_first_fclose_takes_no_more_stack, close_in_handler, 20000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_wait_takes_no_more_stack),
		cmocka_unit_test(test_first_fclose_takes_no_more_stack),
	};

	return cmocka_run_group_tests_name("first_call", tests, NULL, NULL);
}
