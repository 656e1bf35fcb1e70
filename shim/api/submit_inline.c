// SPDX-License-Identifier: MIT
/*
 * submit_inline.c - requests that complete inside the submitting call.
 */
#include "api/submit_inline.h"

#include <signal.h>
#include <sys/stat.h>

#include "base/config.h"
#include "base/probes.h"
#include "base/refusal.h"
#include "base/signal_mask.h"
#include "base/stats.h"
#include "engine/engine.h"
#include "lane/batch.h"
#include "lane/copier.h"
#include "lane/inline.h"
#include "lane/submit_ahead.h"
#include "request/aiocb.h"
#include "request/completions.h"
#include "request/eventfd.h"
#include "request/lio_group.h"
#include "request/notify.h"
#include "request/publish.h"
#include "request/waiter.h"
#include "rtaio.h"

/* The signal queue is full: the engine sends the signal later. */
static void notify_by_engine(const struct notification *notification)
{
	struct request *req = request_alloc();

	if (!req) {
		notify_signal_now(notification);
		return;
	}
	req->op = OP_GROUP; /* no I/O, only a notification */
	req->message.kind = MESSAGE_NOTIFY;
	req->notification = *notification;
	request_note_time(req);
	request_set_place(req, PLACE_DONE);
	if (engine_hand_over(&req->message, &req->message) < 0) {
		notify_signal_now(notification);
		request_free(req);
	}
}

/*
 * May the notification come before the submitting call returns?  A program that submits and then
 * sleeps until its handler has run would miss it, so the signal must come later, from another
 * thread.  A program that keeps the signal blocked takes it by sigwaitinfo or signalfd, however
 * early it came.  A callback needs a thread anyway.
 */
static bool may_notify_at_once(const struct sigevent *event)
{
	return event->sigev_notify == SIGEV_SIGNAL ? signal_is_blocked(event->sigev_signo)
						   : event->sigev_notify != SIGEV_THREAD;
}

void submit_inline_publish(struct aiocb *cb, enum request_op op, bool is_vectored, ssize_t res,
			   uint32_t position)
{
	publish_count(op, res, STATS_inline_reads);
	SDT_ISSUE(cb, PROBE_INLINE);
	PROBE_COMPLETE(cb, res);
	aiocb_complete_at_once(cb, op, is_vectored, res, position);
}

/* @draft is complete, its result is published. */
static void announce_at_once(struct request *draft, ssize_t res)
{
	struct notification *notification = &draft->notification;

	if (draft->completion) {
		completions_add(draft->completion, res, false);
		waiter_wake_slots(WAITER_COMPLETIONS);
	}
	if (notification->notify == SIGEV_EVENTFD) {
		eventfd_signal(notification->eventfd);
		notify_discard(notification);
	} else if (notify_is_wanted(notification) && notify_signal(notification) < 0) {
		notify_by_engine(notification);
	}
}

bool submit_inline(struct request *draft, bool may_bypass, struct request *group,
		   struct batch *batch)
{
	const struct sigevent *event = &draft->cb->aio_sigevent;
	bool is_write = draft->op == OP_WRITE, notifies = !notify_is_silent(event);
	enum file_kind kind;
	ssize_t res;

	if (is_write && submit_ahead_wants_short_calls(submit_ahead_pieces(draft->nbytes) > 1))
		return refuse(REFUSED_ahead); /* first, since it needs no system call */
	if (!config.inline_lane)
		return refuse(REFUSED_switched_off);
	if (!request_is_transfer(draft))
		return refuse(REFUSED_sync);
	if (notifies && !may_notify_at_once(event))
		return refuse(REFUSED_notification);
	if (!inline_accepts(draft, &kind))
		return false;
	if (may_bypass && !batch && !notifies && copier_wants(draft, kind)) {
		draft->copy_kind = (uint8_t)kind;
		draft->descriptor.mode = S_IFREG;
		draft->descriptor.has_type = true;
		return refuse(REFUSED_none);
	}
	if (!is_write && submit_ahead_wants_short_calls(false))
		return refuse(REFUSED_ahead);
	if (!inline_perform(draft, kind, &res))
		return false;
	if (notifies && event->sigev_notify == SIGEV_SIGNAL)
		notify_prepare(&draft->notification, event);
	submit_inline_publish(draft->cb, (enum request_op)draft->op, draft->vector, res,
			      draft->position);
	if (group && res < 0)
		lio_group_note_failure(group);
	if (notifies || draft->completion)
		announce_at_once(draft, res);
	if (batch && !is_write && kind >= FILE_MEMORY)
		batch_begin(batch, draft->fd, kind);
	return true;
}
