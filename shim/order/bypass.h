/* SPDX-License-Identifier: MIT */
/*
 * bypass.h - requests in flight that bypass the engine.
 *
 * The engine, aio_cancel and the close functions find here the requests that went to Linux
 * AIO, to the copier, or from their submitter straight to the workers.
 *
 * A sequence number gives each request its place in the order of submission.  The engine asks which
 * requests precede one of its own.  A request whose submitting call has not returned precedes
 * none: its thread may be in a handler that waits for the engine's request.
 */
#ifndef RTAIO_BYPASS_H
#define RTAIO_BYPASS_H

#include <stdbool.h>
#include <stdint.h>

#include "request/request.h"

#define BYPASS_MAX 1024u

/* @drained: a request has left while bypass_watch() is on.  Any thread; async-signal-safe. */
void bypass_init(void (*drained)(void));

/* [submitter] A new sequence number. */
uint64_t bypass_seq(void);

/* [submitter] Enter @req in the table, at @place.  False: BYPASS_MAX are in flight. */
bool bypass_enter(struct request *req, enum request_place place);

/* [submitter] The submitting call returns.  The record may be another request's by now. */
void bypass_return(struct request *req, uint32_t generation);

/*
 * [any thread] First the range, when the transfer is done: it is free for others.  Then the
 * slot, when the result is published or the engine has put the request in a queue.
 */
void bypass_leave_range(struct request *req);
void bypass_leave(struct request *req);

/*
 * [engine] Must @req wait for a request that bypasses the engine?  A barrier waits for all
 * earlier ones of its descriptor, a transfer for those that overlap.  Sequence numbers below @since
 * belong to a file that the descriptor meant before.
 */
bool bypass_precedes(const struct request *req, uint64_t since);

/* [any thread] Is any request in flight in Linux AIO? */
bool bypass_has_direct(void);

/*
 * [any thread] Is a request of @fd with a sequence number below @before in flight here, or on its
 * way to the engine?  A snapshot.
 */
bool bypass_has_any(int fd, uint64_t before);

/*
 * [any thread] The youngest request on descriptors @first .. @last that is older than
 * *@submit_seq; sets *@submit_seq to its sequence number.  NULL: none.  To iterate, begin with
 * UINT64_MAX.  The record may end at any time: check *@handle before you act on it.
 */
struct request *bypass_next(int first, int last, uint64_t *submit_seq, request_handle *handle);

/* [engine] Call @drained when a request leaves.  Set it before bypass_precedes() decides. */
void bypass_watch(bool is_on);
bool bypass_is_watched(void);

/* Child of a fork: nothing is in flight. */
void bypass_after_fork(void);

#endif
