/* SPDX-License-Identifier: MIT */
/*
 * waiter.h - threads that wait for requests, and how a completion finds them.
 *
 * There is no list and no lock: each record has a word of waiters.  Bit 63: a thread waits
 * for this request alone and sleeps on its generation.  Bit n: a thread waits for several
 * requests, this one among them, and sleeps on the futex word of wait slot n.  A thread keeps
 * its slot for life.  The first 62 threads that wait for several requests have a slot each;
 * later ones share, at the price of spurious wakes.  One more slot is for aio_waitcomplete.
 *
 * Async-signal-safe.  A handler that interrupts a waiter uses the same slot, and leaves at
 * most a bit or a spurious wake behind.
 */
#ifndef RTAIO_WAITER_H
#define RTAIO_WAITER_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "request/request.h"

#define WAITER_SLOTS       62u
#define WAITER_COMPLETIONS (UINT64_C(1) << 62) /* threads that wait for whatever ends */

/*
 * [any thread] Sleep until the request @handle is published.  @deadline is absolute
 * CLOCK_MONOTONIC or NULL.  @can_cancel: act on pthread_cancel while asleep.  0 (perhaps
 * spurious: check again), -ETIMEDOUT or -EINTR.
 */
int waiter_wait_one(request_handle handle, const struct timespec *deadline, bool can_cancel);

/* [any thread] The same until a request of @list is published.  Entries may be NULL. */
int waiter_wait_any(const struct aiocb *const list[], int nent, const struct timespec *deadline,
		    bool can_cancel);

/*
 * [any thread] Sleep until WAITER_COMPLETIONS is woken, unless is_over() says so first.  The rest
 * as above; a cancellation point.
 */
int waiter_wait_completions(bool (*is_over)(void), const struct timespec *deadline);

/*
 * [completing thread] The result of @req is in its aiocb: end the generation.  Returns the
 * waiters, for waiter_wake().
 */
uint64_t waiter_publish(struct request *req);

/*
 * [completing thread] Wake the threads that sleep on the generation of @req; the record may be
 * another request's by now.  Returns @waiters, which the caller passes to waiter_wake_slots(),
 * perhaps gathered over a batch.
 */
uint64_t waiter_wake(struct request *req, uint64_t waiters);

/* [completing thread] Wake the slots.  True: a thread slept there or on a generation. */
bool waiter_wake_slots(uint64_t waiters);

#endif
