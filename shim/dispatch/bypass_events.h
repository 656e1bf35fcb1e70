/* SPDX-License-Identifier: MIT */
/*
 * bypass_events.h - results that other threads than the engine publish.
 */
#ifndef RTAIO_BYPASS_EVENTS_H
#define RTAIO_BYPASS_EVENTS_H

#include <stdbool.h>
#include <sys/types.h>

#include "request/request.h"

/* Take part in what workers and the direct lane report.  Before the first request. */
void bypass_events_start(void);

/*
 * [engine] @req, which was offloaded, was withdrawn from the workers: end it, or
 * take it in as one of the engine's, in its place.
 */
void bypass_events_end(struct request *req, ssize_t res);
void bypass_events_withdrawn(struct request *req);

#endif
