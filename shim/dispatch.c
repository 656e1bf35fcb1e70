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
 *               publish    return value -> error code -> waiters ->
 *                          notification -> group -> next in the queue
 *   anyone      free       the record, when its notification is delivered
 *
 * Why that order: whoever is told must find the result; whoever finds the
 * result may free the aiocb, so nothing after the error code reads it; the
 * event of a list comes after the event of its last entry.
 *
 * Who runs what
 *
 *   Functions of this file marked [submitter] or [any thread] run in the
 *   program's threads, also in signal handlers.  They take no lock.  They
 *   share with the engine: the inbox (inbox.c), the pool of records
 *   (request.c), the interest word and generation of a record (waiter.c), the
 *   counters of a group (group.c) and descriptor_held (descriptor.h); each is
 *   lock-free, and each file names who is on the other side.
 *
 *   Everything else runs on the engine thread, alone, with all signals
 *   blocked: queues, backlog, cancellations and closes need no lock.  Worker
 *   and callback threads take records from a pool (pool.c), whose lock is
 *   never held while they run anything.
 *
 *   The program's memory is touched by the kernel, by a worker executing its
 *   request, and by publish(), never after it.
 */
#include "dispatch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>

#include "aiocb.h"
#include "config.h"
#include "engine.h"
#include "fdqueue.h"
#include "futex.h"
#include "group.h"
#include "notify.h"
#include "perform.h"
#include "stats.h"
#include "waiter.h"
#include "workers.h"

#define ATTEMPTS_MAX 8u          /* fruitless submissions to the ring before a worker takes over */
#define TICK_NS	     4000000u    /* how often to look while something has to be watched */

/* aio_cancel, on the stack of its caller, who sleeps on is_answered. */
struct cancel {
	struct message message;
	int fd;
	request_handle handle; /* 0: all of fd */
	STAILQ_ENTRY(cancel) link;
	unsigned nr_pending; /* the kernel was asked, the answer is not in */
	unsigned nr_cancelled;
	unsigned nr_kept;
	_Atomic uint32_t is_answered;
};

/* A close, on the stack of its caller, who sleeps on is_answered. */
struct closing {
	struct message message;
	int first, last;
	STAILQ_ENTRY(closing) link;
	_Atomic uint32_t is_answered;
};

TAILQ_HEAD(fdqueue_list, fdqueue);
STAILQ_HEAD(cancel_list, cancel);
STAILQ_HEAD(closing_list, closing);

/* Engine thread only, all of it. */
static struct {
	unsigned nr_outstanding;        /* accepted and not published */
	unsigned nr_files_in_flight;    /* against config.depth */
	unsigned nr_on_workers;
	struct fdqueue_list backlog;    /* queues that wait for room, served in turn */
	struct request_list ended;      /* res is known, to be published by settle() */
	struct request_list stranded;   /* for want of a thread: streams, tried now and then */
	struct request_list prepared;   /* SQE made, not yet handed to the kernel */
	struct cancel_list cancels;     /* the first is being served */
	struct closing_list closings;
	uint64_t slots_to_wake;         /* of waiters, gathered over a batch */
	uint64_t tick_at;               /* when to look again at what has to be watched */
} ledger;

/* --- submitter --------------------------------------------------------- */

/*
 * glibc orders by scheduling priority minus aio_reqprio.  Asking costs a
 * system call, which only streams, the ones that have an order by priority,
 * are worth.
 */
static int priority_of(const struct aiocb *cb)
{
	struct sched_param param;

	if (RAW_SYSCALL(SYS_sched_getparam, 0, &param) < 0)
		param.sched_priority = 0;
	return param.sched_priority - cb->aio_reqprio;
}

static bool is_barrier(const struct request *req)
{
	return req->op == OP_FSYNC || req->op == OP_FDATASYNC;
}

struct request *dispatch_prepare(struct aiocb *cb, enum request_op op, const struct sigevent *event)
{
	struct request *req = request_alloc();

