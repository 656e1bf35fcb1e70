// SPDX-License-Identifier: MIT
/*
 * beside.c - the lane beside: a thread next to the program's, without the engine.
 *
 * What goes there, how it is cancelled, and what a close waits for.  The threads
 * are desk.c's.
 */
#include "beside.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>

#include "config.h"
#include "engine.h"
#include "epoch.h"
#include "filter.h"
#include "futex.h"
#include "inline.h"
#include "outside.h"
#include "pace.h"
#include "perform.h"
#include "process.h"
#include "stats.h"

#define AHEAD_MIN     4u       /* work that a deep program submits ahead of its results */
#define COPIES_MAX    16       /* work that waits for the thread, */
#define FOLLOWERS_MAX 1024     /* or, where it would wait for it anyway */
#define CONFLICT_NS   50000u   /* what it costs that a copy must wait for one that went beside */
#define LONG_READ_MAX 2097152u /* where a ring would take it, and let go of the number */

/*
 * Would @req, done here, spin for the lock of its inode, with the thread that
 * holds it?  Not for long in memory, where a copy costs no more than to hand it over.
 */
static bool is_in_turn(const struct request *req)
{
	return req->op == OP_WRITE && !file_is_in_memory((enum file_kind)req->kind) &&
	       desk_is_writing(req->fd) && !desk_is_losing();
}

bool beside_wants_copy(const struct request *req)
{
	unsigned ahead = config.is_always_deep ? UINT_MAX : pace_ahead();
	int nr = desk_nr_queued(BESIDE_COPIES);

	if (!config.beside_lane)
		return false;
	if (req->follows || (nr > 0 && ahead > 0 && is_in_turn(req)))
		return desk_is_staffed(BESIDE_COPIES) && nr < FOLLOWERS_MAX;
	/* The lock lets nobody else copy: a few long writes would only have to be waited for. */
	if (req->op == OP_WRITE && ahead < AHEAD_MIN * pace_pieces(req->nbytes))
		return false;
	if (ahead < AHEAD_MIN || (!config.is_always_deep && desk_is_losing()))
		return false;
	/* A new thread sets right what a submitter that jumped out has left queued. */
	return desk_is_staffed(BESIDE_COPIES) && (unsigned)nr < ahead && nr < COPIES_MAX;
}

/* It goes to the engine, and would have been a copy if the earlier one had been one. */
void beside_note_conflict(void)
{
	if (desk_nr_queued(BESIDE_COPIES) > 0)
		desk_lose(CONFLICT_NS, clock_now_ns());
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

/* Is whatever overlaps @req done before it, if it goes this way now? */
static bool is_next_in_order(const struct request *req)
{
	struct filter_range range = filter_range_of(req);

	if (desk_rests(BESIDE_LONG))
		return !filter_may_conflict_anywhere(&range);
	/* In this order: see filter.c. */
	return desk_writes_with(req) && !filter_may_conflict(FILTER_COPIES, &range) &&
	       !filter_may_conflict(FILTER_DIRECT, &range) &&
	       !filter_may_conflict(FILTER_ENGINE, &range);
}

static bool is_long(const struct request *req)
{
	if (req->offset < 0 || req->nbytes == 0 || req->nbytes > PERFORM_BYTES_MAX || req->done > 0)
		return false;
	if (req->op == OP_WRITE && (req->descriptor.flags & O_APPEND))
		return false;
	return needs_thread(req);
}

bool beside_accepts(struct request *req)
{
	bool has_way;

	/* The inline lane would have read by the number, too. */
	if (req->desk == BESIDE_COPIES && req->op == OP_READ)
		return true;
	descriptor_get_inode(req->fd, &req->descriptor);
	if (req->desk == BESIDE_COPIES)
		return !req->descriptor.err;
	if (!config.beside_lane || req->descriptor.err || !descriptor_is_file(&req->descriptor))
		return false;
	if (request_is_barrier(req))
		has_way = is_alone(req) && desk_is_staffed(BESIDE_LONG) && desk_rests(BESIDE_LONG);
	else
		has_way = is_long(req) && desk_is_staffed(BESIDE_LONG) && is_next_in_order(req);
	if (!has_way)
		return false;
	req->desk = BESIDE_LONG;
	return true;
}

void beside_enter(struct request *req)
{
	desk_enter(req);
	atomic_store(&req->is_beside, true);
	outside_enter(req);
}

bool beside_submit(struct request *req)
{
	request_hold_descriptor(req);
	if (desk_push(req))
		return true;
	beside_leave(req);
	return false;
}

void beside_leave(struct request *req)
{
	desk_leave(req);
	atomic_store(&req->is_beside, false);
}

/* No handler comes in between that could jump out, and leave it half done. */
unsigned beside_cancel(struct request *req, uint32_t generation)
{
	uint64_t all = UINT64_MAX, old;
	bool is_taken;

	RAW_SYSCALL(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, sizeof(all));
	is_taken = desk_take(req, generation);
	if (is_taken) {
		stats_inc(cancellations);
		desk_publish(req, -ECANCELED);
		/* Partner: bury() in desk.c, which frees it. */
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
