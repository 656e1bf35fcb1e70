// SPDX-License-Identifier: MIT
/*
 * beside.c - the lane beside: a thread next to the program's, without the engine.
 *
 * Submitters push to a desk's inbox, its thread is the only taker, and the
 * engine makes the thread.  The thread ends when nothing came for a while.  All
 * of that is the protocol of inbox.c, and what its model proves of the engine.
 *
 * Copies are pushed whatever the thread does, up to a handful.  It looks on for a
 * moment before it sleeps, since to wake it costs more than a copy.  All of it
 * is in vain when the thread does not get a processor, or when it is woken for
 * a few copies only: the time that it lost adds to a debt, and while that is
 * high the submitters copy themselves.
 *
 * The other desk is pushed to only while its thread rests, but for writes to the
 * file that it writes to, which would have to wait for each other anyway.  So
 * nothing waits behind what has nothing to do with it.
 *
 * Who is on the other side of waits_beside: the thread of the desk that takes the
 * request, and aio_cancel, which ends it; the compare-and-swap decides.  The
 * record lies in the inbox in either case, so its thread frees it.
 */
#include "beside.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>

#include "config.h"
#include "debt.h"
#include "engine.h"
#include "epoch.h"
#include "filter.h"
#include "futex.h"
#include "inline.h"
#include "outside.h"
#include "pace.h"
#include "perform.h"
#include "process.h"
#include "spin.h"
#include "stats.h"
#include "thread.h"
#include "waiter.h"

#define COPIES_MAX    16     /* copies that wait for the thread */
#define LOOK_NS       20000u /* how long it looks on */
#define LOOKS         16     /* pauses of the processor between two looks */
#define SLOW_NS       300000u /* a copy, or a wake, that took longer was not alone on the processor */
#define CONFLICT_NS   50000u      /* what it costs that a copy must wait for one that went beside */
#define LONG_READ_MAX 2097152u    /* where a ring would take it, and let go of the number */
#define ASK_AGAIN_NS  1000000000u /* for a thread that could not be made */
#define LOST_MAX_NS   100000000u  /* the process was stopped: no reason to give up */
#define DECAY         50u         /* 2 % of the time may be lost, */
#define DEBT_MAX_NS   2000000u    /* and so much at once */

struct desk {
	struct inbox inbox;
	const char *thread_name;
	void (*serve)(struct desk *desk, struct message *message);
	_Atomic uint64_t asked_at_ns; /* for a thread; 0: never */
	/* A submitter that jumps out leaves one too many, until the next thread. */
	_Atomic int nr_queued;
	_Atomic uint64_t woken_at_ns;   /* desk for copies */
	_Atomic uint64_t written_inode; /* the other: the thread stores, submitters read; 0: none */
};

static void serve_copies(struct desk *desk, struct message *message);
static void serve_long(struct desk *desk, struct message *message);

static struct desk desks[BESIDE_NR] = {
	[BESIDE_COPIES] = { INBOX_INIT, "rtaio-copy", serve_copies },
	[BESIDE_LONG] = { INBOX_INIT, "rtaio-long", serve_long },
};
static const struct beside_events *events;
static struct debt lost; /* by the thread for copies */

void beside_init(const struct beside_events *events_)
{
	events = events_;
}

static void add_loss(uint64_t ns, uint64_t now)
{
	debt_add(&lost, ns < LOST_MAX_NS ? ns : LOST_MAX_NS, now, DECAY);
}

/* --- what goes beside --------------------------------------------------------- */

/* Is there a thread?  If not, there will be. */
static bool is_staffed(struct desk *desk)
{
	uint64_t now;

	if (inbox_is_open(&desk->inbox))
		return true;
	now = clock_now_ns();
	/* Perhaps no thread can be had: not asked at every request. */
	if (now - atomic_load_explicit(&desk->asked_at_ns, memory_order_relaxed) > ASK_AGAIN_NS) {
		atomic_store_explicit(&desk->asked_at_ns, now, memory_order_relaxed);
		events->want();
	}
	return false;
}

bool beside_wants_copy(void)
{
	struct desk *desk = &desks[BESIDE_COPIES];

	if (!config.beside_lane || !(pace_is_deep() || config.is_always_deep))
		return false;
	/* What is owed is worth a look at the clock only when there is any. */
	if (!config.is_always_deep &&
	    atomic_load_explicit(&lost.owed_ns, memory_order_relaxed) > DEBT_MAX_NS &&
	    debt_add(&lost, 0, clock_now_ns(), DECAY) > DEBT_MAX_NS)
		return false;
	return is_staffed(desk) &&
	       atomic_load_explicit(&desk->nr_queued, memory_order_relaxed) < COPIES_MAX;
}

