// SPDX-License-Identifier: MIT
/*
 * submit.c - from the program's aiocb to the lane that serves it.
 *
 * Runs in the submitting thread, also in signal handlers.
 */
#include "api/submit.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>

#include "api/aio_waitcomplete.h"
#include "api/draft.h"
#include "api/submit_inline.h"
#include "base/probes.h"
#include "base/refusal.h"
#include "base/raw_syscall.h"
#include "base/signal_mask.h"
#include "base/stats.h"
#include "engine/engine.h"
#include "lane/batch.h"
#include "lane/copier.h"
#include "lane/direct.h"
#include "lane/inline.h"
#include "lane/offload.h"
#include "lane/submit_ahead.h"
#include "order/bypass.h"
#include "order/filter.h"
#include "request/aiocb.h"
#include "request/completions.h"
#include "request/eventfd.h"
#include "request/fd_hints.h"
#include "request/fd_kind.h"
#include "request/lio_group.h"
#include "request/notify.h"
#include "request/publish.h"
#include "request/vector.h"
#include "request/waiter.h"
#include "rtaio.h"

/* True: @req bypasses the engine.  From here on other requests find it in the bypass table. */
static bool enter_bypass(struct request *req)
{
	if (notify_is_wanted(&req->notification))
		return refusal_last == REFUSED_direct ? refuse(REFUSED_notification) : false;
	if (req->copy_kind)
		return bypass_enter(req, PLACE_HANDED_OVER);
	if (request_is_transfer(req) && direct_accepts(req))
		return bypass_enter(req, PLACE_DIRECT);
	if ((request_is_transfer(req) || request_is_barrier(req)) && offload_accepts(req))
		return bypass_enter(req, PLACE_HANDED_OVER);
	return false;
}

/*
 * glibc orders by scheduling priority minus aio_reqprio; here only streams are ordered by
 * priority.  Nothing overtakes the first request of a stream, so its priority is not asked for.
 */
static int priority_of(const struct request *req)
{
	struct sched_param param = { 0 };
	struct filter_range range = filter_range_of(req);

	if (filter_depth(FILTER_STREAMS, &range) > 0)
		RAW_SYSCALL(SYS_sched_getparam, 0, &param);
	return param.sched_priority - req->cb->aio_reqprio;
}

static void enter_engine(struct request *req)
{
	fd_kind_get_type(req->fd, &req->descriptor);
	req->submit_seq = bypass_seq();
	if (!request_is_transfer(req) && !request_is_barrier(req))
		return;
	if (!descriptor_is_file(&req->descriptor))
		req->priority = priority_of(req);
	/* A sync overlaps nothing, but it is counted: a later sync must not overtake it. */
	filter_enter(req);
}

/*
 * No lane but inline and the engine serves a stream.  The hint spares asking the others.  For a
 * request that can only wait the hint is enough: the engine asks the kernel, once for all that
 * wait.
 */
static bool is_stream(struct request *draft)
{
	if (!fd_hints_was_stream(draft->fd))
		return false;
	draft->descriptor.is_assumed = inbox_needs_no_wake(&engine_inbox, draft);
	draft->descriptor.has_type = draft->descriptor.is_assumed;
	return draft->descriptor.is_assumed || descriptor_get_stream(draft->fd, &draft->descriptor);
}

/* The lane did not take @req: make it one of the engine's. */
static void move_to_engine(struct request *req)
{
	stats_inc(fallbacks);
	request_set_place(req, PLACE_SUBMITTER);
	fd_kind_get_type(req->fd, &req->descriptor);
	filter_enter(req);
	bypass_leave_range(req);
	bypass_leave(req);
	bypass_return(req, request_generation(req));
}

/* Hand over at once, ahead of the rest of a list.  False: @req goes to the engine. */
static bool hand_over(struct request *req)
{
	PROBE_ISSUE(req->cb, req->copy_kind ? PROBE_COPIER : PROBE_OFFLOAD);
	aiocb_begin(req->cb, req);
	if (req->copy_kind ? copier_submit(req) : offload_submit(req))
		return true;
	move_to_engine(req);
	return false;
}

