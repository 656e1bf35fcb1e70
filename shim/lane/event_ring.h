/* SPDX-License-Identifier: MIT */
/*
 * event_ring.h - Linux AIO's completions, taken in user space.
 *
 * A thread that polls or waits takes what is in the ring of the process's context
 * (aio_context.h) and reports it.  The protocol is described in event_ring.c and
 * modelled in test/model/event_ring.pml.
 */
#ifndef RTAIO_EVENT_RING_H
#define RTAIO_EVENT_RING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/*
 * The request with this iocb.data ended.  In whatever thread reaps, with
 * signals blocked.  Returns who waited for it, as waiter_wake() does.
 */
typedef uint64_t event_complete_fn(void *data, ssize_t res);

void event_ring_init(event_complete_fn *complete);

/* [any thread] Report what is complete, without sleeping.  Async-signal-safe. */
void event_ring_poll(void);

/*
 * [any thread] This thread is about to sleep where completions wake it, and
 * depends on direct ones.  Async-signal-safe.
 */
void event_ring_begin_wait(void);
void event_ring_end_wait(void);

/*
 * [any thread] Sleep at the ring until is_done(@arg).  0: perhaps it is, the
 * caller looks; -EBUSY (another thread is there), -ETIMEDOUT or -EINTR.
 * Async-signal-safe.
 */
int event_ring_wait(bool (*is_done)(const void *arg), const void *arg,
		    const struct timespec *deadline, bool can_cancel);

/*
 * [reaper] Sleep at the ring until there are events, for a moment at most, and
 * take them.  1: somebody waited for one of them, 0: nobody did, -EBUSY: another
 * thread is there, or the kernel refuses to sleep.
 */
int event_ring_attend(void);

/* [reaper] Once in each tick: take the events that have lain in the ring since an earlier one. */
void event_ring_take_left(void);

/* Child of a fork: the context is the parent's. */
void event_ring_after_fork(void);

#endif
