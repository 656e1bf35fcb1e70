/* SPDX-License-Identifier: MIT */
/*
 * outside.h - requests under way outside the engine.
 */
#ifndef RTAIO_OUTSIDE_H
#define RTAIO_OUTSIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "request.h"

/*
 * [submitter] @req belongs to the lane from here on: barriers and overlapping
 * requests take notice of it, until outside_leave_range() and outside_leave().
 */
void outside_enter(struct request *req);

/*
 * [engine] The exact answers, where the filter and the counts say "perhaps":
 * is there a request of the lane that overlaps @req, or that is counted in
 * @epoch of @fd, and whose submitting call has returned?  Before it has, no
 * order is due; its thread may be in a handler and wait for @req.  These look
 * at every record.
 */
bool outside_precedes(const struct request *req);
bool outside_precedes_barrier(int fd, uint32_t epoch);

/* [any thread] Is any request of @fd in the lane, or between it and the engine?  A snapshot. */
bool outside_has_any(int fd);

/*
 * [any thread] The numbers @first .. @last are about to mean other files: what
 * the kernel gives back of theirs can no longer be done by number.  Async-signal-safe.
 */
void outside_disown(int first, int last);
bool outside_is_disowned(const struct request *req);

/* [any thread] Has its submitting call returned, or, of a list, submitted it and gone on? */
bool outside_has_returned(const struct request *req);

/* [submitter] The submitting call goes on no longer; the record may be another request's by now. */
void outside_return(struct request *req, uint32_t generation);

/* [any thread] Its range is no longer the lane's business; then, it is gone for good. */
void outside_leave_range(struct request *req);
void outside_leave(struct request *req);

#endif
