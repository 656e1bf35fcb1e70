// SPDX-License-Identifier: MIT
/*
 * offload.c - requests that their submitter hands straight to a worker.
 *
 * Who is on the other side of nr_queued: submitters raise it, the worker that
 * has made the copy lowers it.  A submitter that jumps out leaves some too much,
 * until the workers are idle.
 */
#include "offload.h"

#include <fcntl.h>
#include <limits.h>

#include "bypass.h"
#include "config.h"
#include "engine.h"
#include "filter.h"
#include "futex.h"
#include "inline.h"
#include "perform.h"
#include "submit_ahead.h"
#include "time_budget.h"
#include "workers.h"

#define AHEAD_MIN     4u          /* work that a deep program submits ahead of its results */
#define COPIES_MAX    16          /* work that waits for the worker that copies, */
#define FOLLOWERS_MAX 1024        /* or, where it would wait in any case */
#define WAKE_NS       100000u     /* what a wake costs, and the cold caches of both, */
#define WAKE_WORTH    16          /* if it was for less work than this */
#define ASK_AGAIN_NS  1000000000u /* for a worker that could not be made */

static _Atomic uint64_t asked_at_ns; /* for a worker; 0: never */
static _Atomic int nr_queued;        /* work of copies that a worker has not made */
static _Atomic int nr_since_wake;    /* offered since a worker was woken for it */
static struct time_budget in_vain;   /* spent by wakes for too little work */

static int pieces_of(const struct request *req)
{
	return (int)submit_ahead_pieces(req->nbytes);
}

/* Is a worker idle?  If there is none at all, one is asked for. */
static bool has_idle_worker(void)
{
	uint64_t now;

	if (workers_are_idle())
		return true;
	if (workers_exist())
		return false;
	now = clock_now_ns();
	if (now - atomic_load_explicit(&asked_at_ns, memory_order_relaxed) > ASK_AGAIN_NS) {
		atomic_store_explicit(&asked_at_ns, now, memory_order_relaxed);
		engine_ask(ENGINE_ASK_WORKERS);
	}
	return false;
}

/* Made here, it would spin for the lock of its inode with the worker that holds it. */
static bool would_spin(const struct request *req, enum file_kind kind)
{
	return req->op == OP_WRITE && !file_is_in_memory(kind) && workers_are_copying(req->fd);
}

bool offload_wants_copy(const struct request *req, enum file_kind kind, bool follows)
{
	unsigned ahead = config.is_always_deep ? UINT_MAX : submit_ahead_average();
	bool is_copying = workers_are_copying(req->fd);
	int nr = atomic_load_explicit(&nr_queued, memory_order_relaxed);

	if (!config.offload)
		return false;
	if (is_copying && (follows || (ahead > 0 && would_spin(req, kind))))
		return nr < FOLLOWERS_MAX;
	/* The lock lets nobody else copy: a few long writes would only have to be waited for. */
	if (req->op == OP_WRITE && ahead < AHEAD_MIN * submit_ahead_pieces(req->nbytes))
		return false;
	if (ahead < AHEAD_MIN || (!config.is_always_deep && time_budget_is_spent(&in_vain)))
		return false;
	if (!is_copying)
		return has_idle_worker();
	return nr < COPIES_MAX && (unsigned)(nr > 0 ? nr : 0) < ahead;
}

/* Nothing of its descriptor is under way: a sync has nobody to wait for. */
static bool is_alone(const struct request *req)
{
	struct filter_range range = filter_range_of(req);
	bool has_reads, has_writes;

	range.is_write = false;
	has_reads = filter_depth(FILTER_ENGINE, &range) > 0;
	range.is_write = true;
	has_writes = filter_depth(FILTER_ENGINE, &range) > 0;
	return !has_reads && !has_writes && !descriptor_is_held(req->fd);
}

/* What the engine would give to a worker, or copy itself. */
static bool needs_thread(const struct request *req)
{
	if (!engine_may_have_ring())
		return true;
	if (req->descriptor.flags & O_DIRECT)
		return false;
	return req->op == OP_WRITE || req->nbytes > INLINE_BYTES_MAX;
}

static bool is_transfer_to_offload(const struct request *req)
{
	struct filter_range range;

	if (req->offset < 0 || req->nbytes == 0 || req->nbytes > PERFORM_BYTES_MAX || req->done > 0)
		return false;
	if (req->op == OP_WRITE && (req->descriptor.flags & O_APPEND))
		return false;
	range = filter_range_of(req);
	return needs_thread(req) && !filter_may_conflict_anywhere(&range);
}

bool offload_accepts(struct request *req)
{
	if (req->is_copy)
		return true;
	if (!config.offload)
		return false;
	descriptor_get_type(req->fd, &req->descriptor);
	if (req->descriptor.err || !descriptor_is_file(&req->descriptor))
		return false;
	return (request_is_barrier(req) ? is_alone(req) : is_transfer_to_offload(req)) &&
	       has_idle_worker();
}

/* A worker is woken for it: was the last time worth that? */
static void note_wake(void)
{
	if (atomic_exchange_explicit(&nr_since_wake, 0, memory_order_relaxed) < WAKE_WORTH)
		time_budget_lose(&in_vain, WAKE_NS, clock_now_ns());
	atomic_store_explicit(&nr_queued, 0, memory_order_relaxed);
}

static void note_offered(const struct request *req)
{
	if (!workers_are_copying(req->fd))
		note_wake();
	atomic_fetch_add_explicit(&nr_queued, pieces_of(req), memory_order_relaxed);
	atomic_fetch_add_explicit(&nr_since_wake, pieces_of(req), memory_order_relaxed);
}

void offload_note_copied(const struct request *req)
{
	atomic_fetch_sub_explicit(&nr_queued, pieces_of(req), memory_order_relaxed);
}

bool offload_submit(struct request *req)
{
	uint32_t generation = request_generation(req);
	enum pool_offer offer;

	if (req->is_copy)
		note_offered(req);
	/* Once it is handed over, the record may be another request's. */
	offer = workers_offer(req);
	if (offer == OFFER_REFUSED) {
		if (req->is_copy)
			offload_note_copied(req);
		return false;
	}
	bypass_return(req, generation);
	if (offer == OFFER_UNSEEN)
		engine_ask(ENGINE_ASK_WORKERS);
	return true;
}

void offload_forget(void)
{
	atomic_store(&asked_at_ns, 0);
	atomic_store(&nr_queued, 0);
	atomic_store(&nr_since_wake, 0);
	time_budget_clear(&in_vain);
}
