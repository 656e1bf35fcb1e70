// SPDX-License-Identifier: MIT
/*
 * pool_order.c - which request of a descriptor may a worker begin?
 */
#include "engine/pool_order.h"

#include <fcntl.h>

#define SHARE 4u /* requests of one descriptor that run at once */

bool pool_order_locks_inode(const struct request *req)
{
	return req->op == OP_WRITE && !(req->descriptor.flags & (O_DIRECT | O_SYNC | O_DSYNC));
}

/* The descriptor was closed after @earlier and before @req: they have different files. */
static bool is_of_closed(const struct request *earlier, const struct request *req)
{
	return earlier->detached_at && req->stamp > earlier->detached_at;
}

bool pool_order_may_begin(const struct request_list *order, const struct request *req)
{
	const struct request *earlier;
	unsigned nr = 0;

	TAILQ_FOREACH(earlier, order, pool_link) {
		if (earlier == req)
			return true;
		if (earlier->fd != req->fd || is_of_closed(earlier, req))
			continue;
		if (earlier->pool_state == POOL_WAITING || ++nr == SHARE ||
		    (pool_order_locks_inode(req) && pool_order_locks_inode(earlier)))
			return false;
	}
	return true;
}
