// SPDX-License-Identifier: MIT
/*
 * pool_order.c - the requests in the pool, and which of them a worker may begin
 */
#include "engine/pool_order.h"

#include <fcntl.h>

#define BUCKETS 256u /* by descriptor */
#define SHARE   4u   /* requests of one descriptor that run at once */

static struct request_list unbounded, bounded; /* ready */
static struct request_list order[BUCKETS];     /* bounded requests, oldest first */

bool pool_order_is_bounded(const struct request *req)
{
	return request_is_barrier(req) || descriptor_is_file(&req->descriptor);
}

bool pool_order_locks_inode(const struct request *req)
{
	return req->op == OP_WRITE && !(req->descriptor.flags & (O_DIRECT | O_DSYNC));
}

/* The descriptor was closed after @earlier had begun and before @req: their files differ. */
static bool is_of_closed(const struct request *earlier, const struct request *req)
{
	return earlier->detached_at && req->submit_seq > earlier->detached_at;
}

static struct request_list *order_of(const struct request *req)
{
	return &order[(unsigned)req->fd % BUCKETS];
}

/*
 * Have all earlier requests of its descriptor begun, and does none of them keep @req from running?
 */
static bool may_begin(const struct request *req)
{
	const struct request *earlier = TAILQ_FIRST(order_of(req));
	unsigned nr = 0;

	for (; earlier != req; earlier = TAILQ_NEXT(earlier, pool_link)) {
		if (earlier->fd != req->fd || is_of_closed(earlier, req))
			continue;
		if (earlier->pool_state == POOL_WAITING || ++nr == SHARE ||
		    (pool_order_locks_inode(req) && pool_order_locks_inode(earlier)))
			return false;
	}
	return true;
}

static struct request_list *ready_list_of(const struct request *req)
{
	return pool_order_is_bounded(req) ? &bounded : &unbounded;
}

static void make_ready(struct request *req)
{
	req->pool_state = POOL_READY;
	TAILQ_INSERT_TAIL(ready_list_of(req), req, list_link);
}

void pool_order_add(struct request *req)
{
	if (!pool_order_is_bounded(req)) {
		make_ready(req);
		return;
	}
	req->pool_state = POOL_WAITING;
	TAILQ_INSERT_TAIL(order_of(req), req, pool_link);
	if (may_begin(req))
		make_ready(req);
}

struct request *pool_order_first(bool is_bounded)
{
	return TAILQ_FIRST(is_bounded ? &bounded : &unbounded);
}

void pool_order_begin(struct request *req)
{
	TAILQ_REMOVE(ready_list_of(req), req, list_link);
	req->pool_state = POOL_RUNNING;
}

/* A request on @fd has gone: make those ready that waited for it. */
static void make_followers_ready(struct request_list *list, int fd)
{
	struct request *req;

	TAILQ_FOREACH(req, list, pool_link) {
		if (req->fd != fd || req->pool_state != POOL_WAITING)
			continue;
		if (!may_begin(req))
			return;
		make_ready(req);
	}
}

void pool_order_remove(struct request *req)
{
	req->pool_state = POOL_NONE;
	if (!pool_order_is_bounded(req))
		return;
	TAILQ_REMOVE(order_of(req), req, pool_link);
	make_followers_ready(order_of(req), req->fd);
}

bool pool_order_take_back(struct request *req)
{
	if (req->pool_state != POOL_WAITING && req->pool_state != POOL_READY)
		return false;
	if (req->pool_state == POOL_READY)
		TAILQ_REMOVE(ready_list_of(req), req, list_link);
	pool_order_remove(req);
	return true;
}

void pool_order_start(void)
{
	TAILQ_INIT(&unbounded);
	TAILQ_INIT(&bounded);
	for (unsigned i = 0; i < BUCKETS; i++)
		TAILQ_INIT(&order[i]);
}
