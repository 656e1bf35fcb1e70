// SPDX-License-Identifier: MIT
/*
 * event_ring.c - Linux AIO's completions, taken in user space by whoever looks.
 *
 * The event ring has one head, so one thread at a time may take from it: the
 * one that holds the claim, a word that is
 *
 *   FREE           nobody is at the ring
 *   REAPING | me   I take events from it, with all signals blocked
 *   LEADING | me   I sleep in the kernel until there is an event
 *
 * Poll     with an empty ring: nothing to do.  FREE -> REAPING, take all, FREE.
 *          Taken by another: it will report, and soon.
 * Wait     FREE -> REAPING, take all; done: FREE.  Else look on for a moment,
 *          then LEADING, sleep in io_pgetevents, LEADING -> REAPING, and again.  Taken by another:
 *          follow, asleep on a futex that every batch and every release bumps.
 * Release  to FREE, then wake a follower, which leads on.
 *
 * Signals are blocked by who has the claim, not by who follows: a handler that
 * polls or waits there bumps the word, or finds the claim taken as well.
 *
 * The kernel never takes an event itself: the leader hands it a buffer that
 * cannot be written, so that it only sleeps.  While it sleeps signals are open
 * as the program had them, and a handler in its thread may poll or wait: for
 * the thread that leads LEADING counts as FREE.  It opens the signals in the
 * system call itself; between the last look at the ring and the sleep no
 * handler can take the event that was to end it.
 *
 * A handler may jump out of the leader's sleep, or its thread may end there.
 * So nobody relies on a leader: sleeps are bounded, and who finds events in the
 * ring that a leader has left there for a while takes the lead.
 */
#include "event_ring.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#include "aio_context.h"
#include "futex.h"
#include "process.h"
#include "spin.h"
#include "stats.h"
#include "waiter.h"

#define LEADER_SLEEP_NS   100000000u /* bounds of the sleeps, for a lead that got lost */
#define FOLLOWER_SLEEP_NS 20000000u
#define LEAD_LOST_NS      5000000u
#define NAP_NS            500000u
/* The kernel finds an event and cannot hand it over; it sees so without a page fault. */
#define KERNEL_ADDRESS ((void *)-4096L)

#define FOLLOW_ASLEEP 1u
#define FOLLOW_STEP   2u

#define CLAIM_FREE    ((uintptr_t)0)
#define CLAIM_REAPING ((uintptr_t)1)
#define CLAIM_LEADING ((uintptr_t)2)

static event_complete_fn *complete;
static _Atomic uintptr_t claim;
static _Atomic uint32_t follow_word; /* bumped for followers, who raise bit 0 and sleep on it */
static _Atomic uint64_t left_since;  /* since when a leader leaves events in the ring, 0: no */
static _Atomic bool is_taking; /* who holds the claim has taken what it has not yet reported */

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

static uint64_t block_signals(void)
{
	uint64_t all = UINT64_MAX, old;

	RAW_SYSCALL(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, sizeof(all));
	return old;
}

static void restore_signals(uint64_t old)
{
	RAW_SYSCALL(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, sizeof(old));
}

/* --- reaping -------------------------------------------------------------- */

/*
 * Bump and lower the flag in one step: a follower that read the word before is
 * refused by the kernel, one that raises the flag after it is seen next time.
 */
static void wake_followers(void)
{
	uint32_t old = atomic_load(&follow_word);

	while (!atomic_compare_exchange_weak(&follow_word, &old,
					     (old + FOLLOW_STEP) & ~FOLLOW_ASLEEP))
		continue;
	if (old & FOLLOW_ASLEEP)
		futex_wake(&follow_word, INT_MAX);
}

/* With the claim and blocked signals: take everything. */
static void reap_all(struct aio_ring *ring)
{
	uint64_t slots = 0;

	if (aio_context_is_empty(ring))
		return;
	/* Partner: event_ring_settle(), which looks at the ring first. */
	atomic_store_explicit(&is_taking, true, memory_order_relaxed);
	do {
		struct io_event event = aio_context_take(ring);

		slots |= complete(event.data, (ssize_t)event.res);
	} while (!aio_context_is_empty(ring));
	atomic_store_explicit(&is_taking, false, memory_order_release);
	atomic_store_explicit(&left_since, 0, memory_order_relaxed);
	waiter_wake_slots(slots);
	wake_followers();
}

