/* SPDX-License-Identifier: MIT */
/*
 * waitcomplete.h - aio_waitcomplete(), looked up by name, since glibc has none
 */
#ifndef RTAIO_TEST_WAITCOMPLETE_H
#define RTAIO_TEST_WAITCOMPLETE_H

#include "transparency.h"

/* False: the implementation has none, and the reason is printed. */
bool has_waitcomplete(void);

/*
 * A test which is one function run in a child, where there is aio_waitcomplete().  The child has
 * not called it yet.
 */
#define TEST_WAITCOMPLETE(test, function, deadline_ms) \
	TEST_WHERE(has_waitcomplete, test, function, deadline_ms)

extern const struct timespec at_once;

/* Collect one: its result, or -errno.  NULL: none came. */
struct aiocb *collect(ssize_t *res, const struct timespec *timeout);

/* Wait for the next one, until the default deadline.  NULL: none came. */
struct aiocb *collect_next(ssize_t *res);

/* The next one must be @cb; its result. */
ssize_t collect_this(const struct aiocb *cb);

void check_nothing_left(void);

/* Submit a read of one byte of a file that is cached.  Its result is 1. */
void read_byte(struct aiocb *cb);

/* A thread that collects one; begin_wait() returns when it sleeps.  Nothing may be left. */
struct waiter {
	pthread_t thread;
	_Atomic pid_t tid;
	struct aiocb *cb;
	ssize_t res;
};

void begin_wait(struct waiter *waiter);

/* The thread must have collected @cb; its result. */
ssize_t end_wait(struct waiter *waiter, const struct aiocb *cb);

#endif
