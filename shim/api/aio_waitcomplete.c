// SPDX-License-Identifier: MIT
/*
 * aio_waitcomplete.c - wait for whatever request ends next, and collect it.
 *
 * As FreeBSD's call of that name.  Async-signal-safe, and a cancellation point.
 *
 * Events of the direct lane lie in the event ring until a thread takes them.  A thread that sleeps
 * at the ring itself saves a context switch for each of them.  But completions of other lanes do
 * not wake it.  So it sleeps there for a moment only, and not at all for a while after such a
 * completion has come meanwhile.  Then it asks the reaper to sleep at the ring.
 */
#include "api/aio_waitcomplete.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>

#include "api/calls.h"
#include "api/entry.h"
#include "api/next_aio.h"
#include "base/busy_poll.h"
#include "base/clock.h"
#include "base/process.h"
#include "base/symver.h"
#include "lane/event_ring.h"
#include "lane/submit_ahead.h"
#include "order/bypass.h"
#include "request/completions.h"
#include "request/waiter.h"
#include "rtaio.h"

#define NS_PER_S   1000000000
#define AT_RING_NS 1000000u /* most that a completion of another lane is late */
#define MIXED_NS   10000000u

/* Threads that sleep without having asked the reaper, and those that were cancelled there. */
static _Atomic unsigned nr_without_reaper;

/* Until then completions of several lanes are expected. */
static _Atomic uint64_t mixed_until_ns;

void aio_waitcomplete_note_direct(void)
{
	/* Partner: sleep_without_reaper(), which counts before it looks at the bypass table. */
	if (atomic_load(&nr_without_reaper) > 0)
		waiter_wake_slots(WAITER_COMPLETIONS);
}

static bool has_come(const void *unused)
{
	(void)unused;
	event_ring_poll();
	return completions_exist();
}

static bool is_over_without_reaper(void)
{
	return completions_exist() || bypass_has_direct();
}

static int sleep_without_reaper(const struct timespec *deadline)
{
	int ret;

	atomic_fetch_add(&nr_without_reaper, 1);
	ret = waiter_wait_completions(is_over_without_reaper, deadline);
	atomic_fetch_sub(&nr_without_reaper, 1);
	return ret;
}

static bool has_ended(const void *unused)
{
	(void)unused;
	return completions_exist();
}

/* -EBUSY: sleep elsewhere. */
static int sleep_at_ring(const struct timespec *deadline)
{
	unsigned nr_elsewhere = atomic_load(&completions_nr_elsewhere);
	uint64_t now = clock_now_ns();
	struct timespec soon = clock_timespec(now + clock_left_ns(deadline, AT_RING_NS));
	int ret;

	if (now < atomic_load_explicit(&mixed_until_ns, memory_order_relaxed)) /* or a bit late */
		return -EBUSY;
	ret = event_ring_wait(has_ended, NULL, &soon, true);
	if (atomic_load(&completions_nr_elsewhere) != nr_elsewhere)
		atomic_store_explicit(&mixed_until_ns, now + MIXED_NS, memory_order_relaxed);
	if (ret == -ETIMEDOUT)
		return -EBUSY;
	return deadline ? ret : entry_restart(ret);
}

static int sleep_for_all_lanes(const struct timespec *deadline)
{
	int ret = sleep_at_ring(deadline);

	if (ret != -EBUSY)
		return ret;
	if (busy_poll(has_come, NULL, clock_left_ns(deadline, UINT64_MAX)))
		return 0;
	event_ring_begin_wait();
	ret = waiter_wait_completions(completions_exist, deadline);
	event_ring_end_wait();
	return ret;
}

/* 0 or -errno. */
static int wait(struct aiocb **cb, ssize_t *res, const struct timespec *deadline, bool may_sleep)
{
	uint32_t generation = atomic_load(&process_generation);
	int ret = may_sleep ? 0 : -EAGAIN;

	for (;;) {
		event_ring_poll();
		*cb = completions_take(res);
		if (*cb || ret < 0)
			return *cb ? 0 : ret;
		if (!process_is_still(generation))
			return -EINTR; /* a handler has forked: the child has nothing to wait for */
		ret = bypass_has_direct() ? sleep_for_all_lanes(deadline)
					  : sleep_without_reaper(deadline);
		if (ret == -ETIMEDOUT)
			ret = -EAGAIN;
	}
}

static ssize_t wait_and_collect(struct aiocb **iocbp, const struct timespec *timeout)
{
	struct timespec deadline;
	ssize_t res;
	bool is_zero = timeout && timeout->tv_sec == 0 && timeout->tv_nsec == 0;
	int ret;

	completions_keep();
	if (timeout)
		clock_set_deadline(&deadline, timeout);
	if (!is_zero)
		submit_ahead_note_wait();
	ret = wait(iocbp, &res, timeout ? &deadline : NULL, !is_zero);
	if (ret < 0)
		return entry_fail(-ret);
	submit_ahead_note_wait();
	return res < 0 ? entry_fail((int)-res) : res;
}

static bool is_valid(const struct timespec *timeout)
{
	return !timeout ||
	       (timeout->tv_sec >= 0 && timeout->tv_nsec >= 0 && timeout->tv_nsec < NS_PER_S);
}

EXPORT ssize_t aio_waitcomplete(struct aiocb **iocbp, const struct timespec *timeout)
{
	const struct aio_calls *detour;
	ssize_t res;

	*iocbp = NULL;
	if (!is_valid(timeout))
		return entry_fail(EINVAL);
	if (!entry_enter())
		return -1;
	if (next_aio_is_on())
		return entry_fail(ENOSYS);
	res = wait_and_collect(iocbp, timeout);
	/* An observer wants to know that this one was collected. */
	detour = calls_find_detour();
	if (*iocbp && detour)
		detour->aio_return(*iocbp);
	return res;
}
