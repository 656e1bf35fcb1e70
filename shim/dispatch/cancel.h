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

/* @req, which was to be cancelled, ended (was it cancelled?) or goes on (@is_kept). */
void cancel_answer(struct request *req, bool is_cancelled, bool is_kept);

/* Answer what has its result. */
void cancel_serve(void);

/* Does nobody wait? */
bool cancel_is_idle(void);

/* Child of a fork: nobody waits. */
void cancel_after_fork(void);

#endif
