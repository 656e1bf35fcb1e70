// SPDX-License-Identifier: MIT
/*
 * event_ring.c - Linux AIO's completions, taken in user space.
 *
 * The event ring has one head, so one thread at a time may take from it: the
 * one that holds the claim, a word that is
 *
 *   FREE           nobody is at the ring
 *   REAPING | me   this thread takes events, with all signals blocked
 *   ASLEEP | me    this waiter sleeps in the kernel until there is an event
 *   ATTENDED       the reaper (reaper.c) sleeps there
 *
 * Poll     an empty ring: nothing to do.  FREE or ATTENDED -> REAPING, take all,
 *          FREE.  Otherwise the holder of the claim reports, and soon.
 * Wait     FREE -> REAPING, take all.  If the request is not among them,
 *          busy-poll, then ASLEEP, sleep in io_pgetevents, ASLEEP -> REAPING,
 *          and again.  If the claim is taken: -EBUSY, and the caller sleeps
 *          where completions wake it.
 * Release  to FREE.  If anybody sleeps elsewhere, the reaper is called to the ring.
 *
 * So there is one sleeper at the ring.  It is the program's own thread if only
 * one waits: an event then costs one context switch.  With more waiters it is the
 * reaper, which wakes those whose requests have ended and no others.
 *
 * Nobody polls while a waiter is ASLEEP, because nothing could wake it if another
 * thread took its event.  The reaper waits for no request: its events are free.
 *
 * The kernel takes no event itself: the buffer that it is given cannot be
 * written, so that the call only sleeps.  While a waiter sleeps, signals are open
 * as the program had them, and a handler in its thread may poll or wait: for
 * that thread ASLEEP counts as FREE.  The system call opens the signals itself,
 * so that no handler can take the event between the last look at the ring and
 * the sleep.
 *
 * A handler may jump out of the sleep, or its thread may end there.  So sleeps are
 * bounded, and the reaper takes events that have lain in the ring for some of
 * its ticks.
 */
#include "lane/event_ring.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#include "base/busy_poll.h"
#include "base/futex.h"
#include "base/process.h"
#include "base/signal_mask.h"
#include "base/stats.h"
#include "engine/aio_context.h"
#include "engine/reaper_call.h"
#include "request/waiter.h"

#define SLEEP_NS  10000000u /* for a waiter whose events were taken as left */
#define LOOKS_MAX 3u        /* a waiter may be waiting for a processor */
/* The kernel finds an event and cannot hand it over; it sees so without a page fault. */
#define KERNEL_ADDRESS ((void *)-4096L)

#define CLAIM_FREE     ((uintptr_t)0)
#define CLAIM_REAPING  ((uintptr_t)1)
#define CLAIM_ASLEEP   ((uintptr_t)2)
#define CLAIM_ATTENDED ((uintptr_t)4)

static event_complete_fn *complete;
static _Atomic uintptr_t claim;

static _Thread_local char thread_anchor __attribute__((tls_model("initial-exec"), aligned(8)));

void event_ring_init(event_complete_fn *complete_)
{
	complete = complete_;
}

/* Unique among living threads, and good in a handler. */
static uintptr_t me(void)
{
	return (uintptr_t)&thread_anchor;
}

/* --- reaping -------------------------------------------------------------- */

/* With the claim and blocked signals: take everything.  True: somebody waited for it. */
static bool reap_all(struct aio_ring *ring)
{
	uint64_t interest = 0;

	if (aio_context_is_empty(ring))
		return false;
	do {
		struct io_event event = aio_context_take(ring);

		interest |= complete(event.data, (ssize_t)event.res);
	} while (!aio_context_is_empty(ring));
	return waiter_wake_slots(interest);
}

/* With blocked signals. */
static bool try_claim(uintptr_t seen)
{
	return atomic_compare_exchange_strong(&claim, &seen, me() | CLAIM_REAPING);
}

/* Free, or held by this very thread further down its stack. */
static bool may_wait(uintptr_t seen)
{
	return seen == CLAIM_FREE || seen == (me() | CLAIM_ASLEEP);
}

static bool may_take(uintptr_t seen)
{
	return may_wait(seen) || seen == CLAIM_ATTENDED;
}

static void release_claim(void)
{
	atomic_store(&claim, CLAIM_FREE);
	/* Partner: event_ring_begin_wait(), which counts the waiter before it looks at the claim. */
	reaper_call_if_wanted();
}

void event_ring_begin_wait(void)
{
	reaper_call_begin_wait();
	/* Partner: release_claim(), which looks at the count afterwards. */
	if (atomic_load(&claim) == CLAIM_FREE)
		reaper_call_wake();
}

void event_ring_end_wait(void)
{
	reaper_call_end_wait();
}

/* Worth blocking signals for? */
static bool may_reap(const struct aio_ring *ring)
{
	return process_is_ready() && ring && !aio_context_is_empty(ring) &&
	       may_take(atomic_load(&claim));
}

void event_ring_poll(void)
{
	struct aio_ring *ring = aio_context();
	uintptr_t seen;
	uint64_t mask;

	if (!may_reap(ring))
		return;
	mask = signals_block(ALL_SIGNALS);
	seen = atomic_load(&claim);
	/* Until then a handler may have forked: in the child the ring is another's. */
	if (process_is_ready() && ring == aio_context() && may_take(seen) && try_claim(seen)) {
		reap_all(ring);
		release_claim();
	}
	signals_set(mask);
}

