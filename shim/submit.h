/* SPDX-License-Identifier: MIT */
/*
 * submit.h - from the program's aiocb to the lane that serves it.
 *
 * All of it runs in the submitting thread, also in signal handlers.
 */
#ifndef RTAIO_SUBMIT_H
#define RTAIO_SUBMIT_H

#include <aio.h>

#include "request.h"

/*
 * Begin what @cb asks for.  *out is NULL when it is complete already (the
 * inline lane), or the prepared record, to be given to submit_list(); @cb is
 * not touched then.  0, or -EAGAIN when memory is out.
 */
int submit_begin(struct aiocb *cb, enum request_op op, const struct sigevent *event,
		 struct request **out);

/*
 * Hand over prepared requests, in their order (through list_link), and mark
 * their aiocbs.  0 or -errno; then none was handed over and all are freed.
 */
int submit_list(struct request_list *list);

/* [any thread] The effect of @req is there: requests at once need not mind it any more. */
void submit_lower_filter(struct request *req);

/* Let go of a group after its members were handed over. */
void submit_release_group(struct request *group);

#endif
