// SPDX-License-Identifier: MIT
/*
 * offload.c - requests that their submitter hands straight to a worker.
 */
#include "lane/offload.h"

#include <fcntl.h>

#include "base/clock.h"
#include "base/config.h"
#include "engine/engine.h"
#include "engine/workers.h"
#include "lane/inline.h"
#include "order/bypass.h"
#include "order/filter.h"
#include "request/fd_kind.h"
#include "request/perform.h"

#define ASK_AGAIN_NS 1000000000u /* if no worker could be made */
/* Of one descriptor and direction, so that the bypass table has room for others. */
#define BURST_MAX (BYPASS_MAX / 4 * 3)

static _Atomic uint64_t asked_at_ns; /* when a submitter last asked for a worker; 0: never */

/* Is there a worker for @req?  If the pool has no thread, ask for one. */
static bool has_worker(const struct request *req)
{
	uint64_t now;

	if (workers_accept(req))
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

/* Nothing of its descriptor is under way, so a sync has nothing to wait for. */
static bool is_alone(const struct request *req)
{
	struct filter_range range = filter_range_of(req);
	bool has_reads, has_writes;

	range.is_write = false;
	has_reads = filter_depth(FILTER_ENGINE, &range) > 0;
	range.is_write = true;
	has_writes = filter_depth(FILTER_ENGINE, &range) > 0;
	/* The filter and the bypass table count a request until its result is published. */
	return !has_reads && !has_writes && !descriptor_is_held(req->fd) &&
	       !bypass_has_any(req->fd, UINT64_MAX);
}

/* The engine would give @req to a worker, or would copy the data itself. */
static bool needs_thread(const struct request *req)
{
	if (!engine_may_have_ring())
		return true;
	if (req->descriptor.flags & O_DIRECT)
		return req->op == OP_WRITE &&
		       fd_hints_recall(req->fd, req->descriptor.flags) == FILE_DIRECT_RING;
	return req->op == OP_WRITE || req->nbytes > INLINE_BYTES_MAX;
}

static bool is_transfer_to_offload(const struct request *req)
{
	struct filter_range range;

	if (req->offset < 0 || req->nbytes == 0 || req->nbytes > PERFORM_BYTES_MAX)
		return false;
	if (req->op == OP_WRITE && (req->descriptor.flags & O_APPEND))
		return false;
	range = filter_range_of(req);
	return needs_thread(req) && filter_depth(FILTER_BYPASS, &range) < BURST_MAX &&
	       !filter_may_conflict_anywhere(&range);
}

bool offload_accepts(struct request *req)
{
	if (!config.offload_lane)
		return false;
	fd_kind_get_type(req->fd, &req->descriptor);
	if (req->descriptor.err || !descriptor_is_file(&req->descriptor))
		return false;
	/*
	 * Synced writes and syncs take errors from each other, so the engine orders them
	 * (fdqueue.h).
	 */
	if (req->op != OP_READ && descriptor_has_synced_writes(&req->descriptor))
		return false;
	return (request_is_barrier(req) ? is_alone(req) : is_transfer_to_offload(req)) &&
	       has_worker(req);
}

bool offload_submit(struct request *req)
{
	uint32_t generation = request_generation(req);

	/* Once handed over, the record may be another request's. */
	if (!workers_offer(req))
		return false;
	bypass_return(req, generation);
	return true;
}

void offload_after_fork(void)
{
	atomic_store(&asked_at_ns, 0);
}
