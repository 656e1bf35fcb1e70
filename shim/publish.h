/* SPDX-License-Identifier: MIT */
/*
 * publish.h - the moment at which a result becomes the program's to see.
 *
 * Any thread: the engine, a thread that reaps the direct lane, a submitter
 * whose list ended in its own hands.  All return wait slots that the caller
 * wakes (waiter.h), perhaps gathered over a batch.
 */
#ifndef RTAIO_PUBLISH_H
#define RTAIO_PUBLISH_H

#include "request.h"

/*
 * Return value, error code, waiters on @req alone; in this order.  The aiocb
 * is the program's afterwards, the record still the caller's.
 */
uint64_t publish_result(struct request *req, ssize_t res);

/* The list is complete and nobody asked to be notified: wake its waiter, let go. */
uint64_t publish_silent_group(struct request *group);

#endif
