/* SPDX-License-Identifier: MIT */
/*
 * workers.h - threads that perform requests by plain system calls.
 *
 * There is one pool, fed by the engine and by submitters.  Whatever may wait for a disk, a server
 * or another process is performed here and nowhere else.
 */
#ifndef RTAIO_WORKERS_H
#define RTAIO_WORKERS_H

#include <stdbool.h>
#include <stdint.h>

#include "request/request.h"

/*
 * [any thread] Would workers_offer() take @req?  Yes while a thread is idle.  It takes a long
 * buffered write also while a thread writes to the same descriptor.
 */
bool workers_accept(const struct request *req);

/*
 * [submitter, also in handlers] Perform @req, which bypasses the engine.  False: it was not taken.
 */
bool workers_offer(struct request *req);

/* [any thread] Does the pool have any thread? */
bool workers_exist(void);

/* [engine] ENGINE_ASK_WORKERS came in: tick, and see that there is at least one thread. */
void workers_provide(void);

/* [engine] Queue @req.  0, or -EAGAIN: not taken, since there is no thread and none can be made. */
int workers_submit(struct request *req);

/*
 * [engine] Take @req back.  False: it has begun, or the record has another generation and so is
 * another request.
 */
bool workers_withdraw(struct request *req, uint32_t generation);

/*
 * [engine] The descriptor of @req was closed.  Later requests on it may be for another file, and do
 * not wait for @req.
 */
void workers_detach(struct request *req, uint32_t generation);

/* [engine] Does a request wait that one more thread could run? */
bool workers_are_awaited(void);

/*
 * [engine] Every few milliseconds while requests wait: take those that submitters have left.  If
 * none was taken since the last call, let more threads run.
 */
void workers_tick(void);

/* [thread that performed @req for the engine] Send it back; res is known. */
void workers_report(struct request *req);

/*
 * First use, or child of a fork.  @offloaded, called on the thread that performed a request of
 * workers_offer(), takes the record over; res is known.
 */
void workers_start(void (*offloaded)(struct request *req));

#endif
