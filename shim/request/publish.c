// SPDX-License-Identifier: MIT
/*
 * publish.c - make a result visible to the program.
 */
#include "request/publish.h"

#include <errno.h>

#include "base/probes.h"
#include "request/aiocb.h"
#include "request/completions.h"
#include "request/lio_group.h"
#include "request/vector.h"
#include "request/waiter.h"

/*
 * Is res the error of a connection, which the kernel reports to one call only?  EPIPE comes again.
 */
static bool is_reported_once(const struct request *req)
{
	return S_ISSOCK(req->descriptor.mode) && req->res < 0 && req->res != -EFAULT &&
	       req->res != -EAGAIN && req->res != -ECANCELED && req->res != -EPIPE;
}

/* A partial transfer hides the error that ended it, unless no later call would report that. */
ssize_t publish_final_result(const struct request *req)
{
	if (req->done == 0 || is_reported_once(req))
		return req->res;
	return (ssize_t)req->done + (req->res > 0 ? req->res : 0);
}

void publish_count(enum request_op op, ssize_t res, enum stats_counter reads)
{
	if (op == OP_INVALID)
		return;
	stats_inc_counter(reads + (op == OP_READ ? 0 : op == OP_WRITE ? 1 : 2));
	if (res < 0)
		stats_inc(errors);
	if (res == -ECANCELED)
		stats_inc(cancellations);
}

uint64_t publish_result(struct request *req, ssize_t res, enum stats_counter reads)
{
	if (req->vector)
		vector_drop(req);
	publish_count((enum request_op)req->op, res, reads);
	PROBE_COMPLETE(req->cb, res);
	aiocb_complete(req->cb, res);
	if (req->completion)
		completions_add(req->completion, res, request_place(req) == PLACE_DIRECT);
	request_set_place(req, PLACE_DONE);
	return waiter_publish(req) | (req->completion ? WAITER_COMPLETIONS : 0);
}

uint64_t publish_silent_group(struct request *group)
{
	uint64_t slots = waiter_wake(group, waiter_publish(group));

	request_set_place(group, PLACE_DONE);
	lio_group_put(group);
	return slots;
}
