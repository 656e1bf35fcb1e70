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

#include "request.h"
#include "thread_pool.h"

/* How the workers report, on the thread that performed @req. */
struct workers_events {
	/* The engine gave it; res is known.  The engine hears of it next, by MESSAGE_EXECUTED. */
	void (*executed)(struct request *req);
	/* Its submitter gave it; res is known, and the record is the callee's. */
	void (*offloaded)(struct request *req);
};

/*
 * [engine] Perform @req.  0, or -EAGAIN when there is no thread and none can be
 * made.
 */
int workers_submit(struct request *req);

/*
 * [engine] True: @req had not begun, and was taken back.  Or, its descriptor was
 * closed and may mean another file now, whose requests have nothing to wait for.
 * The record may be another request's, if it is not of that generation.
 */
bool workers_withdraw(struct request *req, uint32_t generation);
void workers_detach(struct request *req, uint32_t generation);

/* [any thread] Is a thread idle, so that workers_offer() may succeed? */
bool workers_are_idle(void);

/* [submitter, also in handlers] Perform @req, which bypasses the engine, if one is idle. */
bool workers_offer(struct request *req);

/* [any thread] Is there a thread at all? */
bool workers_exist(void);

/* [engine] Is there anything that workers_tick() could help? */
bool workers_are_waiting(void);

/* [engine] Now and then while workers_are_waiting(). */
void workers_tick(void);

/* [engine] A submitter wants to offload something, or has done so: one thread at least. */
void workers_provide(void);

/* [any other thread that performed a request for the engine] Report it likewise. */
void workers_report(struct request *req);

/* First use, or child of a fork. */
void workers_start(const struct workers_events *events);

#endif
