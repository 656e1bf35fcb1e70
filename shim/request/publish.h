/* SPDX-License-Identifier: MIT */
/*
 * publish.h - the moment at which a result becomes the program's to see.
 *
 * Any thread: the engine, a worker, a thread that reaps the direct lane, a
 * submitter whose list ended in its own hands.
 */
#ifndef RTAIO_PUBLISH_H
#define RTAIO_PUBLISH_H

#include "base/stats.h"
#include "request/request.h"

/* What the program is to see: bytes over all submissions of @req, or -errno. */
ssize_t publish_final_result(const struct request *req);

/*
 * Count a request that ends with @res.  @reads is the first of the lane's
 * counters; those for writes and fsyncs follow it.
 */
void publish_count(enum request_op op, ssize_t res, enum stats_counter reads);

/*
 * Count it, as above.  Return value, then error code.  The aiocb is the program's
 * afterwards, the record still the caller's.  Returns who is to be woken by
 * waiter_wake().
 */
uint64_t publish_result(struct request *req, ssize_t res, enum stats_counter reads);

/*
 * The list is complete and nobody asked to be notified: wake its waiter, let
 * go.  Returns wait slots, which the caller wakes.
 */
uint64_t publish_silent_group(struct request *group);

#endif
