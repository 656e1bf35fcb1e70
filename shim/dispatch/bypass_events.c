// SPDX-License-Identifier: MIT
/*
 * bypass_events.c - results that threads other than the engine publish.
 *
 * Runs in a worker that performed a request, in the copier, and in the thread that reaps the
 * direct lane.  The engine is on the other side: messages tell it to do the rest.
 */
#include "dispatch/bypass_events.h"

#include <errno.h>

#include "base/stats.h"
#include "engine/engine.h"
#include "engine/workers.h"
#include "lane/copier.h"
#include "lane/direct.h"
#include "order/bypass.h"
#include "request/lio_group.h"
#include "request/publish.h"
#include "request/waiter.h"

/*
 * Neither @req nor its list sends a notification.  The entry in the bypass table stays until the
 * result is published, because aio_cancel looks there.  It goes before any thread is woken: that
 * thread may submit a barrier at once, which finds the effect.  Returns the wait slots to wake.
 */
static uint64_t complete(struct request *req, ssize_t res, enum stats_counter reads)
{
	struct request *group = req->group;
	uint64_t waiters, slots;

	bypass_leave_range(req);
	request_release_descriptor(req);
	waiters = publish_result(req, res, reads);
	bypass_leave(req);
	slots = waiter_wake(req, waiters);
	if (group && lio_group_leave(group, res < 0))
		slots |= publish_silent_group(group);
	request_free(req);
	return slots;
}

static void on_performed(struct request *req)
{
	/* Partner: goes_on() in cancel.c.  All signals are blocked here. */
	request_mark(req, REQUEST_PUBLISHING);
	waiter_wake_slots(
		complete(req, req->res, req->copy_kind ? STATS_copier_reads : STATS_offload_reads));
}

void bypass_events_end(struct request *req, ssize_t res)
{
	req->res = res;
	on_performed(req);
}

/* Through the inbox, because the caller may be walking through the queues. */
void bypass_events_withdrawn(struct request *req)
{
	req->is_bounced = true;
	request_set_place(req, PLACE_SUBMITTER);
	inbox_push(&engine_inbox, &req->message, &req->message);
}

/* Hand @req to the engine, which starts if there is none and owns the record from the push on. */
static uint64_t bounce(struct request *req)
{
	int ret;

	req->is_bounced = true;
	request_set_place(req, PLACE_SUBMITTER);
	ret = engine_hand_over(&req->message, &req->message);
	if (ret == 0)
		return 0;
	req->res = ret;
	return complete(req, publish_final_result(req), STATS_engine_reads);
}

static void on_copied(struct request *req, bool is_done)
{
	if (is_done) {
		on_performed(req);
	} else {
		stats_inc(fallbacks);
		waiter_wake_slots(bounce(req));
	}
}

static void leave_group_direct(struct request *req)
{
	if (req->group)
		atomic_fetch_sub(&req->group->nr_direct, 1);
}

static uint64_t on_direct_complete(struct request *req, ssize_t res)
{
	leave_group_direct(req);
	return complete(req, res, STATS_direct_reads);
}

/* The list is updated first: the engine owns the record afterwards. */
static uint64_t on_direct_bounce(struct request *req)
{
	leave_group_direct(req);
	return bounce(req);
}

static void on_drained(void)
{
	engine_ask(ENGINE_ASK_DRAINED);
}

static const struct direct_events direct_client = {
	.complete = on_direct_complete,
	.bounce = on_direct_bounce,
};

void bypass_events_start(void)
{
	bypass_init(on_drained);
	workers_start(on_performed);
	copier_start(on_copied);
	direct_init(&direct_client);
}
