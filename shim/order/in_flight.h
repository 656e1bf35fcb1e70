/* SPDX-License-Identifier: MIT */
/*
 * in_flight.h - limit the bytes of O_DIRECT transfers in flight
 *
 * A process that ends waits for all transfers that its devices have, and a device gives none
 * back.  So the direct lane and the engine together submit at most config.in_flight_kib.
 * Further requests stay in their queues, where they can be cancelled.
 *
 * A device that does not answer keeps its share of the limit for ever.  So that other files go
 * on, a descriptor may always have one transfer in flight, and short ones up to a sixteenth
 * of the limit.
 */
#ifndef RTAIO_IN_FLIGHT_H
#define RTAIO_IN_FLIGHT_H

#include "request/request.h"

/* [submitter] May @nbytes more bypass the engine?  Not while a request there waits for room. */
bool in_flight_has_room(size_t nbytes);

/* [submitter, engine] Count @req before the kernel gets it, if it is O_DIRECT. */
void in_flight_enter(struct request *req);

/* [any thread] @req has ended, or has bounced. */
void in_flight_leave(struct request *req);

/* [engine] Count @req if there is room; @nr of its descriptor are in flight.  False: it waits. */
bool in_flight_try(struct request *req, unsigned nr);

/* [engine] Has in_flight_try() failed since in_flight_stop_awaiting()? */
bool in_flight_is_awaited(void);
void in_flight_stop_awaiting(void);

/* Child of a fork: nothing is in flight. */
void in_flight_after_fork(void);

#endif
