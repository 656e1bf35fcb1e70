// SPDX-License-Identifier: MIT
/*
 * dispatch.c - the life of a request, and the rules for threads.
 *
 * The life of a request in the engine lane
 *
 *   submitter   prepare    a record from the pool, everything copied
 *               submit     aiocb says EINPROGRESS; push to the inbox; wake
 *   engine      accept     into the queue of its descriptor
 *               issue      when order allows: to the ring, to a worker, or
 *                          performed at once where that cannot wait
 *   kernel      ...
 *   engine      complete   absorb a result that glibc never returns, or
 *               publish    return value -> error code -> notification ->
 *                          waiters -> group -> next in the queue
 *   any thread  free       the record, when its notification is delivered
 *
 * The other lanes are shorter.  The inline lane completes in the submitting call (inline.c).  The
 * direct lane goes from the submitting thread to Linux AIO and back to a thread that polls or
 * waits (direct.c).  The copier and the offload lane go from the submitting thread to a thread
 * that performs the request (copier.c, offload.c).
 *
 * Why results are published in that order: a thread that is notified or woken finds the result.
 * A thread that finds the result may free the aiocb, so nothing reads it after the error code.  A
 * waiter that has returned finds its signal sent, as with glibc.  The notification of a list
 * follows that of its last entry.
 *
 * Threads
 *
 *   submit.c, inline.c, offload.c, direct.c, event_ring.c, waiter.c, and question_ask() with its
 *   callers run in the program's threads, also in signal handlers.  They take no lock.  They
 *   share with the engine and the workers: the inboxes (inbox.c), the pool of records
 *   (request.c), waiters and word of a record (waiter.c, request.h), the counters of a group
 *   (lio_group.c), the overlap filter (filter.c), the bypass table (bypass.c) and descriptor_held
 *   (descriptor.h).  Each is lock-free, and each file names the other side.
 *
 *   Everything else runs on the engine thread, with all signals blocked: queues, cancellations
 *   and closes need no lock.  The lock of the workers (workers.c) is not held while a worker
 *   performs a request.
 *
 *   The program's memory is accessed by the kernel, by the thread that performs the request, and
 *   by publish_result(), never after it.
 */
#include "dispatch/dispatch.h"

#include <errno.h>

#include "base/clock.h"
#include "base/stats.h"
#include "dispatch/bypass_events.h"
#include "dispatch/cancel.h"
#include "dispatch/engine_state.h"
#include "dispatch/issue.h"
#include "dispatch/pin.h"
#include "dispatch/question.h"
#include "dispatch/quiesce.h"
#include "dispatch/schedule.h"
#include "dispatch/synced_writes.h"
#include "engine/engine.h"
#include "engine/workers.h"
#include "lane/copier.h"
#include "lane/reaper.h"
#include "order/bypass.h"
#include "order/fdqueue.h"
#include "order/filter.h"
#include "order/in_flight.h"
#include "request/aiocb.h"
#include "request/lio_group.h"
#include "request/notify.h"
#include "request/publish.h"
#include "request/vector.h"
#include "request/waiter.h"

#define ROUNDS_MAX 64 /* rounds of requests that end at once, before the backend is served */
/* Interval of tick(), doubled up to the maximum while only a full signal queue is watched. */
#define TICK_NS     4000000u
#define TICK_MAX_NS 1000000000u

/* --- publish ----------------------------------------------------------- */

/* No waiter holds a group that notifies: LIO_WAIT ignores the sigevent. */
static uint64_t publish_group(struct request *group)
{
	uint64_t slots;

	if (!notify_is_wanted(&group->notification))
		return publish_silent_group(group);
	slots = waiter_wake(group, waiter_publish(group));
	request_set_place(group, PLACE_DONE);
	notify_deliver(group);
	return slots;
}