/* It goes to the engine, and would have been a copy if the earlier one had been one. */
void beside_note_conflict(void)
{
	if (atomic_load_explicit(&desks[BESIDE_COPIES].nr_queued, memory_order_relaxed) > 0)
		add_loss(CONFLICT_NS, clock_now_ns());
}

/* Nothing of its number is under way: a sync has nobody to wait for. */
static bool is_alone(const struct request *req)
{
	struct filter_range range = filter_range_of(req);
	bool has_reads, has_writes;

	range.is_write = false;
	has_reads = filter_depth(FILTER_ENGINE, &range) > 0;
	range.is_write = true;
	has_writes = filter_depth(FILTER_ENGINE, &range) > 0;
	return !has_reads && !has_writes && !epoch_is_busy(req->fd);
}

/* What the engine would give to a worker, or copy itself. */
static bool needs_thread(const struct request *req)
{
	if (!engine_may_have_ring())
		return true;
	if (req->descriptor.flags & O_DIRECT)
		return false;
	/* A close has to wait for the whole of it, where the ring lets go of the number at once. */
	if (req->op == OP_READ)
		return req->nbytes > INLINE_BYTES_MAX && req->nbytes <= LONG_READ_MAX;
	return S_ISREG(req->descriptor.mode);
}

static uint64_t key_of(const struct request *req)
{
	/* Synchronous ones wait for the disk side by side. */
	if (req->op != OP_WRITE || req->descriptor.flags & (O_SYNC | O_DSYNC))
		return 0;
	return descriptor_inode_key(&req->descriptor);
}

/* It would wait for what the thread does wherever it went. */
static bool is_next_of(struct desk *desk, const struct request *req)
{
	uint64_t key = key_of(req);

	return key != 0 && atomic_load(&desk->written_inode) == key;
}

/* Or else whatever overlaps it is done before it. */
static bool has_way(struct desk *desk, const struct request *req, const struct filter_range *range)
{
	if (inbox_rests(&desk->inbox))
		return !filter_may_conflict_anywhere(range);
	return is_next_of(desk, req) && !filter_may_conflict(FILTER_OUTSIDE, range) &&
	       !filter_may_conflict(FILTER_ENGINE, range);
}

static bool is_long(struct desk *desk, const struct request *req)
{
	struct filter_range range = filter_range_of(req);

	if (req->offset < 0 || req->nbytes == 0 || req->nbytes > PERFORM_BYTES_MAX || req->done > 0)
		return false;
	if (req->op == OP_WRITE && (req->descriptor.flags & O_APPEND))
		return false;
	return needs_thread(req) && has_way(desk, req, &range);
}

bool beside_accepts(struct request *req)
{
	struct desk *desk = &desks[BESIDE_LONG];

	/* The inline lane would have read by the number, too. */
	if (req->desk == BESIDE_COPIES && req->op == OP_READ)
		return true;
	descriptor_get_inode(req->fd, &req->descriptor);
	if (req->desk == BESIDE_COPIES)
		return !req->descriptor.err;
	if (!config.beside_lane || req->descriptor.err || !descriptor_is_file(&req->descriptor) ||
	    !is_staffed(desk))
		return false;
	if (request_is_barrier(req) ? !inbox_rests(&desk->inbox) || !is_alone(req)
				    : !is_long(desk, req))
		return false;
	req->desk = BESIDE_LONG;
	return true;
}

/* --- submitting ------------------------------------------------------------------ */

void beside_enter(struct request *req)
{
	atomic_fetch_add_explicit(&desks[req->desk].nr_queued, 1, memory_order_relaxed);
	atomic_store(&req->is_beside, true);
	outside_enter(req);
}

static bool push(struct desk *desk, struct request *req)
{
	if (req->desk == BESIDE_LONG) {
		if (inbox_push_to_rest(&desk->inbox, &req->message))
			return true;
		if (!is_next_of(desk, req))
			return false;
	} else if (inbox_rests(&desk->inbox)) {
		atomic_store_explicit(&desk->woken_at_ns, clock_now_ns(), memory_order_relaxed);
	}
	return inbox_push(&desk->inbox, &req->message, &req->message);
}

