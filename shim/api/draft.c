// SPDX-License-Identifier: MIT
/*
 * draft.c - a request before it has a record.
 */
#include "api/draft.h"

#include <errno.h>
#include <signal.h>

#include "base/iovec.h"
#include "lane/submit_ahead.h"
#include "request/completions.h"
#include "request/fd_hints.h"
#include "request/notify.h"
#include "request/vector.h"
#include "rtaio.h"

/* @req->buf is a vector, and @req->nbytes the number of its entries.  0, or -errno. */
static int take_vector(struct request *req)
{
	ssize_t nbytes = iovec_measure(req->buf, req->nbytes);

	if (nbytes < 0)
		return (int)nbytes;
	req->vector = VECTOR_OF_PROGRAM;
	req->nr_entries = (uint16_t)req->nbytes;
	req->nbytes = (size_t)nbytes;
	return 0;
}

/* 0, or -errno.  All members that draft_make_record() reads are set. */
static int fill(struct request *req, struct aiocb *cb, enum request_op op, bool is_vectored)
{
	int ret;

	req->cb = cb;
	req->op = (uint8_t)op;
	req->fd = cb->aio_fildes;
	req->buf = NULL;
	req->nbytes = 0;
	req->offset = 0;
	req->done = 0;
	req->copy_kind = FILE_UNKNOWN;
	req->vector = VECTOR_NONE;
	req->nr_entries = 0;
	req->descriptor = (struct descriptor){ 0 };
	req->completion = NULL;
	req->notification.notify = SIGEV_NONE;
	if (request_is_transfer(req)) {
		req->buf = (void *)(uintptr_t)cb->aio_buf;
		req->nbytes = cb->aio_nbytes;
		req->offset = cb->aio_offset;
	}
	if (is_vectored && (ret = take_vector(req)) < 0)
		return ret;
	req->position = submit_ahead_note_submitted(req->nbytes);
	return 0;
}

/* What programs get beyond POSIX: an eventfd, and a completion for aio_waitcomplete. */
static bool is_for_port(const struct aiocb *cb)
{
	return cb->aio_sigevent.sigev_notify == SIGEV_EVENTFD || completions_are_kept();
}

/* 0 or -errno. */
static int prepare_port(struct request *draft)
{
	const struct sigevent *event = &draft->cb->aio_sigevent;
	int ret = 0;

	draft->notification = (struct notification){ .notify = SIGEV_NONE };
	if (event->sigev_notify == SIGEV_EVENTFD)
		ret = notify_prepare(&draft->notification, event);
	if (ret < 0)
		return ret;
	draft->completion = completions_make(draft->cb);
	if (draft->completion)
		return 0;
	notify_discard(&draft->notification);
	return -EAGAIN;
}

int draft_begin(struct request *draft, struct aiocb *cb, enum request_op op, bool is_vectored)
{
	int ret = fill(draft, cb, op, is_vectored);

	if (ret == 0 && __builtin_expect(is_for_port(cb), 0))
		ret = prepare_port(draft);
	return ret;
}

void draft_discard(struct request *req)
{
	completions_discard(req->completion);
	notify_discard(&req->notification);
}

/* What was prepared for an eventfd goes on with the record.  False: no memory. */
static bool take_notification(struct request *req, const struct request *draft)
{
	if (draft->notification.notify != SIGEV_EVENTFD)
		return notify_prepare(&req->notification, &req->cb->aio_sigevent) == 0;
	req->notification = draft->notification;
	return true;
}

struct request *draft_make_record(const struct request *draft)
{
	struct request *req = request_alloc();

	if (!req)
		return NULL;
	__atomic_store_n(&req->cb, draft->cb, __ATOMIC_RELAXED); /* partner: aiocb_lookup() */
	req->op = draft->op;
	req->fd = draft->fd;
	req->buf = draft->buf;
	req->nbytes = draft->nbytes;
	req->offset = draft->offset;
	req->done = draft->done;
	req->position = draft->position;
	req->copy_kind = draft->copy_kind;
	req->descriptor = draft->descriptor;
	req->completion = draft->completion;
	req->vector = draft->vector;
	req->nr_entries = draft->nr_entries;
	if ((req->vector && !vector_keep(req)) || !take_notification(req, draft)) {
		vector_drop(req);
		request_free(req);
		return NULL;
	}
	request_note_time(req);
	return req;
}
