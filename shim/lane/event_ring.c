// SPDX-License-Identifier: MIT
/*
 * event_ring.c - completions of Linux AIO, taken in user space.
 *
 * The event ring has one head, so one thread at a time may take from it: the one that holds the
 * claim.  The claim is a word:
 *
 *   FREE           nobody is at the ring
 *   REAPING | me   this thread takes events, with all signals blocked
 *   ASLEEP | me    this waiter sleeps in the kernel until there is an event
 *   REAPER_ASLEEP  the reaper (reaper.c) sleeps there
 *
 * Poll     If there are events: FREE or REAPER_ASLEEP -> REAPING, take all, FREE.  If another
 *          thread has the claim, that thread reports them soon.
 * Wait     FREE -> REAPING, take all.  If the request is not among them, busy-poll, then
 *          ASLEEP, sleep in io_pgetevents, ASLEEP -> REAPING, and again.  If the claim is
 *          taken: -EBUSY, and the caller sleeps on its record or wait slot.
 * Submit   FREE or REAPER_ASLEEP -> REAPING, submit what completes at once, take all, FREE.  If
 *          another thread has the claim, nothing is submitted.
 * Release  to FREE.  If a thread sleeps elsewhere, the reaper is called to the ring.
 *
 * So one thread sleeps at the ring.  A single waiter of the program sleeps there itself: an event
 * then costs one context switch.  With more waiters the reaper sleeps there, and wakes only those
 * whose requests have ended.
 *
 * While a waiter is ASLEEP no other thread polls: if it took the waiter's event, nothing would wake
 * the waiter.  The reaper waits for no request, so any thread may take its events.
 *
 * io_pgetevents gets a buffer that cannot be written, so it takes no event and only sleeps.  It
 * sets the program's signal mask atomically, so that no handler takes the event between the last
 * check of the ring and the sleep.  During the sleep a handler in the thread may poll or wait: for
 * that thread ASLEEP counts as FREE.
 *
 * A handler may jump out of the sleep, or the thread may end there.  So sleeps are bounded, and the
 * reaper takes events that have lain in the ring for some ticks.  Model: test/model/event_ring.pml.
 */
#include "lane/event_ring.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#include "base/busy_poll.h"
#include "base/clock.h"
#include "base/process.h"
#include "base/raw_syscall.h"
#include "base/signal_mask.h"
#include "base/stats.h"
#include "base/thread.h"
#include "engine/aio_context.h"
#include "engine/reaper_call.h"
#include "request/waiter.h"

#define SLEEP_NS  10000000u /* bounds the sleep of a waiter whose events the reaper took */
#define TICKS_MAX 3u        /* ticks: a waiter may be slow to get a processor */
/* io_pgetevents finds an event and fails to copy it to this address, without a page fault. */
#define KERNEL_ADDRESS ((void *)-4096L)

#define CLAIM_FREE          ((uintptr_t)0)
#define CLAIM_REAPING       ((uintptr_t)1)
#define CLAIM_ASLEEP        ((uintptr_t)2)
#define CLAIM_REAPER_ASLEEP ((uintptr_t)4)

/* Every thread that waits writes the claim, and only its holder needs the rest of that line. */
static struct {
	_Alignas(CACHE_LINE) _Atomic uintptr_t claim;
	event_complete_fn *complete;
} at_ring;

static _Thread_local char thread_anchor __attribute__((tls_model("initial-exec"), aligned(8)));

void event_ring_init(event_complete_fn *complete_)
{
	at_ring.complete = complete_;
}

/* Unique among living threads; async-signal-safe. */
static uintptr_t me(void)
{
	return (uintptr_t)&thread_anchor;
}

/* --- reaping -------------------------------------------------------------- */

/* With the claim and blocked signals: take all events.  True: a thread waited for one of them. */
static bool reap_all(struct aio_ring *ring)
{
	uint64_t waiters = 0;

	if (aio_context_is_empty(ring))
		return false;
	do {
		struct io_event event = aio_context_take(ring);

		waiters |= at_ring.complete(event.data, (ssize_t)event.res);
	} while (!aio_context_is_empty(ring));
	return waiter_wake_slots(waiters);
}

/* Signals must be blocked. */
static bool try_claim(uintptr_t seen)
{
	return atomic_compare_exchange_strong(&at_ring.claim, &seen, me() | CLAIM_REAPING);
}

/* Free, or held by this very thread, which a handler has interrupted in its sleep. */
static bool may_wait(uintptr_t seen)
{
	return seen == CLAIM_FREE || seen == (me() | CLAIM_ASLEEP);
}

static bool may_take(uintptr_t seen)
{
	return may_wait(seen) || seen == CLAIM_REAPER_ASLEEP;
}

static void release_claim(void)
{
	atomic_store(&at_ring.claim, CLAIM_FREE);
	/*
	 * Partner: event_ring_begin_wait(), which counts the waiter before it looks at the claim.
	 */
	reaper_call_if_wanted();
}

void event_ring_begin_wait(void)
{
	reaper_call_begin_wait();
	/* Partner: release_claim(), which frees the claim before it reads the count. */
	if (atomic_load(&at_ring.claim) == CLAIM_FREE)
		reaper_call_wake();
}

void event_ring_end_wait(void)
{
	reaper_call_end_wait();
}

