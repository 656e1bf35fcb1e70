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

struct batch;

/* What one call of the program submits. */
struct submission {
	struct request *group;        /* the list that its requests join, or NULL */
	bool may_bypass;              /* the list sends no notification */
	int fd;                       /* of the last request for a file, */
	struct descriptor descriptor; /* and what is known of it */
	struct batch *batch;          /* collects reads; NULL: too few */
	struct request_list direct;   /* prepared for the direct lane, in order */
	struct request_list others;   /* prepared for the engine */
	unsigned nr_direct;
	bool is_refused;  /* the direct lane took nothing of a batch */
	bool has_started; /* any request is in flight or complete */
};

void submit_open(struct submission *submission, struct request *group, bool may_bypass);

/*
 * Begin the request of @cb.  0, or -EAGAIN: no memory for it, or for one before it.  @is_vectored:
 * aio_buf is a vector of aio_nbytes entries.  Then there are also the errors of iovec_measure(),
 * and with an eventfd those of eventfd_get(); there is no request then.
 */
int submit_begin(struct submission *submission, struct aiocb *cb, enum request_op op,
		 bool is_vectored);

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
