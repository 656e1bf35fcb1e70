// SPDX-License-Identifier: MIT
/*
 * cancel.c - aio_cancel, and closing a descriptor that requests wait for.
 *
 * Both are messages on the stack of a caller who sleeps until the engine has
 * answered.  Cancellations are served one at a time, so that a request has at
 * most one to answer.
 */
#include "cancel.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>

#include "engine.h"
#include "fdqueue.h"
#include "futex.h"
#include "ledger.h"
#include "stats.h"

/* aio_cancel, on the stack of its caller, who sleeps on is_answered. */
struct cancel {
	struct message message;
	int fd;
	request_handle handle; /* 0: all of fd */
	STAILQ_ENTRY(cancel) link;
	unsigned nr_pending; /* the kernel was asked, the answer is not in */
	unsigned nr_cancelled;
	unsigned nr_kept;
	uint64_t nr_publishings; /* before what it has ended was published */
	_Atomic uint32_t is_answered;
};

/* A close, on the stack of its caller, who sleeps on is_answered. */
struct closing {
	struct message message;
	int first, last;
	STAILQ_ENTRY(closing) link;
	_Atomic uint32_t is_answered;
};

STAILQ_HEAD(cancel_list, cancel);
STAILQ_HEAD(closing_list, closing);

/* Engine thread only.  The first is being served. */
static struct cancel_list cancels = STAILQ_HEAD_INITIALIZER(cancels);
static struct closing_list closings = STAILQ_HEAD_INITIALIZER(closings);

/*
 * Hand a message on this stack to the engine and sleep until it is answered.
 * All signals are blocked meanwhile: a handler that jumped out would leave the
 * engine with a message on an abandoned stack.  The engine answers a
 * cancellation at once, a close as soon as the kernel holds the files: what
 * waits on a stream is cancelled for it, what waits on a file is issued.
 * False: there is no engine.
 */
static bool ask_engine(struct message *message, _Atomic uint32_t *is_answered)
{
	uint64_t all = UINT64_MAX, old;
	bool is_asked;

	RAW_SYSCALL(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, sizeof(all));
	is_asked = inbox_push(&engine_inbox, message, message);
	while (is_asked && !atomic_load(is_answered))
		futex_wait(is_answered, 0, NULL);
	RAW_SYSCALL(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, sizeof(old));
	return is_asked;
}

int cancel_and_wait(int fd, request_handle handle)
{
	struct cancel cancel = { .message.kind = MESSAGE_CANCEL, .fd = fd, .handle = handle };

	if (!ask_engine(&cancel.message, &cancel.is_answered))
		return AIO_ALLDONE;
	if (cancel.nr_kept)
		return AIO_NOTCANCELED;
	return cancel.nr_cancelled ? AIO_CANCELED : AIO_ALLDONE;
}

void cancel_before_close(int first, int last)
{
	struct closing closing = {
		.message.kind = MESSAGE_CLOSE,
		.first = first,
		.last = last,
	};

	ask_engine(&closing.message, &closing.is_answered);
}

/* The cancellation that named @req has its answer. */
void cancel_answer(struct request *req, bool is_cancelled, bool is_kept)
{
	struct cancel *cancel = req->cancel;

	req->cancel = NULL;
	cancel->nr_publishings = ledger.nr_publishings;
	cancel->nr_pending--;
	cancel->nr_cancelled += is_cancelled;
	cancel->nr_kept += is_kept;
}

/*
 * Has it ended?  A worker may be about to show its result to a program which
 * then must not hear that it goes on: that takes a moment, which is waited for.
 */
static bool is_out_of_reach(const struct request *req)
{
	while (atomic_load(&req->publication) == PUBLICATION_BEGUN)
		sched_yield();
	return req->has_ended || atomic_load(&req->publication) == PUBLICATION_DONE;
}

static void cancel_request(struct cancel *cancel, struct request *req)
{
	if (is_out_of_reach(req))
		return;
	/* A write that is half done is no longer undone: it goes on. */
	if (req->is_waiting && (req->op != OP_WRITE || req->done == 0)) {
		fdqueue_withdraw(req);
		if (req->op == OP_READ)
			req->done = 0; /* what was cached is in the buffer; nobody may care */
		stats_inc(cancellations);
		cancel->nr_cancelled++;
		ledger_end(req, -ECANCELED);
		return;
	}
	if (!req->is_on_ring || req->done > 0 || request_is_barrier(req) ||
	    !engine_backend()->cancel(req)) {
		cancel->nr_kept++;
		return;
	}
	req->cqes_due++;
	req->cancel = cancel;
	cancel->nr_pending++;
}

