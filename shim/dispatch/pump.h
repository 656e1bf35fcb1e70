/* SPDX-License-Identifier: MIT */
/*
 * pump.h - issue what order and room allow.  Engine thread only.
 */
#ifndef RTAIO_PUMP_H
#define RTAIO_PUMP_H

#include "order/fdqueue.h"

/* Something in @queue may have become free to go. */
void pump(struct fdqueue *queue);

/* Something that bypassed the engine left, for which one of the queues may have waited. */
void pump_awaiting(void);

/* The same, now and then: in case that nobody reports. */
void pump_watch_awaiting(void);

/* The ring has been entered, and has copied what it could: some more. */
void pump_held(void);

/* @queue is about to go. */
void pump_forget(struct fdqueue *queue);

#endif
