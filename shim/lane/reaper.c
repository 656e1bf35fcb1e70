// SPDX-License-Identifier: MIT
/*
 * reaper.c - the thread that serves the event ring while the program does not.
 *
 * Open     The reaper makes the context, since io_setup may wait.  Until then, and for a
 *          second after a failure, other lanes serve the requests.
 * Serve    The reaper sleeps at the ring if a thread waits for a direct request elsewhere, or
 *          the engine depends on one, unless a waiter sleeps at the ring.
 * Tick     The program may not look at its requests at all: another process may, or another
 *          library.  So while anything is in flight on the direct lane, the reaper looks at
 *          the ring every TICK_NS, and takes events that were left there.
 *
 * Any thread, also in a handler, calls the reaper: it bumps the reaper's word and wakes it if it
 * sleeps.  The reaper reads the word before it looks for work.
 *
 * A thread that jumps out of its wait, or is cancelled there, stays counted.  So the count is reset
 * after many batches for which nobody waited.  If a thread did wait, the tick serves it.
 */
#include "lane/reaper.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/futex.h"
#include "base/signal_mask.h"
#include "base/thread.h"
#include "engine/aio_context.h"
#include "engine/engine.h"
#include "engine/reaper_call.h"
#include "lane/event_ring.h"
#include "order/bypass.h"

#define TICK_NS     2000000u
#define BATCHES_MAX 64u /* in a row that nobody waited for */

/*
 * Reap a batch, if a thread or the engine depends on it.  True: there is more to do.  The count is
 * read before the batch, which wakes one of the threads counted; a thread that is counted later
 * bumps the word.
 */
static bool serve(void)
{
	static unsigned nr_batches; /* in a row that nobody waited for */
	uint32_t nr = atomic_load(&reaper_call.nr_waiting);
	int ret;

	if (nr == 0 && !bypass_is_watched())
		return false;
	ret = event_ring_serve();
	nr_batches = ret == 0 ? nr_batches + 1 : 0;
	if (nr_batches > BATCHES_MAX)
		atomic_store(&reaper_call.nr_waiting, 0);
	return ret >= 0 && (bypass_is_watched() || nr > (uint32_t)ret);
}

/* Sleep until the next tick or call.  False: the thread ends. */
static bool sleep_or_end(uint32_t seen)
{
	struct timespec deadline;
	bool is_idle, is_over;

	/* Partner: reaper_notice(), which reads the state after a request has entered. */
	atomic_store(&reaper_call.state, REAPER_IDLE);
	is_idle = !bypass_has_direct();
	if (!is_idle)
		atomic_store(&reaper_call.state, REAPER_TICKING);
	deadline = clock_in_ns(is_idle ? atomic_load(&config.idle_ns) : TICK_NS);
	is_over = futex_wait(&reaper_call.word, seen, &deadline) == -ETIMEDOUT;
	atomic_store(&reaper_call.state, REAPER_AWAKE);
	if (is_over && !is_idle)
		event_ring_take_left();
	return !is_over || !is_idle;
}

static bool try_to_exist(void)
{
	uint32_t none = REAPER_NONE;

	return atomic_compare_exchange_strong(&reaper_call.state, &none, REAPER_AWAKE);
}

static void *reap(void *unused)
{
	uint32_t seen;

	thread_begin("rtaio-reaper");
	aio_context_open();
	do {
		do {
			seen = atomic_load(&reaper_call.word);
		} while (serve() || sleep_or_end(seen));
		atomic_store(&reaper_call.state, REAPER_NONE);
		/* Partner: reaper_notice(), as above. */
	} while (bypass_has_direct() && try_to_exist());
	return unused;
}

void reaper_provide(void)
{
	uint64_t old;

	if (atomic_load(&reaper_call.state) != REAPER_NONE)
		return;
	old = signals_block(ALL_BUT_LIBC);
	if (try_to_exist() && thread_create(reap, NULL, false) < 0)
		atomic_store(&reaper_call.state, REAPER_NONE);
	signals_set(old);
}

/* The engine makes the thread, if there is one: this may be a handler that interrupted malloc. */
static void ask_for_thread(void)
{
	if (atomic_load(&reaper_call.state) == REAPER_NONE && !engine_ask(ENGINE_ASK_REAPER))
		reaper_provide();
}

bool reaper_has_context(void)
{
	if (aio_context_is_refused()) /* requests in flight are still reaped */
		return false;
	if (!aio_context())
		ask_for_thread();
	return aio_context();
}

bool reaper_notice(void)
{
	if (atomic_load(&reaper_call.state) == REAPER_IDLE)
		reaper_call_now();
	ask_for_thread();
	return atomic_load(&reaper_call.state) != REAPER_NONE;
}

void reaper_after_fork(void)
{
	atomic_store(&reaper_call.state, REAPER_NONE);
	atomic_store(&reaper_call.nr_waiting, 0);
}