	if (!req)
		return NULL;
	req->cb = cb;
	req->op = (uint8_t)op;
	req->fd = cb->aio_fildes;
	if (op == OP_READ || op == OP_WRITE) {
		req->buf = (void *)(uintptr_t)cb->aio_buf;
		req->nbytes = cb->aio_nbytes;
		req->offset = cb->aio_offset;
	}
	if (notify_prepare(&req->notification, event) < 0) {
		request_free(req);
		return NULL;
	}
	descriptor_identify(req->fd, &req->descriptor);
	if (!descriptor_is_file(&req->descriptor) && !is_barrier(req))
		req->priority = priority_of(cb);
	return req;
}

/* [submitter, engine] From here on the number must not become another file's. */
static void hold_descriptor(struct request *req)
{
	if (!atomic_exchange(&req->is_held, true))
		descriptor_hold(req->fd);
}

/* [any thread] The kernel holds the file, or nothing will be done with the number. */
static void release_descriptor(struct request *req)
{
	if (atomic_exchange(&req->is_held, false))
		descriptor_release(req->fd);
}

static void reject(struct request *req, int err)
{
	release_descriptor(req);
	aiocb_reject(req->cb, err, 0);
	notify_discard(&req->notification);
	request_free(req);
}

int dispatch_submit(struct request_list *list)
{
	struct message *newest = NULL, *oldest = NULL;
	struct request *req, *next;
	int ret;

	TAILQ_FOREACH(req, list, list_link) {
		aiocb_begin(req->cb, req);
		hold_descriptor(req);
		req->message.next = newest;
		newest = &req->message;
		if (!oldest)
			oldest = newest;
	}
	ret = engine_hand_over(newest, oldest);
	if (ret < 0) {
		TAILQ_FOREACH_SAFE(req, list, list_link, next)
			reject(req, -ret);
	}
	return ret;
}

void dispatch_release_group(struct request *group)
{
	/* The engine does what the last member's completion would have done. */
	if (group_leave(group, false))
		engine_hand_over(&group->message, &group->message);
}

static void sleep_until(_Atomic uint32_t *is_answered)
{
	while (!atomic_load(is_answered))
		futex_wait(is_answered, 0, NULL);
}

int dispatch_cancel(int fd, request_handle handle)
{
	struct cancel cancel = { .message.kind = MESSAGE_CANCEL, .fd = fd, .handle = handle };

	if (!engine_is_running() || engine_hand_over(&cancel.message, &cancel.message) < 0)
		return AIO_ALLDONE;
	sleep_until(&cancel.is_answered);
	if (cancel.nr_kept)
		return AIO_NOTCANCELED;
	return cancel.nr_cancelled ? AIO_CANCELED : AIO_ALLDONE;
}

void dispatch_before_close(int first, int last)
{
	struct closing closing = {
		.message.kind = MESSAGE_CLOSE, .first = first, .last = last
	};

	if (engine_is_running() && engine_hand_over(&closing.message, &closing.message) == 0)
		sleep_until(&closing.is_answered);
}

/* --- engine: publish --------------------------------------------------- */

static void publish_group(struct request *group)
{
	ledger.slots_to_wake |= waiter_publish(group);
	request_set_state(group, REQ_DONE);
	if (notify_is_wanted(&group->notification))
		notify_deliver(group); /* no waiter holds it: LIO_WAIT ignores the sigevent */
	else
		group_put(group);
}

/* The order of effects.  @req is out of its queue; its record may be gone afterwards. */
static void publish(struct request *req, ssize_t res)
{
	struct request *group = req->group;

	ledger.nr_outstanding--;
	stats_inc(completions);
	if (res < 0)
		stats_inc(errors);
	aiocb_complete(req->cb, res);
	ledger.slots_to_wake |= waiter_publish(req);
	request_set_state(req, REQ_DONE);
	notify_deliver(req);
	if (group && group_leave(group, res < 0))
		publish_group(group);
}

/* --- engine: issue ----------------------------------------------------- */

static void end(struct request *req, ssize_t res)
{
	req->res = res;
	req->has_ended = true;
	TAILQ_INSERT_TAIL(&ledger.ended, req, list_link);
}

