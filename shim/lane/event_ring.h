/* SPDX-License-Identifier: MIT */
/*
 * event_ring.h - completions of Linux AIO, taken in user space.
 *
 * A thread that polls or waits takes the events in the ring of the process's context
 * (aio_context.h) and reports them.  event_ring.c describes the protocol.
 */
#ifndef RTAIO_EVENT_RING_H
#define RTAIO_EVENT_RING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/*
 * The request with this iocb.data ended.  Called on the thread that reaps, with signals blocked.
 * Returns the wait slots to wake, as waiter_wake() does.
 */
typedef uint64_t event_complete_fn(void *data, ssize_t res);

void event_ring_init(event_complete_fn *complete);

/* [any thread] Report completions, without sleeping.  Async-signal-safe. */
void event_ring_poll(void);

/*
 * [any thread] Call submit(@arg), which submits to the ring, and report completions until
 * is_over(@arg).  No other thread takes events meanwhile.  False: another thread is at the ring,
 * and nothing was submitted.  Async-signal-safe.
 */
bool event_ring_submit(void (*submit)(void *arg), bool (*is_over)(const void *arg), void *arg);

/*
 * [any thread] This thread is about to wait for direct requests, and will not sleep at the ring.
 * Async-signal-safe.
 */
void event_ring_begin_wait(void);
void event_ring_end_wait(void);

/*
 * [any thread] Sleep at the ring until is_done(@arg).  0: it may be, so look again; -EBUSY: another
 * thread is at the ring; -ETIMEDOUT or -EINTR.  Async-signal-safe.
 */
int event_ring_wait(bool (*is_done)(const void *arg), const void *arg,
		    const struct timespec *deadline, bool can_cancel);

/*
 * [reaper] Sleep at the ring until there are events, for a moment at most, and take them.  1: a
 * thread waited for one of them; 0: none did; -EBUSY: another thread is at the ring, or seccomp
 * refuses the sleep.
 */
int event_ring_serve(void);

/* [reaper] At each tick: take the events that have lain in the ring for some ticks. */
void event_ring_take_left(void);

/* Child of a fork: the context is the parent's. */
void event_ring_after_fork(void);

#endif