/* The order is explained above.  @req is out of its queue; its record may be free afterwards. */
static void publish(struct request *req, ssize_t res)
{
	struct request *group = req->group;
	uint64_t waiters;

	engine_state.nr_outstanding--;
	request_release_descriptor(req);
	filter_leave_range(req);
	waiters = publish_result(req, res, STATS_engine_reads);
	filter_leave_number(req);
	notify_deliver(req);
	engine_state.slots_to_wake |= waiter_wake(req, waiters);
	if (group && lio_group_leave(group, res < 0))
		engine_state.slots_to_wake |= publish_group(group);
}

/* --- accept ------------------------------------------------------------ */

/* Errors that the kernel would report without looking at the file. */
static int early_error(const struct request *req)
{
	if (req->op == OP_INVALID)
		return EINVAL;
	if (!request_is_barrier(req) && req->offset < 0)
		return EINVAL;
	return req->descriptor.err;
}

/* @req, which bounced, leaves the bypass table once it is in its queue, or was refused there. */
static void take_bounced(struct request *req)
{
	filter_enter(req);
	bypass_leave_range(req);
	bypass_leave(req);
}

static void accept_request(struct request *req)
{
	int err = req->is_bounced ? -quiesce_take_bounced(req) : early_error(req);

	engine_state.nr_outstanding++;
	engine_state.chain = request_chain(req);
	engine_state.asked_fd = -1;
	stats_max(STATS_engine_depth, engine_state.nr_outstanding);
	if (!err && fdqueue_add(req) < 0)
		err = EAGAIN;
	if (req->is_bounced)
		take_bounced(req);
	if (err) {
		stats_inc(engine_calls);
		engine_state_end(req, -err);
	} else {
		if (!req->detached)
			req->queue->since = quiesce_since(req->fd);
		schedule(req->queue);
	}
}

/* --- complete ---------------------------------------------------------- */

/*
 * The syncs that joined @sync have the same result.  If @sync was cancelled before it began, the
 * next sync is performed instead.
 */
static void answer_joined(struct request *sync, ssize_t res)
{
	struct request *req = sync;

	while (res != -ECANCELED && (req = fdqueue_next_joined(req))) {
		req->has_joined = false;
		if (request_place(req) == PLACE_QUEUE)
			engine_state_end(req, res);
	}
}

/* Remove @req from its queue, publish it, and issue the requests that waited for it. */
static void finish(struct request *req)
{
	struct fdqueue *queue = req->queue;
	bool is_last = true;
	ssize_t res;

	if (synced_writes_hold(req))
		return;
	res = publish_final_result(req);
	if (req->pin)
		pin_put(req->pin);
	if (req->is_file_data)
		engine_state.nr_files_in_flight--;
	in_flight_leave(req);
	if (queue) {
		answer_joined(req, res);
		is_last = fdqueue_is_last(queue);
		if (is_last)
			schedule_drop(queue);
		fdqueue_remove(req);
	}
	publish(req, res);
	if (!is_last)
		schedule(queue);
}

/*
 * The ring may end a transfer of a file early, or return 0 (Linux 5.10), where a plain call goes
 * on.  A buffered write is one call (issue.c), so its short count is final.
 */
static bool is_cut_short(const struct request *req)
{
	if (req->res < 0 || (size_t)req->res >= req->nbytes ||
	    !descriptor_is_file(&req->descriptor))
		return false;
	if (req->op == OP_WRITE)
		return req->descriptor.flags & O_DIRECT;
	if (req->pin)
		return true;
	return !req->queue->detached && !descriptor_ends_at(req->fd, req->offset + req->res);
}

