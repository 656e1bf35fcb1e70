// SPDX-License-Identifier: MIT
/*
 * desk.c - the two threads of the lane beside, and how requests get to them.
 *
 * Submitters push to a desk's inbox, its thread is the only taker, and the
 * engine makes the thread.  The thread ends when nothing came for a while.  All
 * of that is the protocol of inbox.c, and what its model proves of the engine.
 *
 * Copies are pushed whatever the thread does.  It looks on for a
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
#include "desk.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>

#include "config.h"
#include "debt.h"
#include "filter.h"
#include "futex.h"
#include "inbox.h"
#include "inline.h"
#include "outside.h"
#include "pace.h"
#include "perform.h"
#include "spin.h"
#include "stats.h"
#include "thread.h"
#include "waiter.h"

#define LOOK_EACH    16      /* of so many writes at most on one look at what their number means */
#define LOOK_NS      20000u  /* how long it looks on */
#define LOOKS        16      /* pauses of the processor between two looks */
#define SLOW_NS      300000u /* a copy, or a wake, that took longer was not alone on the processor */
#define WAKE_NS      100000u     /* what a wake costs, and the cold caches of both, if it was */
#define WAKE_WORTH   16u         /* for less work than this */
#define ASK_AGAIN_NS 1000000000u /* for a thread that could not be made */

struct desk {
	struct inbox inbox;
	const char *thread_name;
	void (*serve)(struct message *message);
	/* The thread's own: it is about to rest, and said so already; work since it was woken. */
	bool has_announced;
	uint32_t wake_value;
	unsigned nr_served;
	_Atomic uint64_t asked_at_ns; /* for a thread; 0: never */
	/* Work; a submitter that jumps out leaves some too much, until the next thread. */
	_Atomic int nr_queued;
	_Atomic uint64_t woken_at_ns;   /* desk for copies */
	_Atomic int written_fd;         /* the same: of the last write that was pushed */
	_Atomic uint64_t written_inode; /* the other: the thread stores, submitters read; 0: none */
};

static void serve_copies(struct message *message);
static void serve_long(struct message *message);

static struct desk desks[BESIDE_NR] = {
	[BESIDE_COPIES] = { .inbox = INBOX_INIT,
			    .thread_name = "rtaio-copy",
			    .serve = serve_copies },
	[BESIDE_LONG] = { .inbox = INBOX_INIT, .thread_name = "rtaio-long", .serve = serve_long },
};
static const struct desk_events *events;
static struct debt lost; /* by the thread for copies */

void desk_init(const struct desk_events *events_)
{
	events = events_;
}

/* --- in the program's threads ------------------------------------------------- */

void desk_lose(uint64_t ns, uint64_t now)
{
	debt_lose(&lost, ns, now);
}

bool desk_is_losing(void)
{
	return debt_is_high(&lost);
}

