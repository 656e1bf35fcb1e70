/* SPDX-License-Identifier: MIT */
/*
 * event_ring.h - Linux AIO's completions, taken in user space by whoever looks.
 *
 * A thread that polls or waits takes what is in the ring of the process's context
 * (aio_context.h) and reports it.
 * The protocol is described in event_ring.c and modelled in
 * test/model/event_ring.pml.
 */
#ifndef RTAIO_EVENT_RING_H
#define RTAIO_EVENT_RING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/*
 * The request with this iocb.data ended.  In whatever thread reaps, with
 * signals blocked.  Returns the wait slots to wake (waiter.h).
 */
typedef uint64_t event_complete_fn(void *data, ssize_t res);

void event_ring_init(event_complete_fn *complete);

/* [any thread] Report what is complete, without sleeping.  Async-signal-safe. */
void event_ring_poll(void);

/*
 * [any thread] Like event_ring_poll(), and what another thread is taking is
 * reported, too, when it returns.  May wait for that thread, for a moment.
 */
void event_ring_settle(void);

/*
 * [any thread] Sleep until is_done(arg), reaping or while another thread
 * reaps.  0: it was, for a moment at least; -ETIMEDOUT or -EINTR.  Async-signal-safe.
 */
int event_ring_wait(bool (*is_done)(const void *arg), const void *arg,
		    const struct timespec *deadline, bool can_cancel);

/* Child of a fork: the context is the parent's. */
void event_ring_forget(void);

#endif
