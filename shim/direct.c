// SPDX-License-Identifier: MIT
/*
 * direct.c - the direct lane: O_DIRECT through Linux AIO, from thread to thread.
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
 * Wait     FREE -> REAPING, take all; done: FREE.  Else LEADING, sleep in
 *          io_pgetevents, LEADING -> REAPING, and again.  Taken by another:
 *          follow, asleep on a futex that every batch and every release bumps.
 * Release  to FREE, then wake a follower, which leads on.
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
#include "direct.h"

#include <errno.h>
#include <fcntl.h>
#include <libaio.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

#include "config.h"
#include "filesize.h"
#include "filter.h"
#include "futex.h"
#include "perform.h"
#include "process.h"
#include "stats.h"
#include "thread.h"
#include "waiter.h"

#define CONTEXT_EVENTS     256
#define CONTEXT_EVENTS_MIN 32
#define BATCH_MAX          64
#define RING_MAGIC         0xa10a10a1u
#define LEADER_SLEEP_NS    100000000u /* bounds of the sleeps, for a lead that got lost */
#define FOLLOWER_SLEEP_NS  20000000u
#define LEAD_LOST_NS       5000000u
#define RETRY_NS           1000000000u
#define NAP_NS             500000u
#define REAPER_WANTED_NS   200000000u /* who wants it for longer asks again */
#define REAPER_IDLE_NS     1000000000u

#define CLAIM_FREE    ((uintptr_t)0)
#define CLAIM_REAPING ((uintptr_t)1)
#define CLAIM_LEADING ((uintptr_t)2)

/* The kernel's ring, as fs/aio.c lays it out and libaio reads it. */
struct aio_ring {
	unsigned id;
	unsigned nr;
	_Atomic unsigned head; /* who holds the claim writes */
	_Atomic unsigned tail; /* the kernel writes */
	unsigned magic;
	unsigned compat_features;
	unsigned incompat_features;
	unsigned header_length;
	struct io_event events[];
};

/* Barriers, by descriptor: a flip of epoch parts earlier requests from later ones. */
#define FD_BUCKETS 64u

struct bucket {
	_Atomic uint32_t epoch;        /* the engine flips */
	_Atomic uint32_t in_flight[2]; /* submitters raise, reapers lower */
	bool has_barrier;              /* engine only: one at a time */
};

static struct bucket buckets[FD_BUCKETS];

static const struct direct_events *events;
static _Atomic(struct aio_ring *) context; /* NULL: none yet; the address is the context's id */
static _Atomic bool is_refused;            /* by the kernel or a filter: never again */
static _Atomic uint64_t retry_at_ns;       /* no memory, or fs.aio-max-nr is spent: not before */
static _Atomic uintptr_t claim;
static _Atomic uint32_t follow_word; /* bumped for followers; they sleep on it */
static _Atomic bool has_followers;   /* followers raise before they look; who wakes all lowers */
static _Atomic uint64_t left_since;  /* since when a leader leaves events in the ring, 0: no */
static _Atomic uint64_t reaper_until_ns; /* until when somebody wants the reaper */
static _Atomic uint32_t reaper_word; /* bumped for the reaper; it sleeps on it when not wanted */
static _Atomic bool has_reaper;
static _Atomic bool is_watched; /* the engine raises before it looks whether it must wait */

static _Thread_local char thread_anchor __attribute__((tls_model("initial-exec"), aligned(8)));