bool beside_submit(struct request *req)
{
	uint32_t generation = atomic_load_explicit(&req->generation, memory_order_relaxed);

	atomic_store(&req->waits_beside, WAITS_BESIDE | generation);
	request_hold_descriptor(req);
	/* Once it is pushed, the record may be another request's. */
	if (push(&desks[req->desk], req)) {
		outside_return(req, generation);
		return true;
	}
	atomic_fetch_sub_explicit(&desks[req->desk].nr_queued, 1, memory_order_relaxed);
	atomic_store(&req->is_beside, false);
	return false;
}

/* --- on the thread of a desk -------------------------------------------------- */

/* Published, and the record is no longer looked at. */
static void publish(struct request *req, ssize_t res)
{
	uint32_t epoch = req->epoch;
	int fd = req->fd;
	uint64_t slots;

	request_release_descriptor(req);
	outside_leave_range(req);
	slots = events->complete(req, res);
	/* Last: a barrier that this lets through must find the effect. */
	epoch_leave(fd, epoch);
	waiter_wake_slots(slots);
}

void beside_end(struct request *req, ssize_t res)
{
	publish(req, res);
	request_free(req);
}

/* True: it is the caller's now, and no longer waits. */
static bool take(struct request *req, uint32_t generation)
{
	uint64_t waiting = WAITS_BESIDE | generation;

	return atomic_compare_exchange_strong(&req->waits_beside, &waiting, 0);
}

/* The next one of @list; those that were cancelled are only freed. */
static struct request *take_next(struct desk *desk, struct message **list)
{
	while (*list) {
		struct request *req = (struct request *)*list;

		*list = (*list)->next;
		atomic_fetch_sub_explicit(&desk->nr_queued, 1, memory_order_relaxed);
		if (take(req, atomic_load(&req->generation)))
			return req;
		/* aio_cancel was faster; a moment later it is done with it. */
		while (atomic_load(&req->waits_beside) != CANCELED_BESIDE)
			sched_yield();
		request_free(req);
	}
	return NULL;
}

static void bounce(struct request *req)
{
	stats_inc(fallbacks);
	events->bounce(req);
}

static void perform_long(struct request *req)
{
	if (descriptor_means(req->fd, &req->descriptor))
		beside_end(req, perform(req, req->fd));
	else
		beside_end(req, -ECANCELED);
}

/* What got behind the first of another file, by an unlikely race, need not stay there. */
static void serve_long(struct desk *desk, struct message *message)
{
	uint64_t key = key_of((struct request *)message);
	struct request *req;

	atomic_store(&desk->written_inode, key);
	while ((req = take_next(desk, &message))) {
		if (key_of(req) == key)
			perform_long(req);
		else
			bounce(req);
	}
}

/* All of it or nothing: the filter knows it whole. */
static bool perform_copy(struct request *req, ssize_t *res)
{
	void *buf = req->buf;
	size_t nbytes = req->nbytes;
	off_t offset = req->offset;
	bool is_done = inline_perform(req, (enum file_kind)req->kind, res);

	req->buf = buf;
	req->nbytes = nbytes;
	req->offset = offset;
	req->done = 0;
	return is_done;
}

/* A number is looked at once for the writes that were pushed before that look. */
static bool is_what_was_meant(const struct request *req, struct descriptor *now, int *looked_at)
{
	if (req->op == OP_READ)
		return true;
	if (req->fd != *looked_at)
		descriptor_identify(req->fd, now);
	*looked_at = req->fd;
	return descriptor_same(now, &req->descriptor);
}

static void serve_copies(struct desk *desk, struct message *message)
{
	uint64_t began = clock_now_ns(), ended;
	struct descriptor now;
	struct request *req;
	int looked_at = -1;
	ssize_t res;

	while ((req = take_next(desk, &message))) {
		if (!is_what_was_meant(req, &now, &looked_at))
			beside_end(req, -ECANCELED);
		else if (perform_copy(req, &res))
			beside_end(req, res);
		else
			bounce(req);
		ended = clock_now_ns();
		if (ended - began > SLOW_NS)
			add_loss(ended - began, ended);
		began = ended;
	}
}

/* There will be more in a moment, or this was in vain. */
static struct message *look_on(struct desk *desk)
{
	uint64_t began = clock_now_ns(), now = began;
	struct message *message = NULL;

	while (!message && now - began < LOOK_NS) {
		for (int i = 0; i < LOOKS; i++)
			spin_relax();
		message = inbox_take(&desk->inbox);
		now = clock_now_ns();
	}
	if (!message)
		add_loss(now - began, now);
	return message;
}

static void note_wake(struct desk *desk)
{
	uint64_t woken_at = atomic_exchange(&desk->woken_at_ns, 0), now = clock_now_ns();

	if (woken_at != 0 && now > woken_at + SLOW_NS)
		add_loss(now - woken_at, now);
}

