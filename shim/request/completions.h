/* SPDX-License-Identifier: MIT */
/*
 * completions.h - requests that have ended, for aio_waitcomplete.
 *
 * A request that is to be collected there has a second record, its completion.  The submitter makes
 * it.  Whoever publishes the result adds it to the list.  aio_waitcomplete takes it from there, and
 * so does aio_return: each completion has one taker.
 *
 * Completions are kept for requests with SIGEV_EVENTFD, and for all from the first call of
 * aio_waitcomplete on.  In a process that does neither, nothing here costs more than a load.
 */
#ifndef RTAIO_COMPLETIONS_H
#define RTAIO_COMPLETIONS_H

#include <aio.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "request/request.h"

extern _Atomic bool completions_keep_all; /* set for good, as the next one */
extern _Atomic bool completions_were_made;
extern _Atomic unsigned completions_nr_elsewhere; /* all that were not in the direct lane */

/* [any thread] Is each request to have one?  A thread that does not know yet is not late. */
static inline bool completions_are_kept(void)
{
	return atomic_load_explicit(&completions_keep_all, memory_order_relaxed);
}

/* [any thread] May a complete aiocb have one? */
static inline bool completions_may_exist(void)
{
	return atomic_load_explicit(&completions_were_made, memory_order_relaxed);
}

/* [any thread] From here on each request has one. */
void completions_keep(void);

/* [submitter] The completion of the request that @cb will be.  NULL: no memory. */
struct request *completions_make(struct aiocb *cb);

/* [submitter] The submission failed.  NULL is allowed. */
void completions_discard(struct request *completion);

/*
 * [completing thread] The result @res is in the aiocb.  @is_direct: it was in the direct lane.
 * The caller wakes WAITER_COMPLETIONS next.
 */
void completions_add(struct request *completion, ssize_t res, bool is_direct);

/* [any thread] The oldest one, with its result: bytes or -errno.  NULL: there is none. */
struct aiocb *completions_take(ssize_t *res);

/* [any thread] Is there perhaps one? */
bool completions_exist(void);

/* [any thread] The program collects the complete @cb by aio_return. */
void completions_forget(const struct aiocb *cb);

/* Child of a fork: nothing is complete. */
void completions_after_fork(void);

#endif
