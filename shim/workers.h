/* SPDX-License-Identifier: MIT */
/*
 * workers.h - threads that execute requests by plain system calls.
 *
 * For what a ring serves badly or not at all, and for everything where there
 * is no ring.  Files and streams have a pool each: blocked streams never keep
 * a file waiting.
 */
#ifndef RTAIO_WORKERS_H
#define RTAIO_WORKERS_H

#include <stdbool.h>

#include "request.h"

/*
 * [engine] Execute @req on a worker; its res comes back by MESSAGE_EXECUTED.
 * 0, or -EAGAIN when there is no thread and none can be made.
 */
int workers_submit(struct request *req);

/* [engine] Is there anything that workers_tick() could help? */
bool workers_are_waiting(void);

/* [engine] Now and then while workers_are_waiting(): grow what is stuck. */
void workers_tick(void);

/*
 * Limits from the configuration.  @executed is called on the worker as soon as
 * res is known, before the engine hears of it.
 */
void workers_start(void (*executed)(struct request *req));

/* Child of a fork: no workers. */
void workers_forget(void);

#endif
