// SPDX-License-Identifier: MIT
/*
 * dispatch.c - the life of a request, and the one essay on concurrency.
 *
 * The life of a request
 *
 *   submitter   prepare    a record from the pool, everything copied
 *               submit     aiocb says EINPROGRESS; push to the inbox; wake
 *   engine      accept     into the queue of its descriptor
 *               issue      when order allows: to the ring, to a worker, or
 *                          answered on the spot
 *   kernel      ...
 *   engine      complete   absorb what glibc would never have returned, or
 *               publish    return value -> error code -> notification ->
 *                          waiters -> group -> next in the queue
 *   anyone      free       the record, when its notification is delivered
 *
 * That is the way of what cannot be done at once.  Two lanes are shorter: the
 * inline lane completes in the submitting call (inline.c), the direct lane goes
 * from the submitting thread to Linux AIO and back to whoever polls or waits
 * (direct.c); what either cannot do comes here.
 *
 * Why that order: whoever is told must find the result; whoever finds the
 * result may free the aiocb, so nothing after the error code reads it; a waiter
 * that has returned finds its signal sent, as with glibc; the event of a list
 * comes after the event of its last entry.
 *
 * Who runs what
 *
 *   submit.c, inline.c, direct.c, waiter.c and the asking halves of cancel.c
 *   run in the program's threads, also in signal handlers.  They take no lock.
 *   They share with the engine: the inbox (inbox.c), the pool of records
 *   (request.c), the interest word and generation of a record (waiter.c), the
 *   counters of a group (group.c), the overlap filter (filter.c), the epochs of
 *   the direct lane, and descriptor_held (descriptor.h); each is lock-free, and
 *   each file names who is on the other side.
 *
 *   Everything else runs on the engine thread, alone, with all signals
 *   blocked: queues, backlog, cancellations and closes need no lock.  Worker
 *   and callback threads take records from a pool (pool.c), whose lock is
 *   never held while they run anything.
 *
 *   The program's memory is touched by the kernel, by a worker executing its
 *   request, and by publish_result(), never after it.
 */
#include "dispatch.h"

#include <errno.h>

#include "aiocb.h"
#include "cancel.h"
#include "config.h"
#include "direct.h"
#include "engine.h"
#include "fdqueue.h"
#include "filter.h"
#include "futex.h"
#include "group.h"
#include "inbox.h"
#include "issue.h"
#include "ledger.h"
#include "notify.h"
#include "perform.h"
#include "publish.h"
#include "stats.h"
#include "submit.h"
#include "waiter.h"
#include "workers.h"

#define TICK_NS 4000000u /* how often to look while something has to be watched */

/* --- publish ----------------------------------------------------------- */

/* As a system call: a partial transfer hides the error that ended it. */
static ssize_t final_result(const struct request *req)
{
	if (req->done == 0)
		return req->res;
	return (ssize_t)req->done + (req->res > 0 ? req->res : 0);
}

/* No waiter holds a group that notifies: LIO_WAIT ignores the sigevent. */
static uint64_t publish_group(struct request *group)
{
	uint64_t slots;

	if (!notify_is_wanted(&group->notification))
		return publish_silent_group(group);
	slots = waiter_wake(group, waiter_publish(group));
	request_set_state(group, REQ_DONE);
	notify_deliver(group);
	return slots;
}

/* The order of effects.  @req is out of its queue; its record may be gone afterwards. */
static void publish(struct request *req, ssize_t res)
{
	struct request *group = req->group;
	uint64_t interest = 0;

	ledger.nr_outstanding--;
	if (req->publication == PUBLICATION_NONE) {
		submit_lower_filter(req);
		interest = publish_result(req, res);
	}
	if (req->is_bounced)
		direct_leave(req);
	notify_deliver(req);
	ledger.slots_to_wake |= waiter_wake(req, interest);
	if (group && group_leave(group, res < 0))
		ledger.slots_to_wake |= publish_group(group);
}

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

static void keep_reaper(void)
{
	if (!direct_want_reaper(false))
		direct_start_reaper();
}

