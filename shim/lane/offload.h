/* SPDX-License-Identifier: MIT */
/*
 * offload.h - requests that their submitter hands straight to a worker.
 *
 * Long transfers, buffered writes and syncs need a thread in any case.  While a worker is idle they
 * skip the engine.  Runs in the program's threads, also in handlers: no lock, no memory allocated.
 */
#ifndef RTAIO_OFFLOAD_H
#define RTAIO_OFFLOAD_H

#include <stdbool.h>

#include "request/request.h"

/* May @req be offloaded now?  Reads the type of its descriptor. */
bool offload_accepts(struct request *req);

/* Hand over @req, which has entered PLACE_HANDED_OVER (bypass.h).  False: no worker took it. */
bool offload_submit(struct request *req);

/* Child of a fork: reset. */
void offload_after_fork(void);

#endif
