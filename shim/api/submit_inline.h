/* SPDX-License-Identifier: MIT */
/*
 * submit_inline.h - requests that complete inside the submitting call.
 *
 * Runs in the submitting thread, also in signal handlers.
 */
#ifndef RTAIO_SUBMIT_INLINE_H
#define RTAIO_SUBMIT_INLINE_H

#include <aio.h>
#include <stdbool.h>

#include "request/request.h"

struct batch;

/*
 * True: the inline lane has completed @draft, and its result is published and announced.  False:
 * another lane must take it.  @may_bypass: the copier may take it.  @group, @batch: of the list
 * that the request belongs to, or NULL.
 */
bool submit_inline(struct request *draft, bool may_bypass, struct request *group,
		   struct batch *batch);

/* Publish the result of a request that has no record.  @position: of submit_ahead.h. */
void submit_inline_publish(struct aiocb *cb, enum request_op op, bool is_vectored, ssize_t res,
			   uint32_t position);

#endif