static void reject(struct request *req, int err)
{
	request_release_descriptor(req);
	filter_leave(req);
	aiocb_reject(req->cb, err, 0);
	if (req->group)
		lio_group_leave(req->group, true); /* not the last: the submitter still counts */
	vector_drop(req);
	draft_discard(req);
	/* The aiocb said EINPROGRESS for a moment: another thread may wait for it. */
	waiter_wake_slots(waiter_wake(req, waiter_publish(req)));
	request_free(req);
}

/* They go to the engine before the others, which may overlap them and were added later. */
static void leave_direct(struct submission *submission)
{
	struct request *req;

	TAILQ_FOREACH(req, &submission->direct, list_link) {
		if (req->group)
			atomic_fetch_sub(&req->group->nr_direct, 1);
		move_to_engine(req);
	}
	TAILQ_CONCAT(&submission->direct, &submission->others, list_link);
	TAILQ_CONCAT(&submission->others, &submission->direct, list_link);
}

static void submit_direct(struct submission *submission)
{
	struct request *req;
	bool is_taken;

	if (TAILQ_EMPTY(&submission->direct))
		return;
	TAILQ_FOREACH(req, &submission->direct, list_link) {
		if (req->group)
			atomic_fetch_add(&req->group->nr_direct, 1);
		PROBE_ISSUE(req->cb, PROBE_DIRECT);
		aiocb_begin(req->cb, req);
	}
	is_taken = direct_submit(&submission->direct) < submission->nr_direct;
	if (completions_may_exist())
		aio_waitcomplete_note_direct();
	submission->has_started |= is_taken;
	submission->is_refused |= !is_taken;
	submission->nr_direct = 0;
	leave_direct(submission);
}

static void add_direct(struct submission *submission, struct request *req)
{
	if (submission->nr_direct == DIRECT_BATCH_MAX && !submission->is_refused)
		submit_direct(submission);
	submission->nr_direct++;
	TAILQ_INSERT_TAIL(&submission->direct, req, list_link);
}

static int submit_to_engine(struct request_list *list)
{
	struct message *newest = NULL, *oldest = NULL;
	struct request *req, *next;
	int ret;

	TAILQ_FOREACH(req, list, list_link) {
		aiocb_begin(req->cb, req);
		request_hold_descriptor(req);
		req->message.next = newest;
		newest = &req->message;
		if (!oldest)
			oldest = newest;
	}
	if (newest == oldest && inbox_push_no_wake(&engine_inbox, TAILQ_FIRST(list)))
		return 0;
	ret = engine_hand_over(newest, oldest);
	if (ret < 0) {
		TAILQ_FOREACH_SAFE(req, list, list_link, next)
			reject(req, -ret);
	}
	return ret;
}

static void add(struct submission *submission, struct request *req)
{
	if (request_place(req) == PLACE_DIRECT)
		add_direct(submission, req);
	else
		TAILQ_INSERT_TAIL(&submission->others, req, list_link);
}

/*
 * Requests of a list are mostly for one file: ask the kernel about it once.  A handler may close
 * the descriptor amid the list, which drops the hint.
 */
static bool is_known(const struct submission *submission, int fd)
{
	return submission->descriptor.has_flags && submission->fd == fd &&
	       fd_hints_recall(fd, submission->descriptor.flags) != FILE_UNKNOWN;
}

static void remember(struct submission *submission, const struct request *req)
{
	if (!descriptor_is_file(&req->descriptor))
		return;
	submission->fd = req->fd;
	submission->descriptor = req->descriptor;
}

