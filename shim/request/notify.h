/* SPDX-License-Identifier: MIT */
/*
 * notify.h - tell the program that a request, or a list, is complete.
 *
 * The request keeps its record until the notification is delivered; the aiocb
 * has long been the program's again.
 */
#ifndef RTAIO_NOTIFY_H
#define RTAIO_NOTIFY_H

#include <signal.h>
#include <stdbool.h>

#include "request/request.h"

/*
 * [submitting thread] Copy what @event asks for.  NULL: no notification.
 * Unknown kinds mean none, as in glibc.  0 or -EAGAIN (no memory for a copy
 * of the attributes).
 */
int notify_prepare(struct notification *notification, const struct sigevent *event);

/* [any thread] Give back what notify_prepare() took.  For requests that never ran. */
void notify_discard(struct notification *notification);

/* Is there anything to deliver? */
bool notify_is_wanted(const struct notification *notification);

/*
 * [any thread] Queue the signal.  0, or -EAGAIN: the queue of the process is
 * full.
 */
int notify_signal(const struct notification *notification);

/* [any thread] The same where nobody can try again: a full queue costs the signal its value. */
void notify_signal_now(const struct notification *notification);

/*
 * [engine] Deliver for @req, which is published, and free its record then or
 * later.
 */
void notify_deliver(struct request *req);

/* [engine] Is there anything that notify_tick() could help?  Is a callback? */
bool notify_is_waiting(void);
bool notify_is_waiting_for_thread(void);

/*
 * [engine] Now and then while notify_is_waiting(): retry what could not be
 * delivered.  True: something was.
 */
bool notify_tick(void);

/* Child of a fork: nothing to deliver. */
void notify_after_fork(void);

#endif