/* A leader has left events in the ring for so long that it must be gone. */
static bool is_lost(const struct aio_ring *ring, uintptr_t seen)
{
	uint64_t since, now;

	if ((seen & CLAIM_LEADING) == 0 || aio_context_is_empty(ring))
		return false;
	now = clock_now_ns();
	since = atomic_load(&left_since);
	if (since == 0)
		atomic_store(&left_since, now);
	/* If it was taken meanwhile, the next one has not been left since then. */
	if (since == 0 && (aio_context_is_empty(ring) || atomic_load(&claim) != seen))
		atomic_store(&left_since, 0);
	return since != 0 && now - since > LEAD_LOST_NS;
}

/* FREE, led by this very thread further down its stack, or by one that must be gone. */
static bool is_for_me(const struct aio_ring *ring, uintptr_t seen)
{
	return seen == CLAIM_FREE || seen == (me() | CLAIM_LEADING) || is_lost(ring, seen);
}

/* With blocked signals. */
static bool try_claim(const struct aio_ring *ring)
{
	uintptr_t seen = atomic_load(&claim);

	return is_for_me(ring, seen) &&
	       atomic_compare_exchange_strong(&claim, &seen, me() | CLAIM_REAPING);
}

/* One of them leads on; the others stay asleep, and so the flag stays. */
static void wake_follower(void)
{
	if (atomic_fetch_add(&follow_word, FOLLOW_STEP) & FOLLOW_ASLEEP)
		futex_wake(&follow_word, 1);
}

static void release_claim(void)
{
	atomic_store(&claim, CLAIM_FREE);
	/* Partner: follow(), which raises the flag before it looks at the claim. */
	wake_follower();
}

/* Worth blocking signals for? */
static bool may_reap(const struct aio_ring *ring)
{
	return ring && !aio_context_is_empty(ring) && is_for_me(ring, atomic_load(&claim));
}

void event_ring_poll(void)
{
	struct aio_ring *ring = aio_context();
	uint64_t mask;

	if (!may_reap(ring))
		return;
	mask = block_signals();
	/* Until then a handler may have forked: in the child the ring is another's. */
	if (process_is_ready() && ring == aio_context() && try_claim(ring)) {
		reap_all(ring);
		release_claim();
	}
	restore_signals(mask);
}

void event_ring_settle(void)
{
	static const struct timespec moment = { .tv_nsec = 10000 };
	struct aio_ring *ring = aio_context();

	event_ring_poll();
	/* Who takes has its signals blocked: it is never a thread that this one has interrupted. */
	while (ring && process_is_ready() &&
	       (!aio_context_is_empty(ring) || atomic_load(&is_taking))) {
		RAW_SYSCALL(SYS_nanosleep, &moment, NULL); /* yield: not for real-time threads */
		event_ring_poll();
	}
}

/* --- waiting -------------------------------------------------------------- */

struct wait {
	bool (*is_done)(const void *arg);
	const void *arg;
	const struct timespec *deadline;
	bool can_cancel;
	uint64_t mask; /* the program's */
	struct aio_ring *ring;
	uint32_t generation; /* of the process that began to wait */
};

/* How long to sleep: until the deadline, and not longer than @bound. */
static uint64_t sleep_ns(const struct wait *wait, uint64_t bound)
{
	uint64_t now, end;

	if (!wait->deadline)
		return bound;
	now = clock_now_ns();
	end = (uint64_t)wait->deadline->tv_sec > UINT32_MAX
		      ? UINT64_MAX
		      : (uint64_t)wait->deadline->tv_sec * 1000000000u +
				(uint64_t)wait->deadline->tv_nsec;
	if (end <= now)
		return 0;
	return end - now < bound ? end - now : bound;
}

/* Where the call is refused, look at the ring now and then. */
static int nap(const struct wait *wait)
{
	struct timespec deadline = clock_in_ns(sleep_ns(wait, NAP_NS));
	uint32_t seen = atomic_load(&follow_word);
	int ret;

	restore_signals(wait->mask);
	ret = waiter_sleep(&follow_word, seen, &deadline, wait->can_cancel);
	block_signals();
	return ret;
}

