/* SPDX-License-Identifier: MIT */
/*
 * issue.h - which way does a request go that may be issued now?
 *
 * Engine thread only.  A request that is answered on the spot ends up in
 * engine_state.ended like all others.
 */
#ifndef RTAIO_ISSUE_H
#define RTAIO_ISSUE_H

#include <stdbool.h>

#include "request/request.h"

/* Order allows @req to begin. */
void issue(struct request *req);

/* The ring gave a result that led nowhere: once more. */
void issue_again(struct request *req);

/* A worker shall do what the ring could not, or what another worker has not begun. */
void issue_to_worker_again(struct request *req);
void issue_to_worker_instead(struct request *req);

/* The ring was taken away: a worker shall do it. */
void issue_without_ring(struct request *req);

/* Now and then: what found no worker. */
void issue_stranded(void);

/*
 * Take @req back from where it waits: its queue, or for a thread.  False: it
 * has begun.
 */
bool issue_withdraw(struct request *req);

#endif
