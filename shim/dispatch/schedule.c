// SPDX-License-Identifier: MIT
/*
 * schedule.c - issue the requests that order and room allow.
 *
 * Room: each descriptor may have config.depth file requests in flight, so that one which blocks
 * leaves the others alone.  All descriptors share a limit of O_DIRECT bytes (in_flight.h).  The
 * kernel copies page-cached data while the engine enters the ring, so the ring gets
 * COPY_BYTES_MAX, or one request, between two entries.
 *
 * Order: fdqueue.c.  A queue may wait for a request that bypasses the engine, or for room among the
 * O_DIRECT bytes.  It is tried again whenever such a request ends or such bytes do.
 */
#include "dispatch/schedule.h"

#include "base/config.h"
#include "dispatch/engine_state.h"
#include "dispatch/issue.h"
#include "engine/aio_context.h"
#include "engine/reaper_call.h"
#include "lane/event_ring.h"
#include "lane/reaper.h"
#include "order/bypass.h"
#include "order/in_flight.h"

#define COPY_BYTES_MAX (1u << 20)

static bool may_copy(void)
{
	return engine_state.nr_to_copy < COPY_BYTES_MAX;
}

static void issue_all(struct fdqueue *queue)
{
	struct request *req;

	while ((req = fdqueue_next(queue, queue->nr_in_flight < config.depth && may_copy())))
		issue(req);
	if (may_copy() || queue->is_throttled || TAILQ_EMPTY(&queue->waiting))
		return;
	queue->is_throttled = true;
	TAILQ_INSERT_TAIL(&engine_state.throttled, queue, throttled_link);
}

static void release(struct fdqueue *queue)
{
	if (queue->is_throttled)
		TAILQ_REMOVE(&engine_state.throttled, queue, throttled_link);
	queue->is_throttled = false;
}

void schedule_throttled(void)
{
	struct fdqueue *queue;

	engine_state.nr_to_copy = 0;
	while (may_copy() && (queue = TAILQ_FIRST(&engine_state.throttled))) {
		release(queue);
		schedule(queue);
	}
}

/* The reaper reports direct completions in time.  Workers report theirs anyway. */
static void ensure_reaper(void)
{
	if (!aio_context())
		return;
	reaper_provide();
	reaper_call_if_wanted();
}

/* From here on bypass.c reports requests that leave.  Try once more: one may just have left. */
static void await_bypass(struct fdqueue *queue)
{
	if (TAILQ_EMPTY(&engine_state.awaiting)) {
		bypass_watch(true);
		ensure_reaper();
	}
	if (!queue->is_awaiting) {
		queue->is_awaiting = true;
		TAILQ_INSERT_TAIL(&engine_state.awaiting, queue, awaiting_link);
	}
	issue_all(queue);
}

static void stop_awaiting(struct fdqueue *queue)
{
	if (!queue->is_awaiting)
		return;
	queue->is_awaiting = false;
	TAILQ_REMOVE(&engine_state.awaiting, queue, awaiting_link);
	if (TAILQ_EMPTY(&engine_state.awaiting)) {
		bypass_watch(false);
		in_flight_stop_awaiting();
	}
}

void schedule_drop(struct fdqueue *queue)
{
	release(queue);
	stop_awaiting(queue);
}

void schedule(struct fdqueue *queue)
{
	issue_all(queue);
	if (queue->awaits_bypass)
		await_bypass(queue);
	if (!queue->awaits_bypass)
		stop_awaiting(queue);
}

void schedule_awaiting(void)
{
	struct fdqueue *queue, *next;

	in_flight_stop_awaiting(); /* until a queue finds that it waits */
	TAILQ_FOREACH_SAFE(queue, &engine_state.awaiting, awaiting_link, next)
		schedule(queue);
	/* Each queue is the first to get the room at times. */
	if ((queue = TAILQ_FIRST(&engine_state.awaiting))) {
		TAILQ_REMOVE(&engine_state.awaiting, queue, awaiting_link);
		TAILQ_INSERT_TAIL(&engine_state.awaiting, queue, awaiting_link);
	}
}

void schedule_watch_awaiting(void)
{
	if (TAILQ_EMPTY(&engine_state.awaiting))
		return;
	ensure_reaper();
	event_ring_poll(); /* in case no reaper could be made */
	schedule_awaiting();
}
