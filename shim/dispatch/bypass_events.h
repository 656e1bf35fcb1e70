/* SPDX-License-Identifier: MIT */
/*
 * bypass_events.h - results that threads other than the engine publish.
 */
#ifndef RTAIO_BYPASS_EVENTS_H
#define RTAIO_BYPASS_EVENTS_H

#include <stdbool.h>
#include <sys/types.h>

#include "request/request.h"

/* Receive the results of workers, copier and direct lane.  Before the first request. */
void bypass_events_start(void);

/*
 * [engine] @req was handed over and has been withdrawn from the workers: end it, or make it one of
 * the engine's, ordered by its submission.
 */
void bypass_events_end(struct request *req, ssize_t res);
void bypass_events_withdrawn(struct request *req);

#endif
