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

/* The engine feeds it by thread_pool_submit(), and looks after it.  Submitters use what follows. */
extern struct thread_pool workers;

/* [any thread] Is a thread idle, so that workers_offer() may succeed? */
bool workers_are_idle(void);

/* [submitter, also in handlers] Perform @req, which bypasses the engine, if one is idle. */
bool workers_offer(struct request *req);

/* [any thread] Is there a thread at all? */
bool workers_exist(void);

/* [engine] A submitter wants to offload something, or has done so: one thread at least. */
void workers_provide(void);

/* [any other thread that performed a request for the engine] Report it likewise. */
void workers_report(struct request *req);

/* First use, or child of a fork. */
void workers_start(const struct workers_events *events);

#endif
