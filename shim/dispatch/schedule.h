/* SPDX-License-Identifier: MIT */
/*
 * schedule.h - issue what order and room allow.  Engine thread only.
 */
#ifndef RTAIO_SCHEDULE_H
#define RTAIO_SCHEDULE_H

#include "order/fdqueue.h"

/* Something in @queue may have become free to go. */
void schedule(struct fdqueue *queue);

/* Something that bypassed the engine left, for which one of the queues may have waited. */
void schedule_awaiting(void);

/* The same, now and then: in case that nobody reports. */
void schedule_watch_awaiting(void);

/* The ring has been entered, and has copied what it could: some more. */
void schedule_held(void);

/* @queue is about to go. */
void schedule_drop(struct fdqueue *queue);

#endif
