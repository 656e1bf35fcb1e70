/* SPDX-License-Identifier: MIT */
/*
 * cancel.h - aio_cancel.
 */
#ifndef RTAIO_CANCEL_H
#define RTAIO_CANCEL_H

#include <aio.h>
#include <stdbool.h>

#include "request/request.h"

/*
 * [any thread] aio_cancel: one of AIO_CANCELED, AIO_NOTCANCELED, AIO_ALLDONE.
 * @handle 0: everything on @fd.
 */
int cancel_and_wait(int fd, request_handle handle);

/* --- the rest: engine thread only --- */

/* MESSAGE_CANCEL came in. */
void cancel_accept(struct request *question);

/* The attempt to cancel @req is over: cancelled, goes on (@is_kept), or ended otherwise. */
void cancel_answer(struct request *req, bool is_cancelled, bool is_kept);

/* Answer the cancellations that are complete. */
void cancel_serve(void);

/* Is no cancellation pending? */
bool cancel_is_idle(void);

/* Child of a fork: no cancellation is pending. */
void cancel_after_fork(void);

#endif
