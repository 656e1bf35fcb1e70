/* SPDX-License-Identifier: MIT */
/*
 * submit.h - from the program's aiocb to the lane that serves it.
 *
 * All of it runs in the submitting thread, also in signal handlers.
 */
#ifndef RTAIO_SUBMIT_H
#define RTAIO_SUBMIT_H

#include <aio.h>
#include <stdbool.h>

#include "request/request.h"

/*
 * Begin what @cb asks for.  *out is NULL when it is complete already (the
 * inline lane) or under way (offloaded), or the prepared record, to be given to
 * submit_add().  What is not complete is a member of @group,
 * unless that is NULL.  @may_bypass: nobody is to be told of the list it is part
 * of.  0, 1 when it is under way, or -EAGAIN when memory is out.
 */
int submit_begin(struct aiocb *cb, enum request_op op, const struct sigevent *event,
		 bool may_bypass, struct request *group, struct request **out);

/* What a call of the program has prepared and not yet handed over, in its order. */
struct submission {
	struct request_list direct; /* for the direct lane */
	struct request_list others; /* for the engine */
	unsigned nr_direct;
	unsigned nr_pieces; /* that these are, where they lie apart */
	bool has_any;       /* was given a record */
	bool is_refused;    /* the direct lane has taken nothing more */
	bool has_started;   /* anything is under way */
};

void submit_open(struct submission *submission);

/* One more.  The direct lane may get some at once. */
void submit_add(struct submission *submission, struct request *req);

/*
 * Hand over what is left.  0 or -errno; then none was handed to the engine and
 * those are freed, while what the direct lane took is under way.
 */
int submit_close(struct submission *submission);

/*
 * Let go of a group after its members were handed over.  @is_empty: it never had
 * any work; then its signal may come inside the call, as with glibc.  0 or
 * -errno: there is no engine to announce that all is done.
 */
int submit_release_group(struct request *group, bool is_empty);

#endif
