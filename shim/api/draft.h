/* SPDX-License-Identifier: MIT */
/*
 * draft.h - a request before it has a record.
 *
 * Most requests complete inside the submitting call, and never need a record.  So the call
 * describes them on its stack first, in a struct request of which only some members are set.
 */
#ifndef RTAIO_DRAFT_H
#define RTAIO_DRAFT_H

#include <aio.h>
#include <stdbool.h>

#include "request/request.h"

/*
 * Describe the request of @cb, and prepare its eventfd and its completion if it has them.  0;
 * -EAGAIN: no memory; or an error of iovec_measure() or eventfd_get().  Then there is no request.
 */
int draft_begin(struct request *draft, struct aiocb *cb, enum request_op op, bool is_vectored);

/*
 * A record for @draft, which the inline lane did not complete.  The record takes what draft_begin()
 * has prepared.  NULL: no memory.
 */
struct request *draft_make_record(const struct request *draft);

/* The submission failed: free what draft_begin() has prepared for @req, a draft or its record. */
void draft_discard(struct request *req);

#endif
