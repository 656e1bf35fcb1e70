/* SPDX-License-Identifier: MIT */
/*
 * offload.h - requests that their submitter hands straight to a worker.
 *
 * What needs a thread in any case, a long transfer, a buffered write or a sync,
 * goes there while a worker is idle: it is spared the way through the engine.
 *
 * Runs in the program's threads, also in handlers; no lock, no memory.
 */
#ifndef RTAIO_OFFLOAD_H
#define RTAIO_OFFLOAD_H

#include <stdbool.h>

#include "request/request.h"

/* May @req be offloaded now?  Looks at its descriptor as far as it needs to. */
bool offload_accepts(struct request *req);

/*
 * Hand over @req, which has entered PLACE_OFFLOADED (bypass.h).  False: no
 * worker took it.
 */
bool offload_submit(struct request *req);

/* Child of a fork. */
void offload_after_fork(void);

#endif
