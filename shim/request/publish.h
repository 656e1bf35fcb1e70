/* SPDX-License-Identifier: MIT */
/*
 * publish.h - make a result visible to the program.
 *
 * Any thread: the engine, a worker, a thread that reaps the direct lane, or a submitter.
 */
#ifndef RTAIO_PUBLISH_H
#define RTAIO_PUBLISH_H

#include "base/stats.h"
#include "request/request.h"

/* The bytes of all submissions of @req, or -errno. */
ssize_t publish_final_result(const struct request *req);

/*
 * Count a request that ends with @res.  @reads is the lane's first counter; those of writes and
 * fsyncs follow it.
 */
void publish_count(enum request_op op, ssize_t res, enum stats_counter reads);

/*
 * Count and publish.  Afterwards the aiocb belongs to the program, and the record still to the
 * caller.  Returns the waiters, for waiter_wake().
 */
uint64_t publish_result(struct request *req, ssize_t res, enum stats_counter reads);

/*
 * The list is complete and has no notification: wake its waiter, drop the members' reference.
 * Returns the wait slots, for waiter_wake_slots().
 */
uint64_t publish_silent_group(struct request *group);

#endif