static void begin_cancel(struct cancel *cancel)
{
	struct request *req, *next;
	struct fdqueue *queue;

	cancel->nr_publishings = ledger.nr_publishings;
	if (cancel->handle) {
		req = request_lookup(cancel->handle);
		if (req && req->queue)
			cancel_request(cancel, req);
		else if (req && !req->has_ended)
			cancel->nr_kept++; /* between two lanes, or on its way here */
		return;
	}
	for (queue = fdqueue_first(cancel->fd); queue && queue->fd == cancel->fd;
	     queue = fdqueue_after(queue)) {
		TAILQ_FOREACH_SAFE(req, &queue->outstanding, outstanding_link, next)
			cancel_request(cancel, req);
	}
}

static void answer(_Atomic uint32_t *is_answered)
{
	/* The caller's stack is gone once it sees 1; a private wake does not read it. */
	atomic_store(is_answered, 1);
	futex_wake(is_answered, 1);
}

/* Is what it has ended published?  A stream may go on for long: not until nothing ends. */
static bool is_served(const struct cancel *cancel)
{
	return cancel->nr_pending == 0 &&
	       (ledger.nr_publishings > cancel->nr_publishings || TAILQ_EMPTY(&ledger.ended));
}

void cancel_serve(void)
{
	struct cancel *cancel;

	while ((cancel = STAILQ_FIRST(&cancels)) && is_served(cancel)) {
		STAILQ_REMOVE_HEAD(&cancels, link);
		answer(&cancel->is_answered);
		if ((cancel = STAILQ_FIRST(&cancels)))
			begin_cancel(cancel);
	}
}

/* One at a time, so that a request has at most one cancellation to answer. */
void cancel_accept(struct message *message)
{
	struct cancel *cancel = (struct cancel *)message;
	bool is_only = STAILQ_EMPTY(&cancels);

	STAILQ_INSERT_TAIL(&cancels, cancel, link);
	if (is_only)
		begin_cancel(cancel);
}

/*
 * What waits on a stream may wait for ever: cancel it.  What waits on a file
 * will be issued soon: let it, the program's data is in it.
 */
void cancel_accept_closing(struct message *message)
{
	struct closing *closing = (struct closing *)message;
	struct cancel nobody = { 0 };
	struct request *req, *next;
	struct fdqueue *queue;

	STAILQ_INSERT_TAIL(&closings, closing, link);
	for (queue = fdqueue_first(closing->first); queue && queue->fd <= closing->last;
	     queue = fdqueue_after(queue)) {
		if (queue->is_file)
			continue;
		TAILQ_FOREACH_SAFE(req, &queue->outstanding, outstanding_link, next)
			if (req->is_waiting)
				cancel_request(&nobody, req);
	}
}

static bool is_number_free(const struct closing *closing)
{
	struct fdqueue *queue;
	struct request *req;

	for (queue = fdqueue_first(closing->first); queue && queue->fd <= closing->last;
	     queue = fdqueue_after(queue)) {
		TAILQ_FOREACH(req, &queue->outstanding, outstanding_link)
			if (atomic_load(&req->is_held))
				return false;
	}
	return true;
}

void cancel_serve_closings(void)
{
	struct closing *closing, *next;

	if (STAILQ_EMPTY(&closings))
		return;
	engine_flush();
	STAILQ_FOREACH_SAFE(closing, &closings, link, next) {
		if (!is_number_free(closing))
			continue;
		STAILQ_REMOVE(&closings, closing, closing, link);
		answer(&closing->is_answered);
	}
}

bool cancel_is_watching(void)
{
	return !STAILQ_EMPTY(&closings);
}

bool cancel_is_idle(void)
{
	return STAILQ_EMPTY(&cancels) && STAILQ_EMPTY(&closings);
}

void cancel_refuse(struct message *message)
{
	if (message->kind == MESSAGE_CANCEL)
		answer(&((struct cancel *)message)->is_answered);
	else
		answer(&((struct closing *)message)->is_answered);
}

void cancel_forget(void)
{
	STAILQ_INIT(&cancels);
	STAILQ_INIT(&closings);
}
