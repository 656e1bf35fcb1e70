// SPDX-License-Identifier: MIT
/*
 * synced_writes.c - whose error is it, when a synced write fails?
 */
#include "dispatch/synced_writes.h"

#include <errno.h>

#include "dispatch/engine_state.h"
#include "dispatch/issue.h"
#include "order/fdqueue.h"

/* The first error of any call for the group; 0: none. */
static ssize_t first_error(const struct request_list *group)
{
	const struct request *req;

	TAILQ_FOREACH(req, group, list_link) {
		if (req->is_repeated && req->first_res < 0)
			return req->first_res;
		if (req->res < 0)
			return req->res;
	}
	return 0;
}

/* A descriptor that was closed during the first call no longer means the file. */
static bool may_be_repeated(const struct request *req)
{
	return !req->is_repeated && (req->pin || !req->queue->detached);
}

/* False: all that can be repeated have been. */
static bool repeat_next(struct fdqueue *queue)
{
	struct request *req;

	TAILQ_FOREACH(req, &queue->performed, list_link)
		if (may_be_repeated(req))
			break;
	if (!req)
		return false;
	TAILQ_REMOVE(&queue->performed, req, list_link);
	req->is_repeated = true;
	req->first_res = req->res;
	queue->nr_synced = 1;
	issue_to_worker_again(req);
	return true;
}

/* Has a write failed again?  Then the errors of the first calls were due to its data. */
static bool is_explained(const struct request_list *group)
{
	const struct request *req;

	TAILQ_FOREACH(req, group, list_link)
		if (req->is_repeated && req->res < 0)
			return true;
	return false;
}

/*
 * A repeated call runs alone, so its result is its own.  But the kernel tells an error once: if no
 * repeated call has failed, the error of the first call stays.
 */
static ssize_t result_of(const struct request *req, ssize_t error, bool explained)
{
	if (!req->is_repeated)
		return req->res < 0 || !error ? req->res : error;
	return explained || req->first_res >= 0 ? req->res : req->first_res;
}

/* All calls of the group have returned: repeat one, or end all of its requests. */
static void end_group(struct fdqueue *queue)
{
	struct request_list *group = &queue->performed;
	struct request *req = TAILQ_FIRST(group);
	bool is_lone = req && !TAILQ_NEXT(req, list_link), explained;
	ssize_t error = is_lone ? 0 : first_error(group);

	if (error && repeat_next(queue))
		return;
	explained = is_explained(group);
	while ((req = TAILQ_FIRST(group))) {
		TAILQ_REMOVE(group, req, list_link);
		req->has_own_res = true;
		engine_state_end(req, result_of(req, error, explained));
	}
}

bool synced_writes_may_hold(const struct request *req)
{
	return req->queue && req->queue->is_file && request_is_synced_write(req) &&
	       !req->is_withdrawn && !req->has_own_res;
}

bool synced_writes_hold(struct request *req)
{
	struct fdqueue *queue = req->queue;
	bool is_cancelled = req->res == -ECANCELED;

	if (!synced_writes_may_hold(req))
		return false;
	queue->nr_synced--;
	if (!is_cancelled) {
		request_set_place(req, PLACE_PERFORMED);
		TAILQ_INSERT_TAIL(&queue->performed, req, list_link);
	}
	if (queue->nr_synced == 0)
		end_group(queue);
	return !is_cancelled;
}
