// SPDX-License-Identifier: MIT
/*
 * reaper_call.c - how the reaper is called to the event ring.
 */
#include "engine/reaper_call.h"

#include "base/futex.h"
#include "order/bypass.h"

struct reaper_call reaper_call;

void reaper_call_wake(void)
{
	if (atomic_load(&reaper_call.state) >= REAPER_TICKING)
		futex_wake(&reaper_call.word, 1);
}

void reaper_call_now(void)
{
	atomic_fetch_add(&reaper_call.word, 1);
	reaper_call_wake();
}

void reaper_call_if_wanted(void)
{
	if (bypass_is_watched() || atomic_load(&reaper_call.nr_waiting) > 0)
		reaper_call_now();
}

void reaper_call_begin_wait(void)
{
	/* Partner: serve() in reaper.c, which reads the word before the count. */
	atomic_fetch_add(&reaper_call.nr_waiting, 1);
	atomic_fetch_add(&reaper_call.word, 1);
}

/* The count may be 0 already: the reaper or a fork has reset it. */
void reaper_call_end_wait(void)
{
	uint32_t nr = atomic_load(&reaper_call.nr_waiting);

	while (nr > 0 && !atomic_compare_exchange_weak(&reaper_call.nr_waiting, &nr, nr - 1))
		continue;
}
