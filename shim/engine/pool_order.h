/* SPDX-License-Identifier: MIT */
/*
 * pool_order.h - which request of a descriptor may a worker begin?
 *
 * Requests begin in the order in which they came, and no more than a few of one
 * descriptor run at once: a file that blocks does not take the threads of the
 * others.  Buffered writes follow each other, since the kernel lets one at a time
 * into an inode.  No two requests in the pool overlap, engine and filter see to that;
 * but for those that were submitted at the same time, or one in a handler amid the
 * submission of the other, which have no order.
 */
#ifndef RTAIO_POOL_ORDER_H
#define RTAIO_POOL_ORDER_H

#include <stdbool.h>

#include "request/request.h"

/* Where the pool has a request: req->pool_state, guarded by its lock. */
enum pool_state {
	POOL_NONE = 0,
	POOL_WAITING, /* for one before it */
	POOL_READY,   /* for a thread */
	POOL_RUNNING,
};

/* A buffered write: the kernel lets one at a time into an inode, others would spin for its lock. */
bool pool_order_locks_inode(const struct request *req);

/*
 * @req is in @order, oldest first, perhaps among others of other descriptors.  Have
 * all that came before it begun, and is none of them in its way?
 */
bool pool_order_may_begin(const struct request_list *order, const struct request *req);

#endif
