/* SPDX-License-Identifier: MIT */
/*
 * engine_state.h - the engine's books: what is outstanding, and in which list.
 *
 * Engine thread only, all of it: no lock, no atomic.  (A starter that could
 * make no thread plays the engine for a moment, alone.)
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
	struct fdqueue_list awaiting; /* queues that wait for what bypasses the engine */
	struct fdqueue_list held;     /* queues that wait until the ring has been entered */
	uint64_t nr_to_copy;          /* bytes for it since these were released: copied at once? */
	struct request_list ended;    /* res is known, to be published */
	struct request_list stranded; /* for want of a thread: streams, tried now and then */
	uint64_t slots_to_wake;       /* of waiters, gathered over a batch */
	uint64_t nr_publishings;      /* how often all that had ended was published */
	uint64_t tick_at;             /* when to look again at what has to be watched, */
	uint64_t tick_ns;             /* and how long after the look before */
};

extern struct engine_state engine_state;

/* The result of @req is known; it is published at the end of the batch. */
void engine_state_end(struct request *req, ssize_t res);

/* First use, or child of a fork. */
void engine_state_reset(void);

#endif
