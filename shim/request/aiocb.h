/* SPDX-License-Identifier: MIT */
/*
 * aiocb.h - the private bytes of the program's struct aiocb.
 *
 * aiocb.c is the only file that touches them.  error_code and return_value
 * keep glibc's places; a handle of our record lies in the reserved bytes, and
 * behind it a position (submit_ahead.h).  An aiocb that was never submitted holds
 * garbage: nothing in it is trusted unless its error code says EINPROGRESS and
 * its handle names a live record which in turn names this aiocb.
 */
#ifndef RTAIO_AIOCB_H
#define RTAIO_AIOCB_H

#include <aio.h>
#include <stdbool.h>

#include "request/request.h"

/* Mark accepted: EINPROGRESS, return value 0, opcode as glibc stores it, handle of @req. */
void aiocb_begin(struct aiocb *cb, struct request *req);

/*
 * Publish: return value, then error code with release.  @res is >= 0 or
 * -errno.  The aiocb belongs to the program from here on.
 */
void aiocb_complete(struct aiocb *cb, ssize_t res);

/* The same for a request that was never in progress: everything a submission leaves, at once. */
void aiocb_complete_at_once(struct aiocb *cb, enum request_op op, ssize_t res, uint32_t number);

/* Its position (submit_ahead.h), 0 if it has none; garbage if it was never submitted. */
uint32_t aiocb_number(const struct aiocb *cb);

/* Record a refusal at the call: the error code only, as glibc does. */
void aiocb_reject(struct aiocb *cb, int err, ssize_t return_value);

/* Acquire load of the error code. */
int aiocb_error(const struct aiocb *cb);

/* What aio_return says. */
ssize_t aiocb_return(const struct aiocb *cb);

/* The handle in an aiocb in progress; garbage, which request_lookup() refuses, in others. */
request_handle aiocb_handle(const struct aiocb *cb);

/* The live record with this handle, if it is @cb's; else NULL. */
struct request *aiocb_lookup(const struct aiocb *cb, request_handle handle);

/* The live record behind an aiocb in progress, or NULL when we know none. */
struct request *aiocb_request(const struct aiocb *cb);

/*
 * Is it in progress, but another process's?  Its memory is shared, or copied by a fork.
 * Garbage is not.
 */
bool aiocb_is_foreign(const struct aiocb *cb);

#endif
