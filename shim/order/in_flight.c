// SPDX-License-Identifier: MIT
/*
 * in_flight.c - limit the bytes of O_DIRECT transfers in flight
 *
 * A thread checks the limit, then counts.  So the limit may be exceeded by one request for
 * each thread that submits at that moment.
 */
#include "order/in_flight.h"

#include <stdatomic.h>

#include "base/config.h"
#include "request/perform.h"

#define SHARE 16u /* every descriptor may have this part of the limit, however full it is */

static _Atomic size_t nr_bytes;
static _Atomic bool is_awaited; /* the engine writes, submitters read */

static size_t limit(void)
{
	return (size_t)config.in_flight_kib << 10;
}

/* The kernel moves no more by one call. */
static size_t size_of(size_t nbytes)
{
	return nbytes < PERFORM_BYTES_MAX ? nbytes : PERFORM_BYTES_MAX;
}

/* Relaxed: at worst one more request is submitted here before the engine's turn. */
bool in_flight_has_room(size_t nbytes)
{
	return !atomic_load_explicit(&is_awaited, memory_order_relaxed) &&
	       atomic_load(&nr_bytes) + size_of(nbytes) <= limit();
}

void in_flight_enter(struct request *req)
{
	if (!(req->descriptor.flags & O_DIRECT))
		return;
	req->nr_in_flight = size_of(req->nbytes);
	atomic_fetch_add(&nr_bytes, req->nr_in_flight);
}

void in_flight_leave(struct request *req)
{
	/* Partner: await_bypass() in schedule.c, which checks again after bypass_watch(). */
	if (req->nr_in_flight)
		atomic_fetch_sub(&nr_bytes, req->nr_in_flight);
	req->nr_in_flight = 0;
}

/* A request with a pin is not limited: its file has one thread, so one transfer at a time. */
bool in_flight_try(struct request *req, unsigned nr)
{
	size_t nbytes = size_of(req->nbytes);

	if (req->pin)
		return true;
	descriptor_get_flags(req->fd, &req->descriptor);
	if ((req->descriptor.flags & O_DIRECT) && nr * nbytes > limit() / SHARE &&
	    atomic_load(&nr_bytes) + nbytes > limit()) {
		atomic_store(&is_awaited, true);
		return false;
	}
	in_flight_enter(req);
	return true;
}

bool in_flight_is_awaited(void)
{
	return atomic_load(&is_awaited);
}

void in_flight_stop_awaiting(void)
{
	atomic_store(&is_awaited, false);
}

void in_flight_after_fork(void)
{
	atomic_store(&nr_bytes, 0);
	atomic_store(&is_awaited, false);
}