/* Lead: sleep until there is an event, with the program's signals open. */
static int sleep_for_event(const struct wait *wait, uint64_t ns)
{
	struct timespec timeout = { .tv_sec = (time_t)(ns / 1000000000u),
				    .tv_nsec = (long)(ns % 1000000000u) };
	struct {
		const uint64_t *mask;
		size_t size;
	} mask = { &wait->mask, sizeof(wait->mask) };
	int old_type = PTHREAD_CANCEL_DEFERRED, ret;

	if (wait->can_cancel)
		pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old_type);
	ret = (int)RAW_SYSCALL(SYS_io_pgetevents, wait->ring, 1L, 1L, KERNEL_ADDRESS, &timeout,
			       &mask);
	if (wait->can_cancel)
		pthread_setcanceltype(old_type, NULL);
	return ret == -ENOSYS || ret == -EPERM ? nap(wait) : ret;
}

static bool has_event(const void *ring)
{
	return !aio_context_is_empty(ring);
}

/* With the claim.  Ends without it: 0 done, -EAGAIN: look again, -EINTR, -ETIMEDOUT. */
static int lead(const struct wait *wait)
{
	uintptr_t leading = me() | CLAIM_LEADING;
	uint64_t ns;
	int ret = 0;

	for (;;) {
		reap_all(wait->ring);
		ns = sleep_ns(wait, LEADER_SLEEP_NS);
		if (wait->is_done(wait->arg) || ret == -EINTR || ns == 0)
			break;
		if (spin_for(has_event, wait->ring, ns)) {
			stats_inc(direct_spins);
			continue;
		}
		atomic_store(&claim, leading);
		ret = sleep_for_event(wait, sleep_ns(wait, LEADER_SLEEP_NS));
		if (!process_is_still(wait->generation))
			return -EINTR; /* a handler has forked: here the ring is another's */
		/* A handler, or who thought us lost, may have taken over meanwhile. */
		if (!atomic_compare_exchange_strong(&claim, &leading, me() | CLAIM_REAPING))
			return ret == -EINTR ? ret : -EAGAIN;
	}
	release_claim();
	if (wait->is_done(wait->arg))
		return 0;
	return ret == -EINTR ? ret : -ETIMEDOUT;
}

/* With blocked signals, but for the sleep.  As lead(); -EAGAIN also: another has the claim. */
static int try_to_lead(struct wait *wait)
{
	int ret = -EAGAIN;

	wait->mask = block_signals();
	/* Until then a handler may have forked: in the child the ring is another's. */
	if (!process_is_still(wait->generation))
		ret = -EINTR;
	else if (try_claim(wait->ring))
		ret = lead(wait);
	restore_signals(wait->mask);
	return ret;
}

/* Somebody else is at the ring: sleep until it has reported something, or is gone. */
static int follow(const struct wait *wait)
{
	uint64_t ns = sleep_ns(wait, FOLLOWER_SLEEP_NS);
	struct timespec deadline;
	uint32_t seen;
	int ret = 0;

	if (ns == 0)
		return -ETIMEDOUT;
	deadline = clock_in_ns(ns);
	seen = atomic_fetch_or(&follow_word, FOLLOW_ASLEEP) | FOLLOW_ASLEEP;
	if (!wait->is_done(wait->arg) && atomic_load(&claim) != CLAIM_FREE)
		ret = waiter_sleep(&follow_word, seen, &deadline, wait->can_cancel);
	return ret == -EINTR || !process_is_still(wait->generation) ? -EINTR : -EAGAIN;
}

/*
 * No cleanup handler: a handler of the program may jump out of here, and would
 * leave it behind.  A thread that is cancelled in its sleep leaves the lead to
 * be taken.
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
		.can_cancel = can_cancel,
		.ring = aio_context(),
		.generation = generation,
	};
	int ret;

	if (!wait.ring)
		return -EINTR; /* one has forked before, and the child has begun anew */
	if (can_cancel)
		pthread_testcancel();
	do {
		ret = is_for_me(wait.ring, atomic_load(&claim)) ? try_to_lead(&wait)
								: follow(&wait);
	} while (ret == -EAGAIN && !is_done(arg));
	if (!process_is_still(generation))
		return -EINTR;
	/* It may have swallowed a wake that was meant for one who waits on. */
	if (atomic_load(&claim) == CLAIM_FREE)
		wake_follower();
	/* Done a moment ago: a handler may have begun it again. */
	return ret == -EAGAIN || is_done(arg) ? 0 : ret;
}

void event_ring_forget(void)
{
	atomic_store(&claim, CLAIM_FREE);
	atomic_store(&follow_word, 0);
	atomic_store(&left_since, 0);
	atomic_store(&is_taking, false);
	spin_forget();
}