/* False: nothing came for a while. */
static bool rest(struct desk *desk)
{
	struct timespec deadline;
	uint32_t wake_value;
	int ret;

	atomic_store(&desk->written_inode, 0);
	atomic_store_explicit(&desk->woken_at_ns, 0, memory_order_relaxed);
	if (!inbox_fall_asleep(&desk->inbox, &wake_value))
		return true;
	deadline = clock_in_ns(atomic_load(&config.idle_ns));
	ret = futex_wait(&desk->inbox.wake_word, wake_value, &deadline);
	inbox_wake_up(&desk->inbox);
	if (desk == &desks[BESIDE_COPIES])
		note_wake(desk);
	return ret != -ETIMEDOUT;
}

static void *work(void *arg)
{
	struct desk *desk = arg;
	struct message *message;

	thread_set_name(desk->thread_name);
	for (;;) {
		message = inbox_take(&desk->inbox);
		if (!message && desk == &desks[BESIDE_COPIES])
			message = look_on(desk);
		if (message)
			desk->serve(desk, message);
		else if (!rest(desk) && inbox_close(&desk->inbox))
			return NULL;
	}
}

/* --- beginning, closes and fork ---------------------------------------------- */

/* No thread could be made, and somebody has been faster than that. */
static void refuse_all(struct desk *desk)
{
	struct message *message;
	struct request *req;

	do {
		message = inbox_take_refused(&desk->inbox);
		while ((req = take_next(desk, &message)))
			bounce(req);
	} while (!inbox_abandon(&desk->inbox));
}

void beside_start(void)
{
	for (int i = BESIDE_COPIES; i < BESIDE_NR; i++) {
		struct desk *desk = &desks[i];

		if (atomic_load(&desk->asked_at_ns) == 0 || !inbox_claim_start(&desk->inbox))
			continue;
		atomic_store(&desk->nr_queued, 0);
		if (thread_create(work, desk, THREAD_SMALL_STACK) < 0)
			refuse_all(desk);
	}
}

/* No handler comes in between that could jump out, and leave it half done. */
unsigned beside_cancel(struct request *req, uint32_t generation)
{
	uint64_t all = UINT64_MAX, old;
	bool is_taken;

	RAW_SYSCALL(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, sizeof(all));
	is_taken = take(req, generation);
	if (is_taken) {
		stats_inc(cancellations);
		publish(req, -ECANCELED);
		/* Partner: take_next(), which frees it. */
		atomic_store(&req->waits_beside, CANCELED_BESIDE);
	}
	RAW_SYSCALL(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, sizeof(old));
	return is_taken;
}

struct cancellation {
	int fd;
	unsigned *nr;
};

/* Matches none. */
static bool cancel(struct request *req, const void *arg)
{
	const struct cancellation *cancellation = arg;

	if (atomic_load(&req->is_beside) && req->fd == cancellation->fd)
		*cancellation->nr += beside_cancel(req, atomic_load(&req->generation));
	return false;
}

unsigned beside_cancel_all(int fd)
{
	unsigned nr = 0;

	if (epoch_is_busy(fd))
		request_any(cancel, &(struct cancellation){ fd, &nr });
	return nr;
}

struct numbers {
	int first, last;
};

/* What its call has not yet handed over may belong to the thread that asks, further down. */
static bool needs_number(struct request *req, const void *arg)
{
	const struct numbers *numbers = arg;

	return atomic_load(&req->is_beside) && atomic_load(&req->is_held) &&
	       outside_has_returned(req) && req->fd >= numbers->first && req->fd <= numbers->last;
}

void beside_settle(int first, int last)
{
	static const struct timespec moment = { .tv_nsec = 20000 };
	struct numbers numbers = { first, last };

	/* The child that a handler forks has nothing under way. */
	while (process_is_ready() && epoch_is_any_busy(first, last) &&
	       request_any(needs_number, &numbers))
		RAW_SYSCALL(SYS_nanosleep, &moment, NULL); /* yield: not for real-time threads */
}

void beside_forget(void)
{
	for (int i = BESIDE_COPIES; i < BESIDE_NR; i++) {
		inbox_forget(&desks[i].inbox);
		atomic_store(&desks[i].asked_at_ns, 0);
		atomic_store(&desks[i].nr_queued, 0);
		atomic_store(&desks[i].woken_at_ns, 0);
		atomic_store(&desks[i].written_inode, 0);
	}
	debt_clear(&lost);
}
