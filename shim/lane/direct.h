/* SPDX-License-Identifier: MIT */
/*
 * direct.h - the direct lane: O_DIRECT through Linux AIO.
 *
 * The submitting thread calls io_submit.  A thread that polls or waits takes the completion from
 * the event ring, which the kernel maps into the process.  No thread of ours takes part, unless
 * several threads wait, or something else depends on the request: then the reaper does (reaper.h).
 */
#ifndef RTAIO_DIRECT_H
#define RTAIO_DIRECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "request/request.h"

#define DIRECT_BATCH_MAX 16 /* requests for one io_submit */

/* How the lane reports, on the thread that reaps, with signals blocked. */
struct direct_events {
	/* @req ended.  Returns the wait slots to wake (waiter.h). */
	uint64_t (*complete)(struct request *req, ssize_t res);
	/*
	 * The kernel would have waited.  The engine must perform @req, before all that waits for
	 * it.
	 * @req stays in the bypass table until bypass_leave_range() and bypass_leave().  Returns
	 * wait slots, too.
	 */
	uint64_t (*bounce)(struct request *req);
};

void direct_init(const struct direct_events *events);

/* [submitter] May @req take this lane now?  Reads the flags of its descriptor. */
bool direct_accepts(struct request *req);

/*
 * [submitter] Submit the requests of @list, which have entered (bypass.h).  Those that the kernel
 * does not take stay in @list; returns how many.
 */
size_t direct_submit(struct request_list *list);

#endif