static void issue_to_worker(struct request *req)
{
	ledger.nr_on_workers++;
	if (workers_submit(req) == 0) {
		stats_inc(lane_worker);
		return;
	}
	ledger.nr_on_workers--;
	/* Not one thread to be had.  A file is served here; a stream could block the engine. */
	if (descriptor_is_file(&req->descriptor))
		end(req, perform(req));
	else
		TAILQ_INSERT_TAIL(&ledger.stranded, req, list_link);
}

static void fall_back_to_worker(struct request *req)
{
	stats_inc(fallbacks);
	issue_to_worker(req);
}

static void issue_to_backend(struct request *req)
{
	const struct backend *backend = engine_backend();

	if (!backend->cancel) { /* no ring */
		issue_to_worker(req);
		return;
	}
	if (backend->submit(req) < 0) {
		fall_back_to_worker(req);
		return;
	}
	stats_inc(lane_ring);
	req->is_on_ring = true;
	req->cqes_due++;
	if (!req->is_prepared) {
		req->is_prepared = true;
		TAILQ_INSERT_TAIL(&ledger.prepared, req, list_link);
	}
}

/* A socket with SO_RCVTIMEO or SO_SNDTIMEO: read and write give up, a ring does not. */
static bool has_timeout(const struct request *req)
{
	struct timeval timeout = { 0 };
	socklen_t len = sizeof(timeout);
	int option = req->op == OP_WRITE ? SO_SNDTIMEO : SO_RCVTIMEO;

	return RAW_SYSCALL(SYS_getsockopt, req->fd, SOL_SOCKET, option, &timeout, &len) == 0 &&
	       (timeout.tv_sec || timeout.tv_usec);
}

/* Bytes of @req are done: the rest is a request like any other. */
static void advance(struct request *req, size_t bytes)
{
	req->done += bytes;
	req->buf = (char *)req->buf + bytes;
	req->nbytes -= bytes;
	req->offset += (off_t)bytes;
}

/*
 * Streams that must not wait, or cannot be trusted to a ring: try here, where
 * nothing blocks.
 */
static void issue_without_waiting(struct request *req, bool is_nonblocking)
{
	ssize_t res = perform_nowait(req);

	if (res == -EOPNOTSUPP) {
		issue_to_worker(req);
	} else if (res == -EAGAIN && !is_nonblocking) {
		issue_to_backend(req);
	} else if (res > 0 && (size_t)res < req->nbytes && req->op == OP_WRITE && !is_nonblocking) {
		advance(req, (size_t)res);
		issue_to_backend(req);
	} else {
		stats_inc(lane_engine);
		end(req, res);
	}
}

/* Drivers and corners that only the plain system call gets right. */
static bool needs_plain_call(const struct request *req, bool is_nonblocking)
{
	uint32_t mode = req->descriptor.mode;

	if (S_ISCHR(mode) || req->nbytes == 0 || req->nbytes > PERFORM_BYTES_MAX)
		return true;
	if (is_nonblocking)
		return false;
	/* A ring writes a pipe's worth and calls it done; up to PIPE_BUF it is all or nothing. */
	if (S_ISFIFO(mode) && req->op == OP_WRITE && req->nbytes > PIPE_BUF)
		return true;
	return S_ISSOCK(mode) && has_timeout(req);
}

static void issue_stream(struct request *req)
{
	bool is_nonblocking = req->descriptor.flags & O_NONBLOCK;
	uint32_t mode = req->descriptor.mode;

	if (needs_plain_call(req, is_nonblocking))
		issue_to_worker(req);
	else if (is_nonblocking || !(S_ISFIFO(mode) || S_ISSOCK(mode)))
		issue_without_waiting(req, is_nonblocking);
	else
		issue_to_backend(req);
}

static void issue_file(struct request *req)
{
	bool is_direct_append = req->op == OP_WRITE && (req->descriptor.flags & O_APPEND) &&
				(req->descriptor.flags & O_DIRECT);

	req->is_file_data = true;
	ledger.nr_files_in_flight++;
	/*
	 * Asynchronous O_DIRECT appends lose data on xfs when another append,
	 * through whatever descriptor, is under way; the plain call does not.
	 * Lengths beyond what a ring's 32 bits hold: the plain call checks them.
	 */
	if (is_direct_append || req->nbytes > PERFORM_BYTES_MAX)
		issue_to_worker(req);
	else
		issue_to_backend(req);
}

