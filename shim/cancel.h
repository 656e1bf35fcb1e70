/* SPDX-License-Identifier: MIT */
/*
 * cancel.h - aio_cancel, and closing a descriptor that requests wait for.
 */
#ifndef RTAIO_CANCEL_H
#define RTAIO_CANCEL_H

#include <aio.h>
#include <stdbool.h>

#include "request.h"

/*
 * [any thread] aio_cancel: one of AIO_CANCELED, AIO_NOTCANCELED, AIO_ALLDONE.
 * @handle 0: everything on @fd.
 */
int cancel_and_wait(int fd, request_handle handle);

/*
 * [any thread] The descriptors @first .. @last are about to be closed: wait
 * until no accepted request depends on their numbers any more.
 */
void cancel_before_close(int first, int last);

/* --- the rest: engine thread only --- */

/* MESSAGE_CANCEL and MESSAGE_CLOSE came in. */
void cancel_accept(struct message *message);
void cancel_accept_closing(struct message *message);

/* Nobody will serve @message: answer its caller. */
void cancel_refuse(struct message *message);

/* @req, which was to be cancelled, ended (was it cancelled?) or goes on (@is_kept). */
void cancel_answer(struct request *req, bool is_cancelled, bool is_kept);

/* Answer what has its result. */
void cancel_serve(void);
void cancel_serve_closings(void);

/* Does a close wait for something that tells nobody?  Does anybody wait at all? */
bool cancel_is_watching(void);
bool cancel_is_idle(void);

/* Child of a fork: nobody waits. */
void cancel_forget(void);

#endif
