/* SPDX-License-Identifier: MIT */
/*
 * submit.h - from the program's aiocb to the lane that serves it.
 *
 * Runs in the submitting thread, also in signal handlers.
 */
#ifndef RTAIO_SUBMIT_H
#define RTAIO_SUBMIT_H

#include <aio.h>
#include <stdbool.h>

#include "request/request.h"

/*
 * Begin the request of @cb.  0 and *out NULL: complete (inline lane).  0 and *out set: a prepared
 * record, for submit_add().  1: in flight (handed over).  -EAGAIN: no memory.  A request that is
 * not complete joins @group unless that is NULL.  @may_bypass: its list sends no notification.
 */
int submit_begin(struct aiocb *cb, enum request_op op, const struct sigevent *event,
		 bool may_bypass, struct request *group, struct request **out);

/* The requests that one call of the program has prepared and not yet handed over, in order. */
struct submission {
	struct request_list direct; /* for the direct lane */
	struct request_list others; /* for the engine */
	unsigned nr_direct;
	bool is_refused;  /* the direct lane took nothing of a batch */
	bool has_started; /* any request is in flight */
};

void submit_open(struct submission *submission);

/* Add @req.  May submit a batch to the direct lane. */
void submit_add(struct submission *submission, struct request *req);

/*
 * Hand over the rest.  0, or -errno: the engine took none of its requests, and they are freed.
 * Those that the direct lane took are in flight in either case.
 */
int submit_close(struct submission *submission);

/*
 * Drop the submitter's count in @group, after the members were handed over.  @is_empty: it never
 * had members; then its signal may come inside the call, as with glibc.  0, or -errno: there is
 * no engine to send the notification.
 */
int submit_release_group(struct request *group, bool is_empty);

#endif
