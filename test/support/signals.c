// SPDX-License-Identifier: MIT
/*
 * signals.c - signals that the tests expect, and what came with each
 *
 * The handler only touches atomics and its own slot of a table.
 */
#include "support.h"

#include <stdatomic.h>

static siginfo_t records[CAUGHT_MAX];
static atomic_uint nr_claimed, nr_recorded;
static struct sigaction saved_actions[NSIG];
static bool is_caught[NSIG];

static void record_signal(int signo, siginfo_t *info, void *context)
{
	unsigned int slot = atomic_fetch_add(&nr_claimed, 1);

	(void)signo;
	(void)context;
	if (slot < CAUGHT_MAX)
		records[slot] = *info;
	atomic_fetch_add(&nr_recorded, 1);
}

void change_mask(int how, int signo)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signo);
	check_equal(pthread_sigmask(how, &set, NULL), 0);
}

bool is_pending(int signo)
{
	sigset_t set;

	check_equal(sigpending(&set), 0);
	return sigismember(&set, signo);
}

void catch_signal(int signo, int flags)
{
	struct sigaction action = { .sa_sigaction = record_signal };

	action.sa_flags = SA_SIGINFO | flags;
	/* Nested handlers of other signals would record out of order. */
	sigfillset(&action.sa_mask);
	check(sigaction(signo, &action, is_caught[signo] ? NULL : &saved_actions[signo]) == 0);
	is_caught[signo] = true;
}

unsigned int nr_caught(void)
{
	return atomic_load(&nr_recorded);
}

const siginfo_t *caught(unsigned int i)
{
	check(i < nr_caught() && i < CAUGHT_MAX);
	return &records[i];
}

void release_signals(void)
{
	for (int signo = 1; signo < NSIG; signo++) {
		if (is_caught[signo])
			sigaction(signo, &saved_actions[signo], NULL);
		is_caught[signo] = false;
	}
	atomic_store(&nr_claimed, 0);
	atomic_store(&nr_recorded, 0);
}
