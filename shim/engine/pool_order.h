/* SPDX-License-Identifier: MIT */
/*
 * pool_order.h - the requests in the pool, and which of them a worker may begin
 *
 * Requests begin in the order in which they came.  Only a few of one descriptor run at once, so
 * that a file that blocks leaves threads to others.  Buffered writes run one after another, since
 * the kernel admits one at a time to an inode.  Reads and writes of streams wait for nothing.
 *
 * No two requests in the pool overlap: the engine and the filter see to that.  There is one
 * exception: two that are submitted at the same time, or one of them by a handler that interrupts
 * the submission of the other.  Such requests have no order.
 *
 * Guarded by the pool's lock, but for the first two functions.
 */
#ifndef RTAIO_POOL_ORDER_H
#define RTAIO_POOL_ORDER_H

#include <stdbool.h>

#include "request/request.h"

/* State of a request in the pool: req->pool_state. */
enum pool_state {
	POOL_NONE = 0,
	POOL_WAITING, /* for an earlier request */
	POOL_READY,   /* for a thread */
	POOL_RUNNING,
};

/* Does the pool limit how many such requests run at once?  All but reads and writes of streams. */
bool pool_order_is_bounded(const struct request *req);

/* Is it a buffered write?  It holds the inode's lock; a second one would spin for it. */
bool pool_order_locks_inode(const struct request *req);

void pool_order_add(struct request *req);

/* The oldest bounded or unbounded request that may begin, or NULL.  A thread begins it. */
struct request *pool_order_first(bool is_bounded);
void pool_order_begin(struct request *req);

/* @req has run: its followers may begin. */
void pool_order_remove(struct request *req);

/* Remove @req.  False: a thread has taken it. */
bool pool_order_take_back(struct request *req);

/* First use, or child of a fork: empty. */
void pool_order_start(void);

#endif
