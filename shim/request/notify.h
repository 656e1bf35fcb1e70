/* SPDX-License-Identifier: MIT */
/*
 * notify.h - tell the program that a request, or a list, is complete.
 *
 * The request keeps its record until the notification is delivered.  The aiocb belongs to the
 * program before that.
 */
#ifndef RTAIO_NOTIFY_H
#define RTAIO_NOTIFY_H

#include <signal.h>
#include <stdbool.h>

#include "request/request.h"

/*
 * [submitting thread] Copy @event.  NULL and unknown kinds mean no notification, as in glibc.
 * 0; -EAGAIN: no memory to copy the attributes; or an error of eventfd_get().
 */
int notify_prepare(struct notification *notification, const struct sigevent *event);

/* [any thread] Free what notify_prepare() took, without delivery. */
void notify_discard(struct notification *notification);

bool notify_is_wanted(const struct notification *notification);

/* Does @event ask for no notification?  Only such a request may bypass the engine and end later. */
static inline bool notify_is_silent(const struct sigevent *event)
{
	return event->sigev_notify == SIGEV_NONE ||
	       (event->sigev_notify == SIGEV_SIGNAL && event->sigev_signo == 0);
}

/* [any thread] Queue the signal; an invalid one is dropped.  -EAGAIN: the signal queue is full. */
int notify_signal(const struct notification *notification);

/* [any thread] Queue the signal.  If the queue is full, send it without its value. */
void notify_signal_now(const struct notification *notification);

/* [engine] Deliver the notification of the published @req, now or later, then free the record. */
void notify_deliver(struct request *req);

/* [engine] Does a notification wait for notify_tick()?  A callback? */
bool notify_is_waiting(void);
bool notify_is_waiting_for_thread(void);

/* [engine] Try the waiting notifications again.  True: one was delivered. */
bool notify_tick(void);

/* Child of a fork: nothing to deliver. */
void notify_after_fork(void);

#endif
