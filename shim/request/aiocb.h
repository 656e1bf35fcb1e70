/* SPDX-License-Identifier: MIT */
/*
 * aiocb.h - the private bytes of the program's struct aiocb.
 *
 * aiocb.c is the only file that touches them.  error_code and return_value keep glibc's
 * places.  The reserved bytes hold the handle of the record, then a position
 * (submit_ahead.h) and the handle of its completion (completions.h).  An aiocb that was never
 * submitted holds garbage.  So the handle is trusted only if the error code says EINPROGRESS and
 * the record names this aiocb.
 */
#ifndef RTAIO_AIOCB_H
#define RTAIO_AIOCB_H

#include <aio.h>
#include <stdbool.h>

#include "request/request.h"

/* Mark accepted: EINPROGRESS, return value 0, opcode as glibc stores it, handle of @req. */
void aiocb_begin(struct aiocb *cb, struct request *req);

/* Publish @res, bytes or -errno.  The aiocb belongs to the program from here on. */
void aiocb_complete(struct aiocb *cb, ssize_t res);

/* Both for a request that is complete when its submitting call returns.  It has no record. */
void aiocb_complete_at_once(struct aiocb *cb, enum request_op op, bool is_vectored, ssize_t res,
			    uint32_t position);

/* The position (submit_ahead.h), 0: none; garbage if the aiocb was never submitted. */
uint32_t aiocb_position(const struct aiocb *cb);

/* The submitting call fails with @err: store what glibc stores then. */
void aiocb_reject(struct aiocb *cb, int err, ssize_t return_value);

/* The error code.  An acquire load, and sequentially consistent for waiter.c. */
int aiocb_error(const struct aiocb *cb);

ssize_t aiocb_return(const struct aiocb *cb);

/* The handle of an aiocb in progress.  In others garbage, which aiocb_lookup() refuses. */
request_handle aiocb_handle(const struct aiocb *cb);

/* The live record with this handle, if it is @cb's; else NULL. */
struct request *aiocb_lookup(const struct aiocb *cb, request_handle handle);

/* The live record of an aiocb in progress, else NULL. */
struct request *aiocb_request(const struct aiocb *cb);

/* The record by which aio_waitcomplete collects the request that @cb is about to be. */
void aiocb_set_completion(struct aiocb *cb, struct request *completion);

/* The same record if it is still @cb's; else NULL. */
struct request *aiocb_completion(const struct aiocb *cb);

/* Is it in progress in another process: the parent, or one that shares it?  Garbage: false. */
bool aiocb_is_foreign(const struct aiocb *cb);

#endif