/* A cheap check before signals are blocked. */
static bool may_reap(const struct aio_ring *ring)
{
	return process_is_ready() && ring && !aio_context_is_empty(ring) &&
	       may_take(atomic_load(&at_ring.claim));
}

void event_ring_poll(void)
{
	struct aio_ring *ring = aio_context();
	uintptr_t seen;
	uint64_t mask;

	if (!may_reap(ring))
		return;
	mask = signals_block(ALL_SIGNALS);
	seen = atomic_load(&at_ring.claim);
	/* Before signals were blocked a handler may have forked: the child has another ring. */
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
 * Sleep until there is an event, with the program's signal mask.  0 or -EINTR; -EBUSY: seccomp
 * refuses the call, and from then on the reaper's ticks reap.
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

/* If something did not complete at once, the thread sleeps with the claim and blocked signals. */
bool event_ring_submit(void (*submit)(void *arg), bool (*is_over)(const void *arg), void *arg)
{
	struct wait wait = { .mask = ALL_SIGNALS, .ring = aio_context() };
	uintptr_t seen = atomic_load(&at_ring.claim);
	bool has_claim;
	uint64_t mask;

	if (!may_take(seen))
		return false;
	mask = signals_block(ALL_SIGNALS);
	/* Before signals were blocked a handler may have forked: the child has another ring. */
	has_claim =
		process_is_ready() && wait.ring && wait.ring == aio_context() && try_claim(seen);
	if (has_claim) {
		submit(arg);
		reap_all(wait.ring);
		while (!is_over(arg)) {
			sleep_for_event(&wait, SLEEP_NS);
			reap_all(wait.ring);
		}
		release_claim();
	}
	signals_set(mask);
	return has_claim;
}

static bool has_event(const void *ring)
{
	return !aio_context_is_empty(ring);
}

/* Called with the claim, returns without it; results as of event_ring_wait(). */
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
		atomic_store(&at_ring.claim, asleep);
		ret = sleep_for_event(wait, ns);
		if (!process_is_still(wait->generation))
			return -EINTR; /* a handler has forked: the child has another ring */
		/* A handler or the reaper may have taken over meanwhile. */
		if (!atomic_compare_exchange_strong(&at_ring.claim, &asleep, me() | CLAIM_REAPING))
			return ret;
	}
	release_claim();
	return ret;
}

/* No cleanup handler is pushed: a handler of the program that jumps out would leave it behind. */
int event_ring_wait(bool (*is_done)(const void *arg), const void *arg,
		    const struct timespec *deadline, bool can_cancel)
{
	/* First, so that a fork in a handler from here on is noticed. */
	uint32_t generation = atomic_load(&process_generation);
	struct wait wait = {
		.is_done = is_done,
		.arg = arg,
		.deadline = deadline,
		.ring = aio_context(),
		.generation = generation,
	};
	uintptr_t seen = atomic_load(&at_ring.claim);
	int old_type, ret = -EBUSY;

	if (!wait.ring)
		return -EINTR; /* a handler had forked already; the child began anew */
	if (!may_wait(seen))
		return -EBUSY;
	/* libc's cancel signal is blocked, too.  It acts in the sleep, under the program's mask. */
	if (can_cancel)
		pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old_type);
	wait.mask = signals_block(ALL_SIGNALS);
	/* Before signals were blocked a handler may have forked: the child has another ring. */
	if (process_is_still(generation) && try_claim(seen))
		ret = wait_at_ring(&wait);
	signals_set(wait.mask);
	if (can_cancel)
		pthread_setcanceltype(old_type, NULL);
	return process_is_still(generation) ? ret : -EINTR;
}

/* --- the reaper ------------------------------------------------------------ */

int event_ring_serve(void)
{
	struct wait wait = { .mask = ALL_BUT_LIBC, .ring = aio_context() };
	uintptr_t reaper_asleep = CLAIM_REAPER_ASLEEP;
	bool was_waited_for;
	int ret = 0;

	if (!wait.ring || !try_claim(CLAIM_FREE))
		return -EBUSY;
	if (aio_context_is_empty(wait.ring)) {
		atomic_store(&at_ring.claim, reaper_asleep);
		ret = sleep_for_event(&wait, SLEEP_NS);
		if (!atomic_compare_exchange_strong(&at_ring.claim, &reaper_asleep,
						    me() | CLAIM_REAPING))
			return ret; /* another thread took the claim */
	}
	was_waited_for = reap_all(wait.ring);
	atomic_store(&at_ring.claim, CLAIM_FREE);
	return ret < 0 ? ret : was_waited_for;
}

void event_ring_take_left(void)
{
	static unsigned head, nr_ticks; /* ticks that found the same event */
	struct aio_ring *ring = aio_context();
	uintptr_t seen = atomic_load(&at_ring.claim);

	if (!ring)
		return;
	if (aio_context_is_empty(ring) || head != aio_context_head(ring))
		nr_ticks = 0;
	else
		nr_ticks++;
	head = aio_context_head(ring);
	if (nr_ticks < TICKS_MAX || (seen & CLAIM_REAPING) || !try_claim(seen))
		return;
	reap_all(ring);
	release_claim();
}

void event_ring_after_fork(void)
{
	atomic_store(&at_ring.claim, CLAIM_FREE);
}
