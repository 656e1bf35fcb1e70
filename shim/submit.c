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
#include "engine.h"
#include "futex.h"
#include "group.h"
#include "notify.h"

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

struct request *submit_prepare(struct aiocb *cb, enum request_op op, const struct sigevent *event)
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
	if (!descriptor_is_file(&req->descriptor) && !request_is_barrier(req))
		req->priority = priority_of(cb);
	return req;
}

static void reject(struct request *req, int err)
{
	request_release_descriptor(req);
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
