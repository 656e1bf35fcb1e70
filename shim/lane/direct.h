/* SPDX-License-Identifier: MIT */
/*
 * direct.h - the direct lane: O_DIRECT through Linux AIO, from thread to thread.
 *
 * The submitting thread calls io_submit; whoever polls or waits finds the
 * completion in the event ring that the kernel maps into the process.  No
 * thread of ours is in the path, unless several threads wait, or something else
 * depends on such a request: then a reaper thread sees to the ring (reaper.h).
 */
#ifndef RTAIO_DIRECT_H
#define RTAIO_DIRECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "request/request.h"

#define DIRECT_BATCH_MAX 32 /* so many are submitted by one system call */

/* How the lane reports, in whatever thread reaps; signals are blocked there. */
struct direct_events {
	/* @req ended.  Returns the wait slots to wake (waiter.h). */
	uint64_t (*complete)(struct request *req, ssize_t res);
	/*
	 * The kernel would have waited: the engine must do it, before all that
	 * it holds back for the sake of @req.  The request stays entered until
	 * bypass_leave_range() and bypass_leave().  Returns wait slots, too.
	 */
	uint64_t (*bounce)(struct request *req);
};

void direct_init(const struct direct_events *events);

/* [submitter] May @req go this way now?  Looks at its descriptor as far as it needs to. */
bool direct_accepts(struct request *req);

/*
 * [submitter] Submit the entered requests of @list.  What the kernel does not
 * take is left in @list; returns how many that are.
 */
size_t direct_submit(struct request_list *list);

#endif
