/* SPDX-License-Identifier: MIT */
/*
 * issue.h - where a request goes that may be issued now.
 *
 * Engine thread only.  A request that ends at once goes to engine_state.ended like all others.
 */
#ifndef RTAIO_ISSUE_H
#define RTAIO_ISSUE_H

#include <stdbool.h>

#include "request/request.h"

/* Order allows @req to begin. */
void issue(struct request *req);

/* The ring gave a result without progress: try again, after some attempts on a worker. */
void issue_again(struct request *req);

/* On a worker: a request that the ring gave back (again), or one that has not begun (instead). */
void issue_to_worker_again(struct request *req);
void issue_to_worker_instead(struct request *req);

/* The ring was taken away: a worker performs @req. */
void issue_without_ring(struct request *req);

/* At each tick: retry requests that found no worker. */
void issue_without_thread(void);

/* Take @req back from its queue, or from those that wait for a thread.  False: it has begun. */
bool issue_withdraw(struct request *req);

#endif