/* The direct lane reports now; look once more, since it may have ended just before. */
static void await_direct(struct fdqueue *queue)
{
	if (TAILQ_EMPTY(&ledger.awaiting)) {
		direct_watch(true);
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
		direct_watch(false);
}

/* Issue all that order and room allow. */
static void pump(struct fdqueue *queue)
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

/* Something of the direct lane ended, for which one of these may have waited. */
static void pump_awaiting(void)
{
	struct fdqueue *queue, *next;

	TAILQ_FOREACH_SAFE(queue, &ledger.awaiting, awaiting_link, next)
		pump(queue);
}

/* Room came free: one turn for each queue that waits for it. */
static void pump_backlog(void)
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

/* --- accept ------------------------------------------------------------ */

static void count_request(const struct request *req)
{
	if (req->op == OP_READ)
		stats_inc(reads);
	else if (req->op == OP_WRITE)
		stats_inc(writes);
	else
		stats_inc(fsyncs);
	stats_max(STATS_deepest_queue, ledger.nr_outstanding);
}

/* What the kernel would say without looking at the file. */
static int early_error(const struct request *req)
{
	if (req->op == OP_INVALID)
		return EINVAL;
	if (!request_is_barrier(req) && req->offset < 0)
		return EINVAL;
	return req->descriptor.err;
}

/* Given up by the direct lane, whose filter has guarded it until it is in its place here. */
static void take_bounced(struct request *req)
{
	submit_raise_filter(req);
	direct_leave_range(req);
}

static void accept_request(struct request *req)
{
	int err = early_error(req);

	ledger.nr_outstanding++;
	count_request(req);
	if (!err && fdqueue_add(req) < 0)
		err = EAGAIN;
	if (req->is_bounced)
		take_bounced(req);
	if (err) {
		stats_inc(lane_engine);
		ledger_end(req, -err);
	} else {
		pump(req->queue);
	}
}

/* --- complete ---------------------------------------------------------- */

/* Out of its queue, published, and the next in its place. */
static void finish(struct request *req)
{
	struct fdqueue *queue = req->queue;
	bool is_last = true;
	ssize_t res = final_result(req);

	request_release_descriptor(req);
	if (req->is_file_data)
		ledger.nr_files_in_flight--;
	if (queue) {
		is_last = fdqueue_is_last(queue);
		if (is_last && queue->is_backlogged)
			TAILQ_REMOVE(&ledger.backlog, queue, backlog_link);
		if (is_last)
			await_direct_no_more(queue);
		fdqueue_remove(req);
	}
	publish(req, res);
	if (!is_last)
		pump(queue);
}

static bool is_stream_write(const struct request *req)
{
	return req->op == OP_WRITE && !descriptor_is_file(&req->descriptor);
}

/*
 * The ring is done with @req.  Results that read and write on a blocking
 * descriptor never give are absorbed here.
 */
static void absorb(struct request *req)
{
	ssize_t res = req->res;

	if (res == -EINTR || res == -EAGAIN || res == -ECANCELED) {
		issue_again(req);
	} else if ((res == -EINVAL || res == -EOPNOTSUPP) && req->done == 0) {
		/* Perhaps only the ring cannot do it: the plain call knows. */
		request_hold_descriptor(req);
		issue_to_worker_instead(req);
	} else if (res > 0 && is_stream_write(req) && (size_t)res < req->nbytes) {
		request_advance(req, (size_t)res);
		req->attempts = 0;
		issue_again(req);
	} else {
		ledger_end(req, res);
	}
}

/* All completions the ring owed for @req are in. */
static void ring_is_done(struct request *req)
{
	bool is_cancelled = req->cancel && (req->res == -ECANCELED || req->res == -EINTR);

	if (is_cancelled) {
		stats_inc(cancellations);
		ledger_end(req, -ECANCELED);
	} else {
		absorb(req);
	}
	/* Half of it may be done and the rest be on its way again: then it was not cancelled. */
	if (req->cancel)
		cancel_answer(req, is_cancelled, !req->has_ended);
}

static void on_complete(struct request *req, ssize_t res)
{
	issue_leave_prepared(req);
	req->res = res;
	req->is_on_ring = false;
	if (--req->cqes_due == 0)
		ring_is_done(req);
}

static void on_cancelled(struct request *req, int res)
{
	req->cqes_due--;
	if (!req->is_on_ring)
		ring_is_done(req);
	else if (res < 0)
		cancel_answer(req, false, true); /* the kernel cannot, or not any more */
}

/* --- on a worker ------------------------------------------------------ */

/*
 * A waiter need not wait for the engine, too, which has the queue and the rest
 * to see to.  Unless a notification is due: no program shall see the result
 * long before it.
 */
static void on_executed(struct request *req)
{
	uint64_t interest;

	if (notify_is_wanted(&req->notification))
		return;
	req->res = final_result(req);
	req->done = 0;
	submit_lower_filter(req);
	/* Partner: is_out_of_reach() in cancel.c. */
	atomic_store(&req->publication, PUBLICATION_BEGUN);
	interest = publish_result(req, req->res);
	atomic_store(&req->publication, PUBLICATION_DONE);
	waiter_wake_slots(waiter_wake(req, interest));
}

/* --- the direct lane, in whatever thread reaps ------------------------- */

static struct message drained_message = { .kind = MESSAGE_DRAINED };
static _Atomic bool is_drained_posted; /* the message lies in the inbox: one at a time */

static struct message reaper_message = { .kind = MESSAGE_REAPER };
static _Atomic bool is_reaper_posted; /* likewise */

static uint64_t on_direct_complete(struct request *req, ssize_t res)
{
	struct request *group = req->group;
	uint64_t slots;

	atomic_store(&req->is_direct, false);
	if (group)
		atomic_fetch_sub(&group->nr_direct, 1);
	if (req->op == OP_READ)
		stats_inc(direct_reads);
	else
		stats_inc(direct_writes);
	slots = waiter_wake(req, publish_result(req, res));
	request_free(req);
	/* A list that notifies does not come this way. */
	if (group && group_leave(group, res < 0))
		slots |= publish_silent_group(group);
	return slots;
}

/* From the push on the engine may do anything with it: the list is told before. */
static bool push_bounced(struct request *req)
{
	struct request *group = req->group;

	atomic_store(&req->is_direct, false);
	if (group)
		atomic_fetch_sub(&group->nr_direct, 1);
	if (inbox_push(&req->message, &req->message))
		return true;
	if (group)
		atomic_fetch_add(&group->nr_direct, 1);
	return false;
}

/*
 * To the engine, if there is one: none is started here, where the thread may
 * be in a handler.  Then it waits for the file system after all.
 */
static uint64_t on_direct_bounce(struct request *req)
{
	ssize_t res = -ECANCELED;

	atomic_store(&req->is_bounced, true);
	request_set_state(req, REQ_QUEUED);
	request_hold_descriptor(req);
	if (push_bounced(req))
		return 0;
	if (descriptor_means(req->fd, &req->descriptor))
		res = perform(req, req->fd);
	request_release_descriptor(req);
	direct_leave_range(req);
	direct_leave(req);
	return on_direct_complete(req, res);
}

static void on_direct_drained(void)
{
	if (!atomic_exchange(&is_drained_posted, true) &&
	    !inbox_push(&drained_message, &drained_message))
		atomic_store(&is_drained_posted, false);
}

bool dispatch_ask_for_reaper(void)
{
	if (direct_want_reaper(true) || atomic_exchange(&is_reaper_posted, true))
		return true;
	if (inbox_push(&reaper_message, &reaper_message))
		return true;
	atomic_store(&is_reaper_posted, false);
	return false;
}

static const struct direct_events direct_client = {
	.complete = on_direct_complete,
	.bounce = on_direct_bounce,
	.drained = on_direct_drained,
};

/* --- what the engine calls ---------------------------------------------- */

static void receive(struct message *message)
{
	struct request *req = (struct request *)message;

	switch (message->kind) {
	case MESSAGE_SUBMIT:
		accept_request(req);
		break;
	case MESSAGE_EXECUTED:
		ledger.nr_on_workers--;
		ledger_end(req, req->res);
		break;
	case MESSAGE_REAPER:
		direct_start_reaper();
		atomic_store(&is_reaper_posted, false);
		break;
	case MESSAGE_DRAINED:
		atomic_store(&is_drained_posted, false);
		pump_awaiting();
		break;
	case MESSAGE_NOTIFY:
		notify_deliver(req);
		break;
	case MESSAGE_GROUP:
		ledger.slots_to_wake |= publish_group(req);
		break;
	case MESSAGE_CANCEL:
		cancel_accept(message);
		break;
	case MESSAGE_CLOSE:
		cancel_accept_closing(message);
		break;
	case MESSAGE_INVALID:
		break;
	}
}

static void refuse_one(struct message *message, int err)
{
	struct request *req = (struct request *)message;

	if (message->kind == MESSAGE_SUBMIT) {
		if (req->is_bounced)
			direct_leave_range(req);
		request_release_descriptor(req);
		ledger.nr_outstanding++;
		publish(req, -err);
	} else if (message->kind == MESSAGE_CANCEL || message->kind == MESSAGE_CLOSE) {
		cancel_refuse(message);
	} else {
		receive(message);
	}
}

static void wake_waiters(void)
{
	waiter_wake_slots(ledger.slots_to_wake);
	ledger.slots_to_wake = 0;
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

static void publish_ended(void)
{
	struct request *req;

	while ((req = TAILQ_FIRST(&ledger.ended))) {
		TAILQ_REMOVE(&ledger.ended, req, list_link);
		finish(req);
	}
}

/* Some things tell nobody when they change: a full signal queue, a blocked pool. */
static bool is_watching(void)
{
	return !TAILQ_EMPTY(&ledger.awaiting) || notify_is_waiting() || workers_are_waiting() ||
	       cancel_is_watching() || !TAILQ_EMPTY(&ledger.stranded);
}

static uint64_t tick(void)
{
	uint64_t now;

	if (!is_watching())
		return UINT64_MAX;
	now = clock_now_ns();
	if (now >= ledger.tick_at) {
		notify_tick();
		workers_tick();
		issue_stranded();
		if (!TAILQ_EMPTY(&ledger.awaiting)) {
			keep_reaper();
			direct_poll(); /* should there be none for want of a thread */
			pump_awaiting();
		}
		ledger.tick_at = now + TICK_NS;
	}
	return ledger.tick_at - now;
}

/*
 * The ring was taken away.  What it had done is reported by now; the rest is
 * executed by workers, as far as the numbers still mean their files.
 */
static void abandon(struct request *req)
{
	if (!req->is_on_ring) {
		ring_is_done(req); /* only the answer to its cancellation is missing */
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

static uint64_t settle(void)
{
	uint64_t next_tick = tick();

	do {
		publish_ended();
		pump_backlog();
		cancel_serve();
	} while (!TAILQ_EMPTY(&ledger.ended));
	wake_waiters();
	cancel_serve_closings();
	if (!is_watching())
		return UINT64_MAX;
	return next_tick < TICK_NS ? next_tick : TICK_NS;
}

static bool is_idle(void)
{
	return ledger.nr_outstanding == 0 && ledger.nr_on_workers == 0 && cancel_is_idle() &&
	       !is_watching();
}

static const struct engine_client client = {
	.events = {
		.complete = on_complete,
		.cancelled = on_cancelled,
		.submitted = issue_submitted,
	},
	.receive = receive,
	.refuse = refuse,
	.abandon_ring = abandon_ring,
	.settle = settle,
	.is_idle = is_idle,
};

void dispatch_start(void)
{
	ledger_reset();
	notify_start();
	workers_start(on_executed);
	engine_init(&client);
	direct_init(&direct_client);
	atomic_store(&is_drained_posted, false);
	atomic_store(&is_reaper_posted, false);
}

void dispatch_forget(void)
{
	filter_forget();
	direct_forget();
	fdqueue_forget();
	cancel_forget();
	notify_forget();
	workers_forget();
	engine_forget();
}
