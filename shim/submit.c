// SPDX-License-Identifier: MIT
/*
 * submit.c - from the program's aiocb to the lane that serves it.
 *
 * Everything here runs in the program's threads, also in signal handlers.
 */
#include "submit.h"

#include <errno.h>
#include <sched.h>
#include <stddef.h>

#include "aiocb.h"
#include "config.h"
#include "engine.h"
#include "filter.h"
#include "futex.h"
#include "group.h"
#include "inline.h"
#include "notify.h"
#include "stats.h"

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

/* What @cb asks for, before anything was done about it. */
static void describe(struct request *req, struct aiocb *cb, enum request_op op)
{
	req->cb = cb;
	req->op = (uint8_t)op;
	req->fd = cb->aio_fildes;
	req->done = 0;
	if (op == OP_READ || op == OP_WRITE) {
		req->buf = (void *)(uintptr_t)cb->aio_buf;
		req->nbytes = cb->aio_nbytes;
		req->offset = cb->aio_offset;
	}
}

/* A signal that the full queue refused is the engine's to deliver. */
static void notify_by_engine(const struct notification *notification)
{
	struct request *req = request_alloc();

	if (!req)
		return;
	req->op = OP_GROUP; /* no I/O, only something to be told */
	req->message.kind = MESSAGE_NOTIFY;
	req->notification = *notification;
	request_set_state(req, REQ_DONE);
	if (engine_hand_over(&req->message, &req->message) < 0)
		request_free(req);
}

/*
 * The inline lane.  @probe is a request on the stack: one that completes here
 * needs no record.  A callback needs a thread, so the engine sees to those.
 */
static bool complete_inline(struct request *probe, const struct sigevent *event)
{
	ssize_t res;

	if (!config.inline_lane || event->sigev_notify == SIGEV_THREAD ||
	    (probe->op != OP_READ && probe->op != OP_WRITE) || !inline_try(probe, &res))
		return false;
	if (probe->op == OP_READ)
		stats_inc(inline_reads);
	else
		stats_inc(inline_writes);
	notify_prepare(&probe->notification, event);
	aiocb_complete_at_once(probe->cb, (enum request_op)probe->op, res);
	if (notify_is_wanted(&probe->notification) && notify_signal(&probe->notification) < 0)
		notify_by_engine(&probe->notification);
	return true;
}

/* A record for what the submitting call does not complete itself. */
static struct request *make_record(const struct request *probe, const struct sigevent *event)
{
	struct request *req = request_alloc();

	if (!req)
		return NULL;
	req->cb = probe->cb;
	req->op = probe->op;
	req->fd = probe->fd;
	req->buf = probe->buf;
	req->nbytes = probe->nbytes;
	req->offset = probe->offset;
	req->done = probe->done;
	req->descriptor = probe->descriptor;
	if (notify_prepare(&req->notification, event) < 0) {
		request_free(req);
		return NULL;
	}
	return req;
}

/* From here on the lanes that act at once leave overlapping requests to the engine. */
static void raise_filter(struct request *req)
{
	struct filter_range range = filter_range_of(req);

	filter_raise(FILTER_ENGINE, &range);
	req->is_filtered = true;
}

int submit_begin(struct aiocb *cb, enum request_op op, const struct sigevent *event,
		 struct request **out)
{
	struct request probe, *req;

	*out = NULL;
	describe(&probe, cb, op);
	descriptor_get_flags(probe.fd, &probe.descriptor);
	if (probe.descriptor.err == 0 && complete_inline(&probe, event))
		return 0;
	req = make_record(&probe, event);
	if (!req)
		return -EAGAIN;
	descriptor_get_inode(req->fd, &req->descriptor);
	if (request_is_barrier(req) || op == OP_INVALID) {
		*out = req;
		return 0;
	}
	if (descriptor_is_file(&req->descriptor))
		raise_filter(req);
	else
		req->priority = priority_of(cb);
	*out = req;
	return 0;
}

void submit_lower_filter(struct request *req)
{
	struct filter_range range = filter_range_of(req);

	if (req->is_filtered)
		filter_lower(FILTER_ENGINE, &range);
	req->is_filtered = false;
}

static void reject(struct request *req, int err)
{
	request_release_descriptor(req);
	submit_lower_filter(req);
	aiocb_reject(req->cb, err, 0);
	notify_discard(&req->notification);
	request_free(req);
}

int submit_list(struct request_list *list)
{
	struct message *newest = NULL, *oldest = NULL;
	struct request *req, *next;
	int ret;

	TAILQ_FOREACH(req, list, list_link)
	{
		aiocb_begin(req->cb, req);
		request_hold_descriptor(req);
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

void submit_release_group(struct request *group)
{
	/* The engine does what the last member's completion would have done. */
	if (group_leave(group, false))
		engine_hand_over(&group->message, &group->message);
}