/* The ring has completed @req.  Absorb results that a blocking plain call never gives. */
static void absorb(struct request *req)
{
	ssize_t res = req->res;

	if (res == -EINTR || res == -EAGAIN || res == -ECANCELED) {
		issue_again(req);
	} else if ((res == -EINVAL || res == -EOPNOTSUPP) && req->done == 0) {
		/* Perhaps only the ring cannot do it: the plain call decides. */
		issue_to_worker_again(req);
	} else if (is_cut_short(req)) {
		/* Repeat a read as a whole: a write could come between two parts. */
		if (req->op == OP_WRITE)
			request_advance(req, (size_t)res);
		issue_to_worker_again(req);
	} else {
		engine_state_end(req, res);
	}
}

/* All CQEs of @req have come: its own, and that of its cancellation if there was one. */
static void ring_is_done(struct request *req)
{
	bool is_cancelled = req->cancel && (req->res == -ECANCELED || req->res == -EINTR);
	bool is_over;

	if (is_cancelled)
		engine_state_end(req, -ECANCELED);
	else
		absorb(req);
	/* If absorb() issued @req or its rest again, it was not cancelled. */
	is_over =
		request_place(req) == PLACE_ENDED && (is_cancelled || !synced_writes_may_hold(req));
	if (req->cancel)
		cancel_answer(req, is_cancelled, !is_over);
}

static void on_complete(struct request *req, ssize_t res)
{
	req->res = res;
	req->has_cqe = true;
	if (--req->cqes_due == 0)
		ring_is_done(req);
}

static void on_cancelled(struct request *req, int res)
{
	if (--req->cqes_due == 0)
		ring_is_done(req);
	else if (res < 0)
		cancel_answer(req, false, true); /* the kernel cannot, or not any more */
}

/* --- called by the engine ----------------------------------------------- */

static void serve_asked(unsigned asked)
{
	if (asked & ENGINE_ASK_WORKERS)
		workers_provide();
	if (asked & ENGINE_ASK_REAPER)
		reaper_provide();
	if (asked & ENGINE_ASK_COPIER)
		copier_provide();
	if (asked & ENGINE_ASK_DRAINED)
		schedule_awaiting();
}

static void receive(struct message *message)
{
	struct request *req = (struct request *)message;

	switch (message->kind) {
	case MESSAGE_SUBMIT:
		accept_request(req);
		break;
	case MESSAGE_EXECUTED:
		engine_state.nr_on_workers--;
		engine_state_end(req, req->res);
		break;
	case MESSAGE_ASK:
		serve_asked(engine_asked());
		break;
	case MESSAGE_NOTIFY:
		notify_deliver(req);
		break;
	case MESSAGE_GROUP:
		engine_state.slots_to_wake |= publish_group(req);
		break;
	case MESSAGE_CANCEL:
		cancel_accept(req);
		break;
	case MESSAGE_CLOSE:
		quiesce_accept(req);
		break;
	case MESSAGE_INVALID:
		break;
	}
}

static void refuse_one(struct message *message, int err)
{
	struct request *req = (struct request *)message;

	if (message->kind == MESSAGE_SUBMIT) {
		if (req->is_bounced) {
			bypass_leave_range(req);
			bypass_leave(req);
		}
		engine_state.nr_outstanding++;
		publish(req, -err);
	} else if (message->kind == MESSAGE_ASK) {
		engine_asked();
	} else if (message->kind == MESSAGE_CANCEL || message->kind == MESSAGE_CLOSE) {
		question_answer(req);
	} else {
		receive(message);
	}
}

static void wake_waiters(void)
{
	waiter_wake_slots(engine_state.slots_to_wake);
	engine_state.slots_to_wake = 0;
}

static void refuse(struct message *message, int err)
{
	struct message *next;

	for (; message; message = next) {
		next = message->next;
		refuse_one(message, err);
	}
	wake_waiters();
}

/*
 * Publish all ended requests.  The next request of a stream is chosen by priority among all
 * submitted before, so these are received first.  Requests that are issued here and end at once
 * are left to the next round, for the same reason.
 */