void direct_init(const struct direct_events *events_)
{
	events = events_;
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

/* --- the context ---------------------------------------------------------- */

static int make_context(void)
{
	struct aio_ring *expected = NULL;
	io_context_t made = NULL;
	int ret = io_setup(CONTEXT_EVENTS, &made);

	if (ret == -EAGAIN) /* fs.aio-max-nr is shared by the whole machine */
		ret = io_setup(CONTEXT_EVENTS_MIN, &made);
	if (ret < 0)
		return ret;
	if (((struct aio_ring *)made)->magic != RING_MAGIC ||
	    ((struct aio_ring *)made)->incompat_features) {
		io_destroy(made);
		return -ENOSYS;
	}
	if (!atomic_compare_exchange_strong(&context, &expected, (struct aio_ring *)made))
		io_destroy(made); /* another thread was faster */
	return 0;
}

/* 0 or -errno. */
static int get_context(void)
{
	int ret;

	if (atomic_load_explicit(&is_refused, memory_order_relaxed))
		return -ENOSYS; /* perhaps since a moment ago: what is in flight is still reaped */
	if (atomic_load_explicit(&context, memory_order_acquire))
		return 0;
	if (clock_now_ns() < atomic_load_explicit(&retry_at_ns, memory_order_relaxed))
		return -EAGAIN;
	ret = make_context();
	if (ret == -EPERM || ret == -ENOSYS)
		atomic_store(&is_refused, true);
	else if (ret < 0)
		atomic_store(&retry_at_ns, clock_now_ns() + RETRY_NS);
	return ret;
}

/* --- submitting ----------------------------------------------------------- */

static struct bucket *bucket_of(int fd)
{
	return &buckets[(unsigned)fd % FD_BUCKETS];
}

bool direct_accepts(const struct request *req)
{
	struct filter_range range;

	if (config.backend != BACKEND_AUTO && config.backend != BACKEND_LIBAIO)
		return false;
	if (!(req->descriptor.flags & O_DIRECT) ||
	    !(S_ISREG(req->descriptor.mode) || S_ISBLK(req->descriptor.mode)))
		return false;
	/* Without a device it is a network or stacked file system, where io_submit may wait. */
	if (major(req->descriptor.dev) == 0 && !S_ISBLK(req->descriptor.mode))
		return false;
	if (req->offset < 0 || req->nbytes == 0 || req->nbytes > PERFORM_BYTES_MAX)
		return false;
	if (req->op == OP_WRITE && ((req->descriptor.flags & O_APPEND) || filesize_is_limited()))
		return false;
	range = filter_range_of(req);
	if (filter_may_conflict(FILTER_ENGINE, &range) ||
	    filter_may_conflict(FILTER_DIRECT, &range))
		return false;
	return get_context() == 0;
}

/* The engine may have seen this count and wait for it. */
static void leave_epoch(struct bucket *bucket, uint32_t epoch)
{
	atomic_fetch_sub(&bucket->in_flight[epoch], 1);
	if (atomic_load(&is_watched))
		events->drained();
}

/* Raise, then look again: a flip in between would not have seen us.  test/model/barrier.pml */
static uint32_t enter_epoch(struct bucket *bucket)
{
	for (;;) {
		uint32_t epoch = atomic_load(&bucket->epoch) & 1;

		atomic_fetch_add(&bucket->in_flight[epoch], 1);
		if ((atomic_load(&bucket->epoch) & 1) == epoch)
			return epoch;
		leave_epoch(bucket, epoch);
	}
}

void direct_enter(struct request *req)
{
	struct filter_range range = filter_range_of(req);

	req->is_direct = true;
	req->epoch = (uint8_t)enter_epoch(bucket_of(req->fd));
	filter_raise(FILTER_DIRECT, &range);
}

void direct_leave_range(struct request *req)
{
	struct filter_range range = filter_range_of(req);

	filter_lower(FILTER_DIRECT, &range);
}

void direct_leave(struct request *req)
{
	uint32_t epoch = req->epoch;
	int fd = req->fd;

	atomic_store(&req->is_direct, false);
	leave_epoch(bucket_of(fd), epoch);
}

/*
 * A write may have to wait for the file system; with RWF_NOWAIT it is given
 * back instead.  Devices and file systems that do not know the flag get none.
 */
static void prep(struct iocb *iocb, struct request *req, bool has_nowait)
{
	if (req->op == OP_READ)
		io_prep_pread(iocb, req->fd, req->buf, req->nbytes, req->offset);
	else
		io_prep_pwrite(iocb, req->fd, req->buf, req->nbytes, req->offset);
	if (req->op == OP_WRITE && has_nowait)
		iocb->aio_rw_flags = RWF_NOWAIT;
	iocb->data = req;
}

static io_context_t context_id(void)
{
	return (io_context_t)atomic_load_explicit(&context, memory_order_relaxed);
}

/* How many of @nr the kernel took. */
static int submit_batch(struct request **reqs, int nr, bool has_nowait)
{
	struct iocb iocbs[BATCH_MAX], *list[BATCH_MAX];
	int ret;

	for (int i = 0; i < nr; i++) {
		prep(&iocbs[i], reqs[i], has_nowait);
		list[i] = &iocbs[i];
	}
	ret = io_submit(context_id(), nr, list);
	if (ret == -EPERM || ret == -ENOSYS)
		atomic_store(&is_refused, true);
	return ret;
}

/* False: the kernel refused the first of them. */
static bool submit_some(struct request_list *list)
{
	struct request *reqs[BATCH_MAX], *req;
	int nr = 0, ret;

	TAILQ_FOREACH(req, list, list_link) {
		reqs[nr++] = req;
		if (nr == BATCH_MAX)
			break;
	}
	/* Once it is submitted, another thread may complete and recycle it. */
	for (int i = 0; i < nr; i++)
		TAILQ_REMOVE(list, reqs[i], list_link);
	ret = submit_batch(reqs, nr, true);
	if (ret == -EOPNOTSUPP)
		ret = submit_batch(reqs, nr, false);
	for (int i = nr - 1; i >= (ret > 0 ? ret : 0); i--)
		TAILQ_INSERT_HEAD(list, reqs[i], list_link);
	return ret > 0;
}

size_t direct_submit(struct request_list *list)
{
	struct request *req;
	size_t nr_left = 0;

	while (!TAILQ_EMPTY(list) && submit_some(list))
		continue;
	TAILQ_FOREACH(req, list, list_link)
		nr_left++;
	return nr_left;
}

bool direct_is_busy(int fd)
{
	struct bucket *bucket = bucket_of(fd);

	return atomic_load(&bucket->in_flight[0]) || atomic_load(&bucket->in_flight[1]);
}

/* --- reaping -------------------------------------------------------------- */

static bool is_ring_empty(struct aio_ring *ring)
{
	return atomic_load_explicit(&ring->head, memory_order_relaxed) ==
	       atomic_load_explicit(&ring->tail, memory_order_acquire);
}

static void complete(struct request *req, ssize_t res, uint64_t *slots)
{
	struct bucket *bucket = bucket_of(req->fd);
	uint32_t epoch = req->epoch;

	if (res == -EAGAIN || res == -EINTR) {
		stats_inc(fallbacks);
		*slots |= events->bounce(req);
		return;
	}
	direct_leave_range(req);
	*slots |= events->complete(req, res);
	/* Last: a barrier that this lets through must find the effect. */
	leave_epoch(bucket, epoch);
}

/* With the claim and blocked signals: take everything. */
static void reap_all(struct aio_ring *ring)
{
	uint64_t slots = 0;
	bool has_reaped = false;

	while (!is_ring_empty(ring)) {
		unsigned head = atomic_load_explicit(&ring->head, memory_order_relaxed);
		struct io_event event = ring->events[head];

		atomic_store_explicit(&ring->head, head + 1 == ring->nr ? 0 : head + 1,
				      memory_order_release);
		complete(event.data, (ssize_t)event.res, &slots);
		has_reaped = true;
	}
	if (!has_reaped)
		return;
	atomic_store_explicit(&left_since, 0, memory_order_relaxed);
	waiter_wake_slots(slots);
	atomic_fetch_add(&follow_word, 1);
	if (atomic_load(&has_followers) && atomic_exchange(&has_followers, false))
		futex_wake(&follow_word, INT_MAX);
}

/* FREE, or led by this very thread further down its stack. */
static bool try_claim(void)
{
	uintptr_t seen = atomic_load(&claim);

	if (seen != CLAIM_FREE && seen != (me() | CLAIM_LEADING))
		return false;
	return atomic_compare_exchange_strong(&claim, &seen, me() | CLAIM_REAPING);
}

/* A leader has left events in the ring for so long that it must be gone. */
static bool try_steal(struct aio_ring *ring)
{
	uintptr_t seen = atomic_load(&claim);
	uint64_t since, now;

	if ((seen & CLAIM_LEADING) == 0 || is_ring_empty(ring))
		return false;
	now = clock_now_ns();
	since = atomic_load(&left_since);
	if (since == 0) {
		atomic_store(&left_since, now);
		return false;
	}
	return now - since > LEAD_LOST_NS &&
	       atomic_compare_exchange_strong(&claim, &seen, me() | CLAIM_REAPING);
}

/* One of them leads on; the others stay asleep. */
static void wake_follower(void)
{
	atomic_fetch_add(&follow_word, 1);
	if (atomic_load(&has_followers))
		futex_wake(&follow_word, 1);
}

static void release_claim(void)
{
	atomic_store(&claim, CLAIM_FREE);
	/* Partner: follow(), which raises has_followers before it looks at the claim. */
	wake_follower();
}

void direct_poll(void)
{
	struct aio_ring *ring = atomic_load_explicit(&context, memory_order_acquire);
	uint64_t mask;

	if (!ring || is_ring_empty(ring))
		return;
	mask = block_signals();
	if (try_claim() || try_steal(ring)) {
		reap_all(ring);
		release_claim();
	}
	restore_signals(mask);
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

static struct timespec in_ns(uint64_t ns)
{
	uint64_t until = clock_now_ns() + ns;

	return (struct timespec){ .tv_sec = (time_t)(until / 1000000000u),
				  .tv_nsec = (long)(until % 1000000000u) };
}

/* Where the call is refused, look at the ring now and then. */
static int nap(const struct wait *wait)
{
	struct timespec deadline = in_ns(sleep_ns(wait, NAP_NS));
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
	/* No page holds address 8: the kernel finds an event and cannot hand it over. */
	ret = (int)RAW_SYSCALL(SYS_io_pgetevents, wait->ring, 1L, 1L, (void *)8, &timeout, &mask);
	if (wait->can_cancel)
		pthread_setcanceltype(old_type, NULL);
	return ret == -ENOSYS || ret == -EPERM ? nap(wait) : ret;
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
		atomic_store(&claim, leading);
		ret = sleep_for_event(wait, ns);
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

/* Somebody else is at the ring: sleep until it has reported something, or is gone. */
static int follow(const struct wait *wait)
{
	uint64_t ns = sleep_ns(wait, FOLLOWER_SLEEP_NS);
	struct timespec deadline;
	uint32_t seen;
	int ret = 0;

	if (ns == 0)
		return -ETIMEDOUT;
	deadline = in_ns(ns);
	atomic_store(&has_followers, true);
	seen = atomic_load(&follow_word);
	if (!wait->is_done(wait->arg) && atomic_load(&claim) != CLAIM_FREE) {
		restore_signals(wait->mask);
		ret = waiter_sleep(&follow_word, seen, &deadline, wait->can_cancel);
		block_signals();
	}
	return ret == -EINTR || !process_is_still(wait->generation) ? -EINTR : -EAGAIN;
}

/*
 * No cleanup handler: a handler of the program may jump out of here, and would
 * leave it behind.  A thread that is cancelled in its sleep leaves the lead to
 * be stolen.
 */
int direct_wait(bool (*is_done)(const void *arg), const void *arg, const struct timespec *deadline,
		bool can_cancel)
{
	struct wait wait = {
		.is_done = is_done,
		.arg = arg,
		.deadline = deadline,
		.can_cancel = can_cancel,
		.ring = atomic_load(&context),
		.generation = atomic_load(&process_generation),
	};
	int ret;

	if (can_cancel)
		pthread_testcancel(); /* now, with the program's signals open */
	wait.mask = block_signals();
	do {
		if (try_claim() || try_steal(wait.ring))
			ret = lead(&wait);
		else
			ret = follow(&wait);
	} while (ret == -EAGAIN && !is_done(arg));
	if (ret != -EINTR || process_is_still(wait.generation)) {
		/* It may have swallowed a wake that was meant for one who waits on. */
		if (atomic_load(&claim) == CLAIM_FREE)
			wake_follower();
		if (is_done(arg))
			ret = 0;
	}
	restore_signals(wait.mask);
	return ret;
}

/* --- the reaper ------------------------------------------------------------ */

static bool is_reaper_free(const void *unused)
{
	(void)unused;
	return !atomic_load(&is_watched) && clock_now_ns() >= atomic_load(&reaper_until_ns);
}

static void *reaper_thread(void *unused)
{
	struct timespec deadline;
	uint32_t seen;
	int ret = 0;

	thread_set_name("rtaio-reaper");
	do {
		seen = atomic_load(&reaper_word);
		deadline = in_ns(REAPER_IDLE_NS);
		if (is_reaper_free(unused))
			ret = futex_wait(&reaper_word, seen, &deadline);
		else
			direct_wait(is_reaper_free, unused, NULL, false);
	} while (ret != -ETIMEDOUT);
	atomic_store(&has_reaper, false);
	return NULL;
}

bool direct_want_reaper(bool for_a_while)
{
	if (for_a_while)
		atomic_store(&reaper_until_ns, clock_now_ns() + REAPER_WANTED_NS);
	atomic_fetch_add(&reaper_word, 1);
	futex_wake(&reaper_word, 1);
	return atomic_load(&has_reaper);
}

void direct_start_reaper(void)
{
	/* The one that is about to leave may have been counted on: whoever wants it asks again. */
	if (atomic_exchange(&has_reaper, true))
		return;
	if (thread_create(reaper_thread, NULL, THREAD_SMALL_STACK) < 0)
		atomic_store(&has_reaper, false);
}

/* --- barriers -------------------------------------------------------------- */

bool direct_open_barrier(int fd)
{
	struct bucket *bucket = bucket_of(fd);

	if (bucket->has_barrier)
		return false;
	bucket->has_barrier = true;
	atomic_fetch_add(&bucket->epoch, 1);
	return true;
}

bool direct_barrier_is_clear(int fd)
{
	struct bucket *bucket = bucket_of(fd);
	uint32_t old = (atomic_load(&bucket->epoch) & 1) ^ 1;

	return atomic_load(&bucket->in_flight[old]) == 0;
}

void direct_close_barrier(int fd)
{
	bucket_of(fd)->has_barrier = false;
}

void direct_watch(bool is_on)
{
	atomic_store(&is_watched, is_on);
}

int direct_probe(void)
{
	return get_context();
}

void direct_forget(void)
{
	atomic_store(&context, NULL);
	atomic_store(&is_refused, false);
	atomic_store(&retry_at_ns, 0);
	atomic_store(&claim, CLAIM_FREE);
	atomic_store(&has_followers, false);
	atomic_store(&left_since, 0);
	atomic_store(&reaper_until_ns, 0);
	atomic_store(&has_reaper, false);
	for (unsigned i = 0; i < FD_BUCKETS; i++) {
		atomic_store(&buckets[i].in_flight[0], 0);
		atomic_store(&buckets[i].in_flight[1], 0);
		buckets[i].has_barrier = false;
	}
	atomic_store(&is_watched, false);
}