/* --- waiting -------------------------------------------------------------- */

struct wait {
	bool (*is_done)(const void *arg);
	const void *arg;
	const struct timespec *deadline;
	uint64_t mask; /* the program's */
	struct aio_ring *ring;
	uint32_t generation; /* of the process that began to wait */
};

/*
 * Sleep until there is an event, with the signals open as the program had them.
 * 0 or -EINTR; -EBUSY where a filter refuses the call: then the reaper's ticks
 * serve what is in flight.
 */
static int sleep_for_event(const struct wait *wait, uint64_t ns)
{
	struct timespec timeout = clock_timespec(ns);
	struct {
		const uint64_t *mask;
		size_t size;
	} mask = { &wait->mask, sizeof(wait->mask) };
	int ret = (int)RAW_SYSCALL(SYS_io_pgetevents, wait->ring, 1L, 1L, KERNEL_ADDRESS, &timeout,
				   &mask);

	if (ret == -ENOSYS || ret == -EPERM) {
		aio_context_refuse();
		return -EBUSY;
	}
	return ret == -EINTR ? ret : 0;
}

static bool has_event(const void *ring)
{
	return !aio_context_is_empty(ring);
}

/* With the claim.  Ends without it, as event_ring_wait(). */
static int wait_at_ring(const struct wait *wait)
{
	uintptr_t asleep = me() | CLAIM_ASLEEP;
	uint64_t ns;
	int ret = 0;

	for (;;) {
		reap_all(wait->ring);
		ns = clock_left_ns(wait->deadline, SLEEP_NS);
		if (ns == 0)
			ret = -ETIMEDOUT;
		if (ret < 0 || wait->is_done(wait->arg))
			break;
		if (busy_poll(has_event, wait->ring, ns)) {
			stats_inc(direct_busy_polls);
			continue;
		}
		atomic_store(&claim, asleep);
		ret = sleep_for_event(wait, ns);
		if (!process_is_still(wait->generation))
			return -EINTR; /* a handler has forked: here the ring is another's */
		/* A handler or the reaper may have taken over meanwhile. */
		if (!atomic_compare_exchange_strong(&claim, &asleep, me() | CLAIM_REAPING))
			return ret;
	}
	release_claim();
	return ret;
}

/*
 * No cleanup handler: a handler of the program may jump out of here, and would
 * leave it behind.
 */
int event_ring_wait(bool (*is_done)(const void *arg), const void *arg,
		    const struct timespec *deadline, bool can_cancel)
{
	/* First: a handler that forks from here on must be noticed. */
	uint32_t generation = atomic_load(&process_generation);
	struct wait wait = {
		.is_done = is_done,
		.arg = arg,
		.deadline = deadline,
		.ring = aio_context(),
		.generation = generation,
	};
	uintptr_t seen = atomic_load(&claim);
	int old_type, ret = -EBUSY;

	if (!wait.ring)
		return -EINTR; /* one has forked before, and the child has begun anew */
	if (!may_wait(seen))
		return -EBUSY;
	/* While signals are blocked, libc's cannot come: it acts in the sleep, under the program's mask. */
	if (can_cancel)
		pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old_type);
	wait.mask = signals_block(ALL_SIGNALS);
	/* Until then a handler may have forked: in the child the ring is another's. */
	if (process_is_still(generation) && try_claim(seen))
		ret = wait_at_ring(&wait);
	signals_set(wait.mask);
	if (can_cancel)
		pthread_setcanceltype(old_type, NULL);
	return process_is_still(generation) ? ret : -EINTR;
}

/* --- the reaper ------------------------------------------------------------ */

int event_ring_attend(void)
{
	struct wait wait = { .mask = ALL_BUT_LIBC, .ring = aio_context() };
	uintptr_t attended = CLAIM_ATTENDED;
	bool was_waited_for;
	int ret = 0;

	if (!wait.ring || !try_claim(CLAIM_FREE))
		return -EBUSY;
	if (aio_context_is_empty(wait.ring)) {
		atomic_store(&claim, attended);
		ret = sleep_for_event(&wait, SLEEP_NS);
		if (!atomic_compare_exchange_strong(&claim, &attended, me() | CLAIM_REAPING))
			return ret; /* another thread has been there */
	}
	was_waited_for = reap_all(wait.ring);
	atomic_store(&claim, CLAIM_FREE);
	return ret < 0 ? ret : was_waited_for;
}

void event_ring_take_left(void)
{
	static unsigned head, nr_looks; /* at the same event */
	struct aio_ring *ring = aio_context();
	uintptr_t seen = atomic_load(&claim);

	if (!ring)
		return;
	if (aio_context_is_empty(ring) || head != aio_context_head(ring))
		nr_looks = 0;
	else
		nr_looks++;
	head = aio_context_head(ring);
	if (nr_looks < LOOKS_MAX || (seen & CLAIM_REAPING) || !try_claim(seen))
		return;
	reap_all(ring);
	release_claim();
}

void event_ring_after_fork(void)
{
	atomic_store(&claim, CLAIM_FREE);
}
