/* SPDX-License-Identifier: MIT */
/*
 * copier.h - a thread that copies for the submitting threads.
 *
 * Short reads from the page cache could be made in the submitting call.  But
 * while the program has so much work under way that it need not wait for them,
 * some are handed to this thread: then two processors copy.
 *
 * The copier never waits for a device: it reads with RWF_NOWAIT, and gives to the
 * engine what is not in memory.  It does not write, since a write may sleep, and
 * all that is queued behind it would wait.
 *
 * One case remains: the read's buffer blocks (userfaultfd, or a mapping of a frozen
 * file system).  Then the requests behind it wait, and so do closes of their
 * descriptors.  Without the copier the submitting call itself would wait.
 */
#ifndef RTAIO_COPIER_H
#define RTAIO_COPIER_H

#include <stdbool.h>

#include "request/fd_kind.h"
#include "request/request.h"

/* [submitter, also in handlers] Shall the copier have @req, which inline_accepts() took? */
bool copier_wants(const struct request *req, enum file_kind kind);

/*
 * [submitter, also in handlers] Hand over @req, which has entered PLACE_OFFLOADED
 * (bypass.h).  False: there is no copier.
 */
bool copier_submit(struct request *req);

/* First use: @ended hears, on the copier, what became of a request; it may not be done. */
void copier_start(void (*ended)(struct request *req, bool is_done));

/* Child of a fork: no thread, nothing queued. */
void copier_after_fork(void);

#endif