/*
 * Is the number still the file it was at submit?  Blocking mode is what it is
 * now, as for a system call made now.
 */
static bool is_same_file(struct request *req)
{
	struct descriptor now;

	descriptor_identify(req->fd, &now);
	if (!descriptor_same(&now, &req->descriptor))
		return false;
	req->descriptor.flags = now.flags;
	return true;
}

static void issue(struct request *req)
{
	request_set_state(req, REQ_IN_FLIGHT);
	if (!is_same_file(req))
		end(req, -ECANCELED);
	else if (is_barrier(req))
		issue_to_backend(req);
	else if (descriptor_is_file(&req->descriptor))
		issue_file(req);
	else
		issue_stream(req);
}

/* Issue all that order and room allow. */
static void pump(struct fdqueue *queue)
{
	struct request *req;
	bool has_room;

	do {
		has_room = ledger.nr_files_in_flight < config.depth;
		req = fdqueue_next(queue, has_room);
		if (req)
			issue(req);
	} while (req);
	if (!has_room && !queue->is_backlogged && fdqueue_wants_room(queue)) {
		queue->is_backlogged = true;
		TAILQ_INSERT_TAIL(&ledger.backlog, queue, backlog_link);
	}
}

/* Room came free: one turn for each queue that waits for it. */
static void pump_backlog(void)
{
	struct fdqueue *queue;

	while (ledger.nr_files_in_flight < config.depth && (queue = TAILQ_FIRST(&ledger.backlog))) {
		TAILQ_REMOVE(&ledger.backlog, queue, backlog_link);
		queue->is_backlogged = false;
		pump(queue);
	}
}

/* --- engine: accept ---------------------------------------------------- */

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
	if (!is_barrier(req) && req->offset < 0)
		return EINVAL;
	return req->descriptor.err;
}

static void accept_request(struct request *req)
{
	int err = early_error(req);

	ledger.nr_outstanding++;
	count_request(req);
	if (!err && fdqueue_add(req) < 0)
		err = EAGAIN;
	if (err) {
		stats_inc(lane_engine);
		end(req, -err);
	} else {
		pump(req->queue);
	}
}

/* --- engine: complete -------------------------------------------------- */

static void leave_prepared(struct request *req)
{
	if (req->is_prepared) {
		req->is_prepared = false;
		TAILQ_REMOVE(&ledger.prepared, req, list_link);
	}
}

/* Out of its queue, published, and the next in its place. */
static void finish(struct request *req)
{
	struct fdqueue *queue = req->queue;
	bool is_last = true;
	ssize_t res = req->res;

	if (req->done > 0) /* as a system call: a partial transfer hides the error that ended it */
		res = (ssize_t)req->done + (res > 0 ? res : 0);
	release_descriptor(req);
	if (req->is_file_data)
		ledger.nr_files_in_flight--;
	if (queue) {
		is_last = fdqueue_is_last(queue);
		if (is_last && queue->is_backlogged)
			TAILQ_REMOVE(&ledger.backlog, queue, backlog_link);
		fdqueue_remove(req);
	}
	publish(req, res);
	if (!is_last)
		pump(queue);
}

/* Again, if the number still means the file; on a worker when it led nowhere often enough. */
static void resubmit(struct request *req)
{
	stats_inc(resubmissions);
	hold_descriptor(req);
	if (!is_same_file(req))
		end(req, -ECANCELED);
	else if (req->attempts++ < ATTEMPTS_MAX)
		issue_to_backend(req);
	else
		fall_back_to_worker(req);
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
		resubmit(req);
	} else if ((res == -EINVAL || res == -EOPNOTSUPP) && req->done == 0) {
		/* Perhaps only the ring cannot do it: the plain call knows. */
		hold_descriptor(req);
		fall_back_to_worker(req);
	} else if (res > 0 && is_stream_write(req) && (size_t)res < req->nbytes) {
		advance(req, (size_t)res);
		req->attempts = 0;
		resubmit(req);
	} else {
		end(req, res);
	}
}

