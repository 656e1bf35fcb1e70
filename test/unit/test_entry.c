// SPDX-License-Identifier: MIT
/*
 * test_entry.c - does a signal end a wait, or is the wait restarted?
 */
#include "support.h"

#include <errno.h>
#include <signal.h>

#include "api/entry.h"
#include "base/process.h"

static void note_signal(int signo)
{
	(void)signo;
}

static void start(bool is_child)
{
	(void)is_child;
}

/* What a wait returns that SIGUSR1 interrupted, if its action is this. */
static int interrupted(void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	check_equal(sigaction(SIGUSR1, &action, NULL), 0);
	check_equal(raise(SIGUSR1), 0);
	return entry_restart(-EINTR);
}

static void test_handler_ends_the_wait(void **state)
{
	(void)state;
	check_equal(interrupted(note_signal, 0), -EINTR);
	check_equal(interrupted(note_signal, SA_RESTART), 0);
	check_equal(interrupted(SIG_IGN, 0), 0);
}

/* Its action is the default one when the wait looks. */
static void test_handler_that_served_once_ends_the_wait(void **state)
{
	(void)state;
	check_equal(interrupted(note_signal, SA_RESETHAND), -EINTR);
	check_equal(interrupted(note_signal, SA_RESETHAND | SA_RESTART), 0);
}

static void test_handler_of_a_blocked_signal_did_not_run(void **state)
{
	(void)state;
	change_mask(SIG_BLOCK, SIGUSR1);
	check_equal(interrupted(note_signal, 0), 0);
	check_equal(interrupted(SIG_IGN, 0), 0); /* takes the pending signal away */
	change_mask(SIG_UNBLOCK, SIGUSR1);
}

static void test_other_results_stay(void **state)
{
	(void)state;
	check_equal(interrupted(note_signal, 0), -EINTR);
	check_equal(entry_restart(0), 0);
	check_equal(entry_restart(-ETIMEDOUT), -ETIMEDOUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handler_ends_the_wait),
		cmocka_unit_test(test_handler_that_served_once_ends_the_wait),
		cmocka_unit_test(test_handler_of_a_blocked_signal_did_not_run),
		cmocka_unit_test(test_other_results_stay),
	};

	process_start(start);
	return cmocka_run_group_tests_name("entry", tests, NULL, NULL);
}
