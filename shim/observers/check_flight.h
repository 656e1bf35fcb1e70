/* SPDX-License-Identifier: MIT */
/*
 * check_flight.h - rules for requests in flight.
 */
#ifndef RTAIO_CHECK_FLIGHT_H
#define RTAIO_CHECK_FLIGHT_H

#include <aio.h>

#include "observers/check_state.h"
#include "observers/check_requests.h"

/*
 * Is @record in flight, and can the program not know that it has ended?  With glibc only its error
 * code tells, if the aiocb is still there.  With the lock.
 */
bool flight_is_sure(const struct record *record);

/* A call of the program names @cb: is all as it was submitted? */
void flight_check_named(const struct aiocb *cb, struct here *here);

/* The same, and the call finds it in progress. */
void flight_check_copied(const struct aiocb *cb, struct here *here);

/* A call of the program: have functions returned that have memory of requests on the stack? */
void flight_check_stack(struct here *here);

/* The request ends now, which the program cannot know yet. */
void flight_end(const struct aiocb *cb);

/* The program gives memory back: see memory.h. */
void flight_check_freed(const void *address, size_t size, uint64_t nr_requests);

/* The program closes descriptors. */
void flight_check_closed(int first, int last);

#endif
