/* SPDX-License-Identifier: MIT */
/*
 * workers.h - threads that perform requests by plain system calls.
 *
 * Whatever may wait for a disk, a server or another process is performed here,
 * and nowhere else: one pool, fed by the engine and by submitters.
 */
#ifndef RTAIO_WORKERS_H
#define RTAIO_WORKERS_H

#include <stdbool.h>
#include <stdint.h>

#include "request/request.h"

/* How the workers report, on the thread that performed @req. */
struct workers_events {
	/* The engine gave it; res is known.  The engine hears of it next, by MESSAGE_EXECUTED. */
	void (*executed)(struct request *req);
	/* Its submitter gave it; res is known, and the record is the callee's. */
	void (*offloaded)(struct request *req);
};

/*
 * [any thread] Would workers_offer() take @req?  If a thread is idle; a buffered write also while
 * one has just been woken, or writes to the same file, so that @req has to wait for it.
 */
bool workers_accept(const struct request *req);

/* [submitter, also in handlers] Perform @req, which bypasses the engine.  False: it was not taken. */
bool workers_offer(struct request *req);

/* [any thread] Is there a thread at all? */
bool workers_exist(void);

/* [engine] A submitter wants to offload something, or has done so: one thread at least. */
void workers_provide(void);

/*
 * [engine] Queue @req.  0, or -EAGAIN when there is no thread and none can
 * be made: then @req was not taken.
 */
int workers_submit(struct request *req);

/*
 * [engine] True: @req had not begun, and was taken back.  It may be another
 * request by now, if it is not of that generation.
 */
bool workers_withdraw(struct request *req, uint32_t generation);

/*
 * [engine] The descriptor of @req was closed and may mean another file now,
 * whose requests have nothing to wait for here.
 */
void workers_detach(struct request *req, uint32_t generation);

/* [engine] Does something wait that another thread could run? */
bool workers_are_awaited(void);

/*
 * [engine] Look after what submitters left, and if nothing was taken since the
 * last call, a few milliseconds ago, although something waits, grow.
 */
void workers_tick(void);

/* [any other thread that performed a request for the engine] Report it likewise. */
void workers_report(struct request *req);

/* First use, or child of a fork. */
void workers_start(const struct workers_events *events);

#endif
