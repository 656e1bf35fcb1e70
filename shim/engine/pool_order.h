/* SPDX-License-Identifier: MIT */
/*
 * pool_order.h - which request of a descriptor may a worker begin?
 *
 * Requests begin in the order in which they came.  Only a few of one descriptor run at once, so
 * that a file that blocks leaves threads to others.  Buffered writes run one after another, since
 * the kernel admits one at a time to an inode.
 *
 * No two requests in the pool overlap: the engine and the filter see to that.  Excepted are two
 * that are submitted at the same time, or one by a handler that interrupts the submission of the
 * other; such requests have no order.
 */
#ifndef RTAIO_POOL_ORDER_H
#define RTAIO_POOL_ORDER_H

#include <stdbool.h>

#include "request/request.h"

/* State of a request in the pool: req->pool_state, guarded by the pool's lock. */
enum pool_state {
	POOL_NONE = 0,
	POOL_WAITING, /* for an earlier request */
	POOL_READY,   /* for a thread */
	POOL_RUNNING,
};

/* Is it a buffered write?  It holds the inode's lock; a second one would spin for it. */
bool pool_order_locks_inode(const struct request *req);

/*
 * @order, oldest first, holds @req, and perhaps requests of other descriptors.  True if all earlier
 * requests of its descriptor have begun and none of them keeps @req from running.
 */
bool pool_order_may_begin(const struct request_list *order, const struct request *req);

#endif
