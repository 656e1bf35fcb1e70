/* SPDX-License-Identifier: MIT */
/*
 * quiesce.h - a descriptor is about to be closed.
 *
 * What has begun has found its file, and goes on.  What waits on a stream might
 * wait for ever: it is cancelled.  What waits on a file is data that the program
 * has handed over: the open file is kept for it (pin.h), and the descriptor is
 * free.
 */
#ifndef RTAIO_QUIESCE_H
#define RTAIO_QUIESCE_H

#include <stdbool.h>
#include <stdint.h>

#include "request/request.h"

/*
 * [any thread] The descriptors @first .. @last are about to be closed.  Returns
 * when no request depends on them any more, which waits for no transfer.
 * Async-signal-safe.
 */
void quiesce(int first, int last);

/* --- the rest: engine thread only --- */

/* MESSAGE_CLOSE came in. */
void quiesce_accept(struct request *question);

/*
 * Linux AIO gave @req back.  If its descriptor was closed since, it gets the
 * file that was kept for it.  0 or -ECANCELED: there is none.
 */
int quiesce_take_bounced(struct request *req);

/* The stamp (bypass.h) from which on requests for @fd are for the file that it means now. */
uint64_t quiesce_since(int fd);

/* Does it keep files for what Linux AIO may give back?  Now and then: give up what it no longer needs. */
bool quiesce_is_watching(void);
void quiesce_tick(void);

/* Child of a fork: nothing was closed. */
void quiesce_after_fork(void);

#endif
