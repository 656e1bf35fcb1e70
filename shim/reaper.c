// SPDX-License-Identifier: MIT
/*
 * reaper.c - a thread that watches the event ring while nobody else does.
 *
 * Who is on the other side: any thread, a handler too, says that it wants the
 * reaper, and bumps its word; the reaper sleeps on that word when it is not
 * wanted, else on the event ring like any other waiter.  Where it leads, the
 * program's threads pay a hop for each event: so it is not to stay for longer
 * than it is wanted.  But a thread may jump out of its wait, or be cancelled there,
 * and is counted for ever: then a while is all that anybody has asked for.
 */
#include "reaper.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

#include "bypass.h"
#include "event_ring.h"
#include "futex.h"
#include "thread.h"

#define WANTED_NS 200000000u /* who wants it for longer asks again */
#define IDLE_NS   1000000000u

static _Atomic uint32_t nr_wanting; /* waiters that have asked and not taken it back */
static _Atomic uint64_t wanted_until_ns;
static _Atomic uint32_t wake_word;
static _Atomic bool has_reaper;

static bool is_free(const void *unused)
{
	(void)unused;
	return !bypass_is_watched() &&
	       (atomic_load(&nr_wanting) == 0 || clock_now_ns() >= atomic_load(&wanted_until_ns));
}

static void *reap(void *unused)
{
	struct timespec deadline;
	uint32_t seen;
	int ret = 0;

	thread_set_name("rtaio-reaper");
	do {
		seen = atomic_load(&wake_word);
		deadline = clock_in_ns(IDLE_NS);
		if (is_free(unused))
			ret = futex_wait(&wake_word, seen, &deadline);
		else
			event_ring_wait(is_free, unused, NULL, false);
	} while (ret != -ETIMEDOUT);
	atomic_store(&has_reaper, false);
	return NULL;
}

bool reaper_want(bool for_a_while)
{
	if (for_a_while) {
		atomic_store(&wanted_until_ns, clock_now_ns() + WANTED_NS);
		atomic_fetch_add(&nr_wanting, 1);
	}
	atomic_fetch_add(&wake_word, 1);
	futex_wake(&wake_word, 1);
	return atomic_load(&has_reaper);
}

/* In the child of a fork there is nobody left to be counted. */
void reaper_want_no_more(void)
{
	uint32_t nr = atomic_load(&nr_wanting);

	while (nr > 0 && !atomic_compare_exchange_weak(&nr_wanting, &nr, nr - 1))
		continue;
}

void reaper_start(void)
{
	/* The one that is about to leave may have been counted on: whoever wants it asks again. */
	if (atomic_exchange(&has_reaper, true))
		return;
	if (thread_create(reap, NULL, THREAD_SMALL_STACK) < 0)
		atomic_store(&has_reaper, false);
}

void reaper_forget(void)
{
	atomic_store(&nr_wanting, 0);
	atomic_store(&wanted_until_ns, 0);
	atomic_store(&has_reaper, false);
}