/* The cancellation that named @req has its answer. */
static void answer_cancel(struct request *req, bool is_cancelled, bool is_kept)
{
	struct cancel *cancel = req->cancel;

	req->cancel = NULL;
	cancel->nr_pending--;
	cancel->nr_cancelled += is_cancelled;
	cancel->nr_kept += is_kept;
}

/* All completions the ring owed for @req are in. */
static void ring_is_done(struct request *req)
{
	bool was_asked = req->cancel != NULL;
	bool is_cancelled = was_asked && (req->res == -ECANCELED || req->res == -EINTR);

	if (was_asked)
		answer_cancel(req, is_cancelled, false);
	if (is_cancelled) {
		stats_inc(cancellations);
		end(req, -ECANCELED);
	} else {
		absorb(req);
	}
}

static void on_complete(struct request *req, ssize_t res)
{
	leave_prepared(req);
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
		answer_cancel(req, false, true); /* the kernel cannot, or not any more */
}

/* --- engine: cancel ---------------------------------------------------- */

static void cancel_request(struct cancel *cancel, struct request *req)
{
	if (req->has_ended)
		return; /* about to be published */
	if (req->is_waiting) {
		fdqueue_withdraw(req);
		stats_inc(cancellations);
		cancel->nr_cancelled++;
		end(req, -ECANCELED);
		return;
	}
	/* A write that is half done is no longer undone: it goes on. */
	if (!req->is_on_ring || req->done > 0 || is_barrier(req) || !engine_backend()->cancel(req)) {
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

	if (cancel->handle) {
		req = request_lookup(cancel->handle);
		if (req && req->queue)
			cancel_request(cancel, req);
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

static void serve_cancels(void)
{
	struct cancel *cancel;

	while ((cancel = STAILQ_FIRST(&ledger.cancels)) && cancel->nr_pending == 0) {
		STAILQ_REMOVE_HEAD(&ledger.cancels, link);
		answer(&cancel->is_answered);
		if ((cancel = STAILQ_FIRST(&ledger.cancels)))
			begin_cancel(cancel);
	}
}

/* One at a time, so that a request has at most one cancellation to answer. */
static void accept_cancel(struct cancel *cancel)
{
	bool is_only = STAILQ_EMPTY(&ledger.cancels);

	STAILQ_INSERT_TAIL(&ledger.cancels, cancel, link);
	if (is_only)
		begin_cancel(cancel);
}

/* --- engine: close ----------------------------------------------------- */

/*
 * What waits on a stream may wait for ever: cancel it.  What waits on a file
 * will be issued soon: let it, the program's data is in it.
 */
static void accept_closing(struct closing *closing)
{
	struct cancel nobody = { 0 };
	struct request *req, *next;
	struct fdqueue *queue;

	STAILQ_INSERT_TAIL(&ledger.closings, closing, link);
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

static void serve_closings(void)
{
	struct closing *closing, *next;

	if (STAILQ_EMPTY(&ledger.closings))
		return;
	engine_flush();
	STAILQ_FOREACH_SAFE(closing, &ledger.closings, link, next) {
		if (!is_number_free(closing))
			continue;
		STAILQ_REMOVE(&ledger.closings, closing, closing, link);
		answer(&closing->is_answered);
	}
}

/* The kernel took all that was prepared: it holds the files now. */
static void on_submitted(void)
{
	struct request *req;

	while ((req = TAILQ_FIRST(&ledger.prepared))) {
		leave_prepared(req);
		release_descriptor(req);
	}
}

/* --- engine: what the thread calls -------------------------------------- */

static void receive(struct message *message)
{
	struct request *req = (struct request *)message;

	switch (message->kind) {
	case MESSAGE_SUBMIT:
		accept_request(req);
		break;
	case MESSAGE_EXECUTED:
		ledger.nr_on_workers--;
		end(req, req->res);
		break;
	case MESSAGE_GROUP:
		publish_group(req);
		break;
	case MESSAGE_CANCEL:
		accept_cancel((struct cancel *)message);
		break;
	case MESSAGE_CLOSE:
		accept_closing((struct closing *)message);
		break;
	case MESSAGE_INVALID:
		break;
	}
}

static void refuse_one(struct message *message, int err)
{
	struct request *req = (struct request *)message;

	if (message->kind == MESSAGE_SUBMIT) {
		release_descriptor(req);
		ledger.nr_outstanding++;
		publish(req, -err);
	} else if (message->kind == MESSAGE_CANCEL) {
		answer(&((struct cancel *)message)->is_answered);
	} else if (message->kind == MESSAGE_CLOSE) {
		answer(&((struct closing *)message)->is_answered);
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

/* A thread at last, or what can be done without one. */
static void retry_stranded(struct request *req)
{
	ssize_t res;

	issue_to_worker(req);
	if (TAILQ_LAST(&ledger.stranded, request_list) != req)
		return;
	res = perform_nowait(req);
	if (res == -EAGAIN || res == -EOPNOTSUPP)
		return;
	if (res > 0 && (size_t)res < req->nbytes && req->op == OP_WRITE) {
		advance(req, (size_t)res);
		return;
	}
	TAILQ_REMOVE(&ledger.stranded, req, list_link);
	end(req, res);
}

static void retry_all_stranded(void)
{
	struct request_list list = TAILQ_HEAD_INITIALIZER(list);
	struct request *req;

	TAILQ_CONCAT(&list, &ledger.stranded, list_link);
	while ((req = TAILQ_FIRST(&list))) {
		TAILQ_REMOVE(&list, req, list_link);
		retry_stranded(req);
	}
}

/* Some things tell nobody when they change: a full signal queue, a blocked pool. */
static bool is_watching(void)
{
	return notify_is_waiting() || workers_are_waiting() || !STAILQ_EMPTY(&ledger.closings) ||
	       !TAILQ_EMPTY(&ledger.stranded);
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
		retry_all_stranded();
		ledger.tick_at = now + TICK_NS;
	}
	return ledger.tick_at - now;
}

/*
 * The ring was taken away.  What it had done is reported by now; the rest is
 * executed by workers, as far as the numbers still mean their files.
 */
static void abandon_one(struct request *req)
{
	leave_prepared(req);
	req->is_on_ring = false;
	req->cqes_due = 0;
	if (req->cancel)
		answer_cancel(req, false, true);
	hold_descriptor(req);
	if (is_same_file(req))
		fall_back_to_worker(req);
	else
		end(req, -ECANCELED);
}

static void abandon_ring(void)
{
	struct request *req, *next;
	struct fdqueue *queue;

	for (queue = fdqueue_first(0); queue; queue = fdqueue_after(queue)) {
		TAILQ_FOREACH_SAFE(req, &queue->outstanding, outstanding_link, next)
			if (req->cqes_due > 0)
				abandon_one(req);
	}
}

static uint64_t settle(void)
{
	uint64_t next_tick = tick();

	do {
		publish_ended();
		pump_backlog();
		serve_cancels();
	} while (!TAILQ_EMPTY(&ledger.ended));
	wake_waiters();
	serve_closings();
	if (!is_watching())
		return UINT64_MAX;
	return next_tick < TICK_NS ? next_tick : TICK_NS;
}

static bool is_idle(void)
{
	return ledger.nr_outstanding == 0 && ledger.nr_on_workers == 0 &&
	       STAILQ_EMPTY(&ledger.cancels) && !is_watching();
}

static const struct engine_client client = {
	.events = {
		.complete = on_complete,
		.cancelled = on_cancelled,
		.submitted = on_submitted,
	},
	.receive = receive,
	.refuse = refuse,
	.abandon_ring = abandon_ring,
	.settle = settle,
	.is_idle = is_idle,
};

static void reset_ledger(void)
{
	memset(&ledger, 0, sizeof(ledger));
	TAILQ_INIT(&ledger.backlog);
	TAILQ_INIT(&ledger.ended);
	TAILQ_INIT(&ledger.stranded);
	TAILQ_INIT(&ledger.prepared);
	STAILQ_INIT(&ledger.cancels);
	STAILQ_INIT(&ledger.closings);
}

void dispatch_start(void)
{
	reset_ledger();
	notify_start();
	workers_start();
	engine_init(&client);
}

void dispatch_forget(void)
{
	fdqueue_forget();
	notify_forget();
	workers_forget();
	engine_forget();
}
