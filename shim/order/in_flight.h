/* SPDX-License-Identifier: MIT */
/*
 * in_flight.h - how many bytes of O_DIRECT transfers are with the kernel
 *
 * A process that ends waits for all that its devices have, and nothing takes it back
 * from them.  So no more than config.in_flight_kib is handed over, in all lanes
 * together.  What is beyond that waits in its queue on the engine, where it can be
 * cancelled.
 *
 * A device that does not answer keeps what it has.  For other files' sake a
 * descriptor may always have one transfer in flight, and short ones up to
 * a sixteenth of the limit.
 *
 * Submitters and whoever reaps count on one side, the engine on the other.
 */
#ifndef RTAIO_IN_FLIGHT_H
#define RTAIO_IN_FLIGHT_H

#include "request/request.h"

/* [submitter] May a request of so many bytes bypass the engine?  Not while others wait there. */
bool in_flight_has_room(size_t nbytes);

/* [who hands @req over] Count it, if it is O_DIRECT. */
void in_flight_enter(struct request *req);

/* [any thread] It has ended, or was given back. */
void in_flight_leave(struct request *req);

/* [engine] Enter it if there is room; @nr of its descriptor are in flight.  False: it waits. */
bool in_flight_try(struct request *req, unsigned nr);

/* [engine] Does anything wait since that was last asked? */
bool in_flight_is_awaited(void);

/* [engine] Nothing waits for room, as far as is known. */
void in_flight_await_no_more(void);

/* Child of a fork: nothing is in flight. */
void in_flight_after_fork(void);

#endif
