// SPDX-License-Identifier: MIT
/*
 * cancel.c - aio_cancel.
 *
 * A cancellation is a question to the engine (question.h).  The engine serves one at a time, so
 * that a request has at most one to answer.
 */
#include "dispatch/cancel.h"

#include <errno.h>

#include "base/raw_syscall.h"
#include "dispatch/bypass_events.h"
#include "dispatch/engine_state.h"
#include "dispatch/issue.h"
#include "dispatch/question.h"
#include "dispatch/quiesce.h"
#include "dispatch/synced_writes.h"
#include "engine/engine.h"
#include "engine/workers.h"
#include "order/bypass.h"
#include "order/fdqueue.h"
#include "request/lio_group.h"

/* Engine thread only.  The first is being served. */
static struct request_list cancels = TAILQ_HEAD_INITIALIZER(cancels);

int cancel_and_wait(int fd, request_handle handle)
{
	uint32_t process;
	struct request *question = question_make(MESSAGE_CANCEL, fd, &process);
	int ret = AIO_NOTCANCELED;

	if (!question)
		return ret;
	question->target = handle;
	if (!question_ask(question, process))
		return ret;
	if (question->nr_kept == 0)
		ret = question->nr_cancelled ? AIO_CANCELED : AIO_ALLDONE;
	lio_group_put(question);
	return ret;
}

void cancel_answer(struct request *req, bool is_cancelled, bool is_kept)
{
	struct request *question = req->cancel;

	req->cancel = NULL;
	question->nr_publishings = engine_state.nr_publishings;
	question->nr_pending--;
	question->nr_cancelled += is_cancelled;
	question->nr_kept += is_kept;
}

/* A write that is half done, or is repeated, cannot be undone: it goes on. */
static bool cancel_if_waiting(struct request *req)
{
	if ((req->op == OP_WRITE && req->done > 0) || req->is_repeated || !issue_withdraw(req))
		return false;
	engine_state_end(req, -ECANCELED);
	return true;
}

static void cancel_request(struct request *question, struct request *req)
{
	if (request_place(req) == PLACE_ENDED && !synced_writes_may_hold(req))
		return;
	if (cancel_if_waiting(req)) {
		question->nr_cancelled++;
	} else if (request_place(req) == PLACE_RING && req->done == 0 &&
		   engine_backend()->cancel(req)) {
		req->cqes_due++;
		req->cancel = question;
		question->nr_pending++;
	} else {
		question->nr_kept++;
	}
}

/*
 * Does @req go on?  If its result is being published (partner: on_performed()), wait for that: a
 * program that sees the result must not be told that the request goes on.  The record may belong to
 * another request by now, and a published request is in the bypass table for a moment.
 */
static bool goes_on(const struct request *req, request_handle handle)
{
	enum request_place place;

	while (request_lookup(handle) && request_is_marked(req, REQUEST_PUBLISHING))
		RAW_SYSCALL(SYS_sched_yield);
	place = request_place(req);
	return place != PLACE_DONE && place != PLACE_FREE && request_lookup(handle);
}

/* @req may end at any moment, and its record be used for another request. */
static void cancel_bypassing(struct request *question, struct request *req, request_handle handle)
{
	if (workers_withdraw(req, (uint32_t)(handle >> 32))) {
		bypass_events_end(req, -ECANCELED);
		question->nr_cancelled++;
	} else if (goes_on(req, handle)) {
		question->nr_kept++;
	}
}

static void cancel_one(struct request *question, struct request *req)
{
	enum request_place place = request_place(req);

	if (place == PLACE_HANDED_OVER || place == PLACE_DIRECT)
		cancel_bypassing(question, req, question->target);
	else if (req->queue)
		cancel_request(question, req);
	else if (place == PLACE_SUBMITTER)
		question->nr_kept++; /* on its way to the engine */
}

/*
 * Requests for a file that the descriptor meant before go on.  But they use the program's buffers,
 * so it is not told that all is done.
 */
static void cancel_all(struct request *question)
{
	uint64_t submit_seq = UINT64_MAX, since = quiesce_since(question->fd);
	struct request *req, *next;
	request_handle handle;
	struct fdqueue *queue;

	for (queue = fdqueue_first(question->fd); queue && queue->fd == question->fd;
	     queue = fdqueue_after(queue)) {
		if (queue->detached) {
			question->nr_kept += !TAILQ_EMPTY(&queue->outstanding);
			continue;
		}
		TAILQ_FOREACH_SAFE(req, &queue->outstanding, outstanding_link, next)
			cancel_request(question, req);
	}
	while ((req = bypass_next(question->fd, question->fd, &submit_seq, &handle)))
		if (submit_seq >= since)
			cancel_bypassing(question, req, handle);
		else
			question->nr_kept += goes_on(req, handle);
}

static void begin(struct request *question)
{
	struct request *req;

	question->nr_publishings = engine_state.nr_publishings;
	if (!question->target)
		cancel_all(question);
	else if ((req = request_lookup(question->target)))
		cancel_one(question, req);
}

/*
 * Were all requests that it ended published?  Later ones may keep the list from ever being empty.
 */
static bool is_served(const struct request *question)
{
	return question->nr_pending == 0 &&
	       (engine_state.nr_publishings > question->nr_publishings ||
		TAILQ_EMPTY(&engine_state.ended));
}

void cancel_serve(void)
{
	struct request *question;

	while ((question = TAILQ_FIRST(&cancels)) && is_served(question)) {
		TAILQ_REMOVE(&cancels, question, list_link);
		question_answer(question);
		if ((question = TAILQ_FIRST(&cancels)))
			begin(question);
	}
}

void cancel_accept(struct request *question)
{
	bool is_only = TAILQ_EMPTY(&cancels);

	TAILQ_INSERT_TAIL(&cancels, question, list_link);
	if (is_only)
		begin(question);
}

bool cancel_is_idle(void)
{
	return TAILQ_EMPTY(&cancels);
}

void cancel_after_fork(void)
{
	TAILQ_INIT(&cancels);
}
