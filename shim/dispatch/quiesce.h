/* SPDX-License-Identifier: MIT */
/*
 * quiesce.h - free descriptors of their requests before they are closed.
 *
 * A request that has begun has found its file, and goes on.  A request that waits on a stream
 * might wait for ever, and is cancelled.  A request that waits on a file carries data which the
 * program has handed over: the open file is pinned for it (pin.h), and the descriptor is free.
 */
#ifndef RTAIO_QUIESCE_H
#define RTAIO_QUIESCE_H

#include <stdbool.h>
#include <stdint.h>

#include "request/request.h"

/*
 * [any thread] The descriptors @first .. @last are about to be closed.  Returns when no request
 * depends on them.  May wait for a copy, never for a device.  Async-signal-safe.
 */
void quiesce(int first, int last);

/* --- the rest: engine thread only --- */

/* MESSAGE_CLOSE came in. */
void quiesce_accept(struct request *question);

/*
 * @req was given back by its lane.  If its descriptor was closed since, @req gets the pin of its
 * file.  0, or -ECANCELED: there is no pin.
 */
int quiesce_take_bounced(struct request *req);

/*
 * The sequence number (bypass.h) from which on requests on @fd are for the file that it means now.
 */
uint64_t quiesce_since(int fd);

/* Are there closed files that requests may need?  At each tick: drop those that none needs. */
bool quiesce_is_watching(void);
void quiesce_tick(void);

/* Child of a fork: no file is kept. */
void quiesce_after_fork(void);

#endif
