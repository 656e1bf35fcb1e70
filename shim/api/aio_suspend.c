// SPDX-License-Identifier: MIT
/*
 * aio_suspend.c - wait for one of several requests.
 *
 * Async-signal-safe (POSIX.1-2024, 2.4.3): no lock, no allocation, a list of any length.  A
 * handler that longjmps out of the wait leaves no trace.  The sleep is a cancellation point.
 *
 * As with futex(2), a handler with SA_RESTART ends a wait with a timeout, but not one without.
 * entry_restart() makes waits at the event ring behave likewise.
 */
#include <aio.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "api/calls.h"
#include "api/entry.h"
#include "base/clock.h"
#include "base/raw_syscall.h"
#include "base/signal_mask.h"
#include "base/symver.h"
#include "lane/event_ring.h"
#include "lane/submit_ahead.h"
#include "request/aiocb.h"
#include "request/waiter.h"

#define TICK_NS 10000000u

struct counts {
	int nr_pending;              /* in progress in this process */
	int nr_direct;               /* of these, on the direct lane */
	bool has_foreign;            /* any is in progress in another process */
	bool has_ended;              /* any is complete, or was never submitted */
	const struct aiocb *pending; /* the last one in progress in this process */
};

struct entries {
	const struct aiocb *const *list;
	int nent;
};

static struct counts count_entries(const struct entries *entries)
{
	struct counts counts = { 0 };

	for (int i = 0; i < entries->nent && !counts.has_ended; i++) {
		const struct aiocb *cb = entries->list[i];
		struct request *req = cb ? aiocb_request(cb) : NULL;

		if (!cb || cb == counts.pending)
			continue;
		if (!req) {
			counts.has_ended = !aiocb_is_foreign(cb);
			counts.has_foreign |= !counts.has_ended;
		} else {
			counts.nr_pending++;
			counts.nr_direct += (request_place(req) == PLACE_DIRECT);
			counts.pending = cb;
		}
	}
	return counts;
}

/* Has a request ended or left the direct lane?  Then do not sleep at the event ring. */
static bool has_ended_or_left(const void *arg)
{
	struct counts counts = count_entries(arg);

	return counts.has_ended || counts.nr_direct < counts.nr_pending;
}

/* 0, -EINTR or -ETIMEDOUT. */
static int sleep_for_a_tick(const struct timespec *deadline, const uint64_t *mask)
{
	struct timespec tick = clock_timespec(clock_left_ns(deadline, TICK_NS));

	if (tick.tv_nsec == 0)
		return -ETIMEDOUT;
	return (int)RAW_SYSCALL(SYS_ppoll, NULL, 0, &tick, mask, sizeof(*mask));
}

/*
 * Another process does not wake this one when its request ends, so check at each tick.  Signals are
 * unblocked in the sleep only: one between check and sleep would not interrupt the wait.
 */
static int wait_for_foreign(const struct entries *entries, const struct timespec *deadline)
{
	uint64_t mask;
	int old_type, ret = 0;

	/* Before signals are blocked, so that cancellation acts under the program's mask. */
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old_type);
	mask = signals_block(ALL_SIGNALS);
	while (ret == 0 && !count_entries(entries).has_ended)
		ret = sleep_for_a_tick(deadline, &mask);
	signals_set(mask);
	pthread_setcanceltype(old_type, NULL);
	return deadline ? ret : entry_restart(ret);
}

static int sleep_on_records(const struct counts *counts, const struct entries *entries,
			    const struct timespec *deadline)
{
	if (counts->nr_pending == 1)
		return waiter_wait_one(aiocb_handle(counts->pending), deadline, true);
	return waiter_wait_any(entries->list, entries->nent, deadline, true);
}

static int wait_for(const struct counts *counts, const struct entries *entries,
		    const struct timespec *deadline)
{
	int ret = -EBUSY;

	if (counts->has_foreign)
		return wait_for_foreign(entries, deadline);
	if (counts->nr_direct == 0)
		return sleep_on_records(counts, entries, deadline);
	if (counts->nr_direct == counts->nr_pending)
		ret = event_ring_wait(has_ended_or_left, entries, deadline, true);
	if (ret != -EBUSY)
		return deadline ? ret : entry_restart(ret);
	event_ring_begin_wait();
	ret = sleep_on_records(counts, entries, deadline);
	event_ring_end_wait();
	return ret;
}

static int suspend(const struct entries *entries, const struct timespec *timeout)
{
	struct timespec deadline;
	struct counts counts;
	int ret = 0;

	event_ring_poll();
	counts = count_entries(entries);
	if (counts.has_ended || (counts.nr_pending == 0 && !counts.has_foreign))
		return 0;
	if (timeout)
		clock_set_deadline(&deadline, timeout);
	while (!counts.has_ended && ret == 0) {
		ret = wait_for(&counts, entries, timeout ? &deadline : NULL);
		counts = count_entries(entries);
	}
	if (counts.has_ended)
		return 0;
	return ret == -ETIMEDOUT ? -EAGAIN : ret;
}

int own_aio_suspend(const struct aiocb *const list[], int nent, const struct timespec *timeout)
{
	int ret;

	submit_ahead_note_wait();
	ret = suspend(&(struct entries){ list, nent }, timeout);
	return ret < 0 ? entry_fail(-ret) : 0;
}

EXPORT int rtaio_aio_suspend(const struct aiocb *const list[], int nent,
			     const struct timespec *timeout);

int rtaio_aio_suspend(const struct aiocb *const list[], int nent, const struct timespec *timeout)
{
	const struct aio_calls *detour;

	if (nent < 0)
		return entry_fail(EINVAL);
	if (!entry_enter())
		return -1;
	detour = calls_find_detour();
	return (detour ? detour->aio_suspend : own_aio_suspend)(list, nent, timeout);
}

LP64_NAMES(rtaio_aio_suspend, aio_suspend);
