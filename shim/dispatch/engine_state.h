/* SPDX-License-Identifier: MIT */
/*
 * engine_state.h - the engine's counters and lists of requests.
 *
 * Engine thread only: no lock, no atomic.  A thread that fails to start the engine takes its part
 * for a moment, alone.
 */
#ifndef RTAIO_ENGINE_STATE_H
#define RTAIO_ENGINE_STATE_H

#include <stdint.h>

#include "order/fdqueue.h"
#include "request/request.h"

TAILQ_HEAD(fdqueue_list, fdqueue);

struct engine_state {
	unsigned nr_outstanding; /* accepted and not published */
	unsigned nr_files_in_flight;
	unsigned nr_on_workers;
	struct fdqueue_list awaiting;  /* queues that wait for a bypassing request, or room */
	struct fdqueue_list throttled; /* queues that wait until the ring has been entered */
	uint64_t nr_to_copy;       /* buffered bytes that the ring got since schedule_throttled() */
	struct request_list ended; /* res is known, to be published */
	struct request_list without_thread; /* of streams, tried again at each tick */
	int asked_fd;            /* whose type was asked since the last request came, or -1 */
	struct descriptor asked; /* the answer */
	uint32_t chain;          /* of the request that was accepted last, or 0 */
	uint64_t slots_to_wake;  /* wait slots, gathered over a batch */
	uint64_t nr_publishings; /* calls of publish_ended() */
	uint64_t tick_at;        /* time of the next tick */
	uint64_t tick_ns;        /* interval between the last tick and the next */
};

extern struct engine_state engine_state;

/* The result of @req is known; it is published at the end of the batch. */
void engine_state_end(struct request *req, ssize_t res);

/* First use, or child of a fork. */
void engine_state_reset(void);

#endif
