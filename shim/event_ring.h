/* SPDX-License-Identifier: MIT */
/*
 * event_ring.h - Linux AIO's completions, taken in user space by whoever looks.
 *
 * One context serves the process.  The kernel maps its event ring into our
 * memory; a thread that polls or waits takes what is there and reports it.
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

/* [any thread] See to it that there is a context.  0 or -errno. */
int event_ring_open(void);

/* [any thread] The context's id, once event_ring_open() has succeeded. */
void *event_ring_context(void);

/* [any thread] The kernel refuses io_submit: no more requests; what is in flight is still reaped. */
void event_ring_refuse(void);

/* [any thread] Report what is complete, without sleeping.  Async-signal-safe. */
void event_ring_poll(void);

/*
 * [any thread] Like event_ring_poll(), and what another thread is taking is
 * reported, too, when it returns.  May wait for that thread, for a moment.
 */
void event_ring_settle(void);

/*
 * [any thread] Is there an event with this result?  A look without the claim:
 * another thread may take it at the same time.
 */
bool event_ring_shows(ssize_t res);

/* [any thread] How far has the kernel got?  And has this one ended since, with success? */
unsigned event_ring_tail(void);
bool event_ring_has_since(unsigned tail, const void *data);

/*
 * [any thread] Sleep until is_done(arg), reaping or while another thread
 * reaps.  0: it was, for a moment at least; -ETIMEDOUT or -EINTR.  Async-signal-safe.
 */
int event_ring_wait(bool (*is_done)(const void *arg), const void *arg,
		    const struct timespec *deadline, bool can_cancel);

/* Child of a fork: the context is the parent's. */
void event_ring_forget(void);

#endif
