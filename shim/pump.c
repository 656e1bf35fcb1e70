// SPDX-License-Identifier: MIT
/*
 * pump.c - issue what order and room allow.
 *
 * Room: config.depth file requests in flight, over all descriptors; queues
 * that wait for it are served in turn.  Order: fdqueue.c; a queue that waits
 * for the lanes outside is looked at again whenever something ends there.
 */
#include "pump.h"

#include "aio_context.h"
#include "config.h"
#include "epoch.h"
#include "event_ring.h"
#include "issue.h"
#include "ledger.h"
#include "reaper.h"

/* Others wait for room: then one request a turn, at the tail of the backlog. */
static bool has_room(const struct fdqueue *queue)
{
	return ledger.nr_files_in_flight < config.depth &&
	       (TAILQ_EMPTY(&ledger.backlog) || queue->has_turn);
}

static void issue_all(struct fdqueue *queue)
{
	struct request *req;

	while ((req = fdqueue_next(queue, has_room(queue)))) {
		if (req->op == OP_READ || req->op == OP_WRITE)
			queue->has_turn = false;
		issue(req);
	}
}

/* What is beside tells by itself. */
static void keep_reaper(void)
{
	if (!aio_context())
		return;
	if (!reaper_want(false))
		reaper_start();
}

/* The lanes outside report now; look once more, since it may have ended just before. */
static void await_direct(struct fdqueue *queue)
{
	if (TAILQ_EMPTY(&ledger.awaiting)) {
		epoch_watch(true);
		keep_reaper();
	}
	if (!queue->is_awaiting) {
		queue->is_awaiting = true;
		TAILQ_INSERT_TAIL(&ledger.awaiting, queue, awaiting_link);
	}
	issue_all(queue);
}

static void await_direct_no_more(struct fdqueue *queue)
{
	if (!queue->is_awaiting)
		return;
	queue->is_awaiting = false;
	TAILQ_REMOVE(&ledger.awaiting, queue, awaiting_link);
	if (TAILQ_EMPTY(&ledger.awaiting))
		epoch_watch(false);
}

/* Issue all that order and room allow. */
void pump(struct fdqueue *queue)
{
	issue_all(queue);
	if (queue->awaits_direct)
		await_direct(queue);
	if (!queue->awaits_direct)
		await_direct_no_more(queue);
	if (!has_room(queue) && !queue->is_backlogged && fdqueue_wants_room(queue)) {
		queue->is_backlogged = true;
		TAILQ_INSERT_TAIL(&ledger.backlog, queue, backlog_link);
	}
}

/* Something outside ended, for which one of these may have waited. */
void pump_awaiting(void)
{
	struct fdqueue *queue, *next;

	TAILQ_FOREACH_SAFE(queue, &ledger.awaiting, awaiting_link, next)
		pump(queue);
}

/* Room came free: one turn for each queue that waits for it. */
void pump_backlog(void)
{
	struct fdqueue *queue;

	while (ledger.nr_files_in_flight < config.depth && (queue = TAILQ_FIRST(&ledger.backlog))) {
		TAILQ_REMOVE(&ledger.backlog, queue, backlog_link);
		queue->is_backlogged = false;
		queue->has_turn = true;
		pump(queue);
		queue->has_turn = false;
	}
}

void pump_watch_awaiting(void)
{
	struct fdqueue *queue, *next;

	if (TAILQ_EMPTY(&ledger.awaiting))
		return;
	keep_reaper();
	event_ring_poll(); /* should there be none for want of a thread */
	TAILQ_FOREACH_SAFE(queue, &ledger.awaiting, awaiting_link, next) {
		queue->is_overdue = true;
		pump(queue);
		queue->is_overdue = false;
	}
}

void pump_forget_queue(struct fdqueue *queue)
{
	if (queue->is_backlogged)
		TAILQ_REMOVE(&ledger.backlog, queue, backlog_link);
	await_direct_no_more(queue);
}
