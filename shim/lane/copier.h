/* SPDX-License-Identifier: MIT */
/*
 * copier.h - a thread that copies for the submitting threads.
 *
 * The submitting call could make short reads from the page cache itself.  But if the
 * program submits many requests before it asks for their results, some of the reads go to this
 * thread.  Then two processors copy.
 *
 * The copier never waits for a device: it reads with RWF_NOWAIT, and gives misses to the engine.
 * It never writes: a write may sleep, and the requests behind it would wait.
 *
 * One case remains: the read's buffer blocks (userfaultfd, or a mapping of a frozen file system).
 * Then the requests behind it wait, and so do closes of their descriptors.  Without the copier the
 * submitting call itself would wait.
 */
#ifndef RTAIO_COPIER_H
#define RTAIO_COPIER_H

#include <stdbool.h>

#include "request/fd_hints.h"
#include "request/request.h"

/*
 * [submitter, also in handlers] Should the copier get @req, accepted by inline_accepts() as @kind?
 */
bool copier_wants(const struct request *req, enum file_kind kind);

/*
 * [submitter, also in handlers] Hand over @req, which has entered PLACE_HANDED_OVER
 * (bypass.h).  False: there is no copier.
 */
bool copier_submit(struct request *req);

/* [engine, or where there is none, a submitter] Make the thread, if there is none. */
void copier_provide(void);

/*
 * First use.  @ended is called for each request, on the copier's thread, or where a request is
 * refused.  @is_done is false if the engine has to perform it.
 */
void copier_start(void (*ended)(struct request *req, bool is_done));

/* Child of a fork: no thread, nothing queued. */
void copier_after_fork(void);

#endif
