/* SPDX-License-Identifier: MIT */
/*
 * schedule.h - issue the requests that order and room allow.  Engine thread only.
 */
#ifndef RTAIO_SCHEDULE_H
#define RTAIO_SCHEDULE_H

#include "order/fdqueue.h"

/* Issue from @queue all that order and room allow. */
void schedule(struct fdqueue *queue);

/* A request left the bypass table, or O_DIRECT bytes ended: queues may have waited for that. */
void schedule_awaiting(void);

/* The same at each tick, in case it was not reported. */
void schedule_watch_awaiting(void);

/* The ring was entered and has copied: issue more from queues that waited for that. */
void schedule_throttled(void);

/* @queue is about to be freed. */
void schedule_drop(struct fdqueue *queue);

#endif
