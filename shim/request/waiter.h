/* SPDX-License-Identifier: MIT */
/*
 * waiter.h - threads that wait for requests, and how a completion finds them.
 *
 * Nobody registers in a list and nobody takes a lock: a record has one word of
 * interest.  Bit 63 says that somebody sleeps on the record's generation; that
 * is the way to wait for one request, with any number of threads.  Bit n says
 * that a thread of wait slot n waits for this request among others, asleep on
 * the slot's futex word.  A thread keeps its slot for life; the first 63
 * threads that ever wait for several requests have one of their own, later
 * ones share, at the price of spurious wakes.
 *
 * Async-signal-safe throughout: a handler that interrupts a waiter waits in
 * the same slot, and what it leaves behind is a bit, or a spurious wake.
 */
#ifndef RTAIO_WAITER_H
#define RTAIO_WAITER_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "request/request.h"

#define WAITER_SLOTS 63u

/*
 * [any thread] Sleep until the record @handle is published.  @deadline is
 * absolute CLOCK_MONOTONIC or NULL.  0 (published, or perhaps spurious: the
 * caller looks again), -ETIMEDOUT, -EINTR.  @can_cancel: act on
 * pthread_cancel while asleep.
 */
int waiter_wait_one(request_handle handle, const struct timespec *deadline, bool can_cancel);

/*
 * [any thread] Sleep until one of the records of @list, whose entries may be
 * NULL, is published.  Results as waiter_wait_one().
 */
int waiter_wait_any(const struct aiocb *const list[], int nent, const struct timespec *deadline,
		    bool can_cancel);

/*
 * [completing thread] The result of @req is published: end its generation.
 * Returns who is interested, for waiter_wake().
 */
uint64_t waiter_publish(struct request *req);

/*
 * [completing thread] Wake who sleeps on the generation of @req, whose record
 * may be another request's by now.  Returns @interest: the caller may gather it
 * over a batch, and has to wake the wait slots.
 */
uint64_t waiter_wake(struct request *req, uint64_t interest);

/*
 * [completing thread] Wake the slots in what was gathered from waiter_wake().  True:
 * somebody slept there, or on a generation.
 */
bool waiter_wake_slots(uint64_t interest);

#endif