/* 0, or -errno as submit_begin(). */
static int begin(struct submission *submission, struct aiocb *cb, enum request_op op,
		 bool is_vectored)
{
	bool may_bypass = submission->may_bypass;
	struct request draft, *req;
	int ret = draft_begin(&draft, cb, op, is_vectored);

	if (ret < 0) {
		aiocb_reject(cb, -ret, -1);
		return ret;
	}
	PROBE_SUBMIT(cb, draft.fd, op, draft.nbytes, draft.offset);
	if (is_stream(&draft))
		may_bypass = false;
	draft.descriptor.has_flags = is_known(submission, draft.fd);
	draft.descriptor.flags = submission->descriptor.flags;
	if (submit_inline(&draft, may_bypass, submission->group, submission->batch)) {
		submission->has_started = true;
		return 0;
	}
	req = draft_make_record(&draft);
	if (!req) {
		if (draft.completion)
			draft_discard(&draft);
		aiocb_reject(cb, EAGAIN, 0);
		return -EAGAIN;
	}
	if (is_known(submission, req->fd) && !req->copy_kind)
		req->descriptor = submission->descriptor;
	if (!may_bypass || !enter_bypass(req))
		enter_engine(req);
	OBSERVE(refused, cb, (enum refusal)refusal_last);
	remember(submission, req);
	if (submission->group)
		lio_group_join(submission->group, req);
	if (request_place(req) == PLACE_HANDED_OVER && hand_over(req))
		submission->has_started = true;
	else
		add(submission, req);
	return 0;
}

/* 0, or -EAGAIN as above. */
static int end_entry(struct submission *submission, const struct batch_entry *entry, bool has_read)
{
	struct aiocb *cb = entry->cb;

	if (!has_read || !batch_has_read(entry))
		return begin(submission, cb, OP_READ, false);
	PROBE_SUBMIT(cb, cb->aio_fildes, OP_READ, cb->aio_nbytes, cb->aio_offset);
	submit_inline_publish(cb, OP_READ, false, entry->res,
			      submit_ahead_note_submitted(cb->aio_nbytes));
	submission->has_started = true;
	return 0;
}

/* Read the batch; what it cannot read goes to another lane. */
static int end_batch(struct submission *submission)
{
	struct batch *batch = submission->batch;
	unsigned nr = batch ? batch->nr : 0;
	bool has_read;
	int ret = 0;

	if (nr == 0)
		return 0;
	has_read = batch_read(batch);
	batch->nr = 0;
	batch->nbytes = 0;
	for (unsigned i = 0; i < nr; i++)
		if (end_entry(submission, &batch->entries[i], has_read) < 0)
			ret = -EAGAIN;
	return ret;
}

void submit_open(struct submission *submission, struct request *group, bool may_bypass)
{
	*submission = (struct submission){ .group = group, .may_bypass = may_bypass };
	TAILQ_INIT(&submission->direct);
	TAILQ_INIT(&submission->others);
}

int submit_begin(struct submission *submission, struct aiocb *cb, enum request_op op,
		 bool is_vectored)
{
	struct batch *batch = submission->batch;
	int ret, err;

	if (batch && op == OP_READ && !is_vectored && !completions_are_kept() &&
	    notify_is_silent(&cb->aio_sigevent) && !submit_ahead_wants_short_calls(false) &&
	    batch_add(batch, cb))
		return 0;
	err = end_batch(submission);
	ret = begin(submission, cb, op, is_vectored);
	return ret < 0 ? ret : err;
}

int submit_close(struct submission *submission)
{
	int err = end_batch(submission), ret;

	submit_direct(submission);
	if (TAILQ_EMPTY(&submission->others))
		return err;
	ret = submit_to_engine(&submission->others);
	if (ret < 0)
		return ret;
	submission->has_started = true;
	return err;
}

/*
 * The list is complete, and there is no engine to notify later.  A program that sleeps next until
 * its handler has run would miss the signal.  So the call fails, although the signal was sent.
 */
static int announce_here(struct request *group, bool is_empty, int err)
{
	const struct notification *notification = &group->notification;

	if (notification->notify == SIGEV_SIGNAL) {
		notify_signal_now(notification);
		if (is_empty || signal_is_blocked(notification->signo))
			err = 0;
	} else if (notification->notify == SIGEV_EVENTFD) {
		eventfd_signal(notification->eventfd);
		err = 0;
	}
	notify_discard(&group->notification);
	lio_group_put(group);
	return err;
}

int submit_release_group(struct request *group, bool is_empty)
{
	int ret = 0;

	if (!lio_group_leave(group, false))
		return 0;
	if (!notify_is_wanted(&group->notification))
		waiter_wake_slots(publish_silent_group(group));
	else
		ret = engine_hand_over(&group->message, &group->message);
	return ret < 0 ? announce_here(group, is_empty, ret) : 0;
}
