/* SPDX-License-Identifier: MIT */
/*
 * bypass.h - requests that are under way without the engine.
 *
 * What goes to Linux AIO, or from its submitter straight to the workers, is
 * found here by the engine, aio_cancel and the close functions: an index of at
 * most BYPASS_MAX requests, however many there ever were.
 *
 * The engine asks which of them came before one of its own.  Each request has
 * a stamp, the order of submission.  No order is due to a request whose
 * submitting call has not returned: its thread may be in a handler that waits
 * for the other one.
 */
#ifndef RTAIO_BYPASS_H
#define RTAIO_BYPASS_H

#include <stdbool.h>
#include <stdint.h>

#include "request/request.h"

#define BYPASS_MAX 1024u

/* @drained: while bypass_watch() is on, a request left.  Any thread; async-signal-safe. */
void bypass_init(void (*drained)(void));

/* [submitter] The place of one more request in the order of submission. */
uint64_t bypass_stamp(void);

/*
 * [submitter] @req goes to @place: from here on the others take notice of it,
 * until bypass_leave_range() and bypass_leave().  False: there are too many.
 */
bool bypass_enter(struct request *req, enum request_place place);

/* [submitter] Its call goes on no longer; the record may be another request's by now. */
void bypass_return(struct request *req, uint32_t generation);

/*
 * [any thread] Its effect is there: its range is free for others.  Then, when the
 * result is published, or when the engine has given it its place in a queue, it is
 * gone for good.
 */
void bypass_leave_range(struct request *req);
void bypass_leave(struct request *req);

/*
 * [engine] Must @req, which is the engine's, wait for one of them?  A barrier
 * for all that came before on its descriptor, others for those that overlap; but
 * for none before the stamp @since, which was for another file.
 */
bool bypass_precedes(const struct request *req, uint64_t since);

/* [any thread] Does Linux AIO have any? */
bool bypass_has_direct(void);

/*
 * [any thread] Is any of @fd under way, or on its way to the engine, that is older
 * than the stamp @before?  A snapshot.
 */
bool bypass_has_any(int fd, uint64_t before);

/*
 * [any thread] The youngest of those on descriptors @first .. @last that is older
 * than *@stamp, which becomes its own; NULL: none.  So from UINT64_MAX on all are
 * found, the youngest first.  *@handle was right a moment ago: whoever acts on the
 * record must make sure of it.
 */
struct request *bypass_next(int first, int last, uint64_t *stamp, request_handle *handle);

/* [engine] Report when one leaves; to be set before looking whether to wait. */
void bypass_watch(bool is_on);
bool bypass_is_watched(void);

/* Child of a fork: nothing is under way. */
void bypass_after_fork(void);

#endif