static void publish_ended(void)
{
	struct request_list list = TAILQ_HEAD_INITIALIZER(list);
	struct request *req;

	TAILQ_CONCAT(&list, &engine_state.ended, list_link);
	engine_state.nr_publishings++;
	if (!TAILQ_EMPTY(&list))
		engine_receive();
	while ((req = TAILQ_FIRST(&list))) {
		TAILQ_REMOVE(&list, req, list_link);
		finish(req);
	}
	if (in_flight_is_awaited())
		schedule_awaiting();
}

/* Changes that no thread reports are polled: blocked workers, the end of a callback. */
static bool is_watching_closely(void)
{
	return !TAILQ_EMPTY(&engine_state.awaiting) || notify_is_waiting_for_thread() ||
	       workers_are_awaited() || quiesce_is_watching() ||
	       !TAILQ_EMPTY(&engine_state.without_thread);
}

/* A full signal queue is polled ever more rarely, since it may stay full for ever. */
static bool is_watching(void)
{
	return notify_is_waiting() || is_watching_closely();
}

static uint64_t tick(void)
{
	bool is_close = is_watching_closely();
	uint64_t now;

	if (!is_close && !notify_is_waiting())
		return UINT64_MAX;
	now = clock_now_ns();
	if (now >= engine_state.tick_at || (is_close && engine_state.tick_at > now + TICK_NS)) {
		if (notify_tick() || is_close || engine_state.tick_ns == 0)
			engine_state.tick_ns = TICK_NS;
		else if (engine_state.tick_ns < TICK_MAX_NS)
			engine_state.tick_ns *= 2;
		workers_tick();
		issue_without_thread();
		schedule_watch_awaiting();
		quiesce_tick();
		engine_state.tick_at = now + engine_state.tick_ns;
	}
	return engine_state.tick_at - now;
}

/* The ring was taken away.  All that it did has been reported; workers execute the rest. */
static void abandon(struct request *req)
{
	if (req->has_cqe) {
		ring_is_done(req); /* only the CQE of its cancellation is missing */
		return;
	}
	if (req->cancel)
		cancel_answer(req, false, true);
	issue_without_ring(req);
}

static void abandon_ring(void)
{
	struct request *req, *next;
	struct fdqueue *queue;

	for (queue = fdqueue_first(0); queue; queue = fdqueue_after(queue)) {
		TAILQ_FOREACH_SAFE(req, &queue->outstanding, outstanding_link, next)
			if (req->cqes_due > 0)
				abandon(req);
	}
}

static uint64_t end_batch(void)
{
	uint64_t next_tick = tick();

	for (int i = 0; i == 0 || (i < ROUNDS_MAX && !TAILQ_EMPTY(&engine_state.ended)); i++) {
		publish_ended();
		cancel_serve();
		wake_waiters();
	}
	/* Submit the SQEs prepared meanwhile before more is copied. */
	if (!TAILQ_EMPTY(&engine_state.throttled)) {
		engine_flush();
		schedule_throttled();
	}
	engine_inbox.chain = fdqueue_is_busy(engine_state.chain) ? engine_state.chain : 0;
	if (!TAILQ_EMPTY(&engine_state.ended) || !TAILQ_EMPTY(&engine_state.throttled))
		return 0;
	if (!is_watching())
		return UINT64_MAX;
	return next_tick == UINT64_MAX || (is_watching_closely() && next_tick > TICK_NS)
		       ? TICK_NS
		       : next_tick;
}

static bool is_idle(void)
{
	return engine_state.nr_outstanding == 0 && engine_state.nr_on_workers == 0 &&
	       cancel_is_idle() && !is_watching();
}

static const struct engine_client client = {
	.events = {
		.complete = on_complete,
		.cancelled = on_cancelled,
	},
	.receive = receive,
	.refuse = refuse,
	.abandon_ring = abandon_ring,
	.end_batch = end_batch,
	.is_idle = is_idle,
};

void dispatch_start(void)
{
	engine_state_reset();
	engine_init(&client);
	bypass_events_start();
}