bool desk_is_staffed(enum beside_desk which)
{
	struct desk *desk = &desks[which];
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

bool desk_rests(enum beside_desk which)
{
	return inbox_rests(&desks[which].inbox);
}

int desk_nr_queued(enum beside_desk which)
{
	int nr = atomic_load_explicit(&desks[which].nr_queued, memory_order_relaxed);

	return nr > 0 ? nr : 0;
}

bool desk_is_writing(int fd)
{
	return fd == atomic_load_explicit(&desks[BESIDE_COPIES].written_fd, memory_order_relaxed);
}

static uint64_t key_of(const struct request *req)
{
	/* Synchronous ones wait for the disk side by side. */
	if (req->op != OP_WRITE || req->descriptor.flags & (O_SYNC | O_DSYNC))
		return 0;
	return descriptor_inode_key(&req->descriptor);
}

bool desk_writes_with(const struct request *req)
{
	uint64_t key = key_of(req);

	return key != 0 && atomic_load(&desks[BESIDE_LONG].written_inode) == key;
}

void desk_enter(const struct request *req)
{
	atomic_fetch_add_explicit(&desks[req->desk].nr_queued, (int)pace_pieces(req->nbytes),
				  memory_order_relaxed);
}

void desk_leave(const struct request *req)
{
	atomic_fetch_sub_explicit(&desks[req->desk].nr_queued, (int)pace_pieces(req->nbytes),
				  memory_order_relaxed);
}

static bool push(struct desk *desk, struct request *req)
{
	if (req->desk == BESIDE_LONG) {
		if (inbox_push_to_rest(&desk->inbox, &req->message))
			return true;
		if (!desk_writes_with(req))
			return false;
	} else {
		if (req->op == OP_WRITE)
			atomic_store_explicit(&desk->written_fd, req->fd, memory_order_relaxed);
		if (inbox_rests(&desk->inbox))
			atomic_store_explicit(&desk->woken_at_ns, clock_now_ns(),
					      memory_order_relaxed);
	}
	return inbox_push(&desk->inbox, &req->message, &req->message);
}

static void bury(struct request *req);

bool desk_push(struct request *req)
{
	uint32_t generation = atomic_load_explicit(&req->generation, memory_order_relaxed);

	atomic_store(&req->waits_beside, WAITS_BESIDE | generation);
	/* Once it is pushed, the record may be another request's. */
	if (push(&desks[req->desk], req)) {
		outside_return(req, generation);
		return true;
	}
	if (desk_take(req, generation))
		return false;
	desk_leave(req);
	bury(req);
	return true;
}

/* --- on the thread of a desk -------------------------------------------------- */

void desk_publish(struct request *req, ssize_t res)
{
	request_release_descriptor(req);
	outside_leave_range(req);
	waiter_wake_slots(events->complete(req, res));
}

void desk_end(struct request *req, ssize_t res)
{
	desk_publish(req, res);
	request_free(req);
}

bool desk_take(struct request *req, uint32_t generation)
{
	uint64_t waiting = WAITS_BESIDE | generation;

	return atomic_compare_exchange_strong(&req->waits_beside, &waiting, 0);
}

/* aio_cancel was faster: a moment later it is done with it, and nobody knows it any more. */
static void bury(struct request *req)
{
	static const struct timespec moment = { .tv_nsec = 20000 };

	while (atomic_load(&req->waits_beside) != CANCELED_BESIDE)
		RAW_SYSCALL(SYS_nanosleep, &moment, NULL); /* yield: not for real-time threads */
	request_free(req);
}

/* The next one of @list, which is to leave; those that were cancelled are only freed. */
static struct request *take_next(struct message **list)
{
	while (*list) {
		struct request *req = (struct request *)*list;

		*list = (*list)->next;
		if (desk_take(req, atomic_load(&req->generation)))
			return req;
		desk_leave(req);
		bury(req);
	}
	return NULL;
}

static void bounce(struct request *req)
{
	stats_inc(fallbacks);
	events->bounce(req);
}

/* From here on it rests for others.  False: there is more to do. */
static bool announce_rest(struct desk *desk)
{
	atomic_store(&desk->written_inode, 0);
	atomic_store_explicit(&desk->woken_at_ns, 0, memory_order_relaxed);
	desk->has_announced = inbox_fall_asleep(&desk->inbox, &desk->wake_value);
	return desk->has_announced;
}

/* Who learns the result is often back with the next one before the thread could be asleep. */
static void perform_long(struct request *req, bool is_last)
{
	ssize_t res = -ECANCELED;

	if (descriptor_means(req->fd, &req->descriptor))
		res = perform(req, req->fd);
	if (is_last)
		announce_rest(&desks[BESIDE_LONG]);
	desk_end(req, res);
}

/*
 * What it follows is done, unless that was given up: then it must follow it to
 * the engine, whose filter it entered before.
 */
static bool is_in_order(const struct request *req)
{
	struct filter_range range = filter_range_of(req);

	return !(req->follows || req->desk == BESIDE_LONG) ||
	       !filter_may_conflict(FILTER_ENGINE, &range);
}

/* What got behind the first of another file, by an unlikely race, need not stay there. */
static void serve_long(struct message *message)
{
	uint64_t key = key_of((struct request *)message);
	struct request *req;

	atomic_store(&desks[BESIDE_LONG].written_inode, key);
	while ((req = take_next(&message))) {
		desk_leave(req);
		if (key_of(req) == key && is_in_order(req))
			perform_long(req, !message);
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

/* A look at what a number means, good for some writes that were pushed before it. */
struct look {
	struct descriptor found;
	int fd; /* -1: none */
	unsigned nr_used;
};

static bool is_what_was_meant(const struct request *req, struct look *look)
{
	if (req->op == OP_READ)
		return true;
	if (req->fd != look->fd || look->nr_used == LOOK_EACH) {
		descriptor_identify(req->fd, &look->found);
		look->fd = req->fd;
		look->nr_used = 0;
	}
	look->nr_used++;
	return descriptor_same(&look->found, &req->descriptor);
}

static void serve_copies(struct message *message)
{
	uint64_t began = clock_now_ns(), ended;
	struct look look = { .fd = -1 };
	struct request *req;
	ssize_t res;

	while ((req = take_next(&message))) {
		bool is_read = req->op == OP_READ, is_done = true;

		if (!is_what_was_meant(req, &look))
			res = -ECANCELED;
		else
			is_done = is_in_order(req) && perform_copy(req, &res);
		desks[BESIDE_COPIES].nr_served += pace_pieces(req->nbytes);
		/* Before it ends: who waits for it may look at the queue. */
		desk_leave(req);
		if (is_done)
			desk_end(req, res);
		else
			bounce(req);
		ended = clock_now_ns();
		if (ended - began > SLOW_NS) {
			/* Writes wait for the disk now and then. */
			if (is_read)
				desk_lose(ended - began, ended);
			look.fd = -1;
		}
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
		desk_lose(now - began, now);
	return message;
}

/* How the thread for copies was woken, and whether it was worth it the last time. */
static void note_wake(struct desk *desk)
{
	uint64_t woken_at = atomic_exchange(&desk->woken_at_ns, 0), now = clock_now_ns();

	if (woken_at != 0 && now > woken_at + SLOW_NS)
		desk_lose(now - woken_at, now);
	if (desk->nr_served < WAKE_WORTH)
		desk_lose(WAKE_NS, now);
	desk->nr_served = 0;
}

/* False: nothing came for a while. */
static bool rest(struct desk *desk)
{
	struct timespec deadline;
	int ret;

	if (!desk->has_announced && !announce_rest(desk))
		return true;
	desk->has_announced = false;
	deadline = clock_in_ns(atomic_load(&config.idle_ns));
	ret = futex_wait(&desk->inbox.wake_word, desk->wake_value, &deadline);
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
	desk->has_announced = false;
	desk->nr_served = 0;
	for (;;) {
		message = desk->has_announced ? NULL : inbox_take(&desk->inbox);
		if (!message && desk == &desks[BESIDE_COPIES])
			message = look_on(desk);
		if (message)
			desk->serve(message);
		else if (!rest(desk) && inbox_close(&desk->inbox))
			return NULL;
	}
}

/* --- beginning and fork -------------------------------------------------------- */

/* No thread could be made, and somebody has been faster than that. */
static void refuse_all(struct desk *desk)
{
	struct message *message;
	struct request *req;

	do {
		message = inbox_take_refused(&desk->inbox);
		while ((req = take_next(&message))) {
			desk_leave(req);
			bounce(req);
		}
	} while (!inbox_abandon(&desk->inbox));
}

void desk_start(void)
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

void desk_forget(void)
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
