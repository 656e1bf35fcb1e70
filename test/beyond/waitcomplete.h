/* SPDX-License-Identifier: MIT */
/*
 * waitcomplete.h - aio_waitcomplete() and SIGEV_EVENTFD for programs that are not linked with the library
 *
 * A test is one function, run in a child that has not called aio_waitcomplete() yet.  It is skipped on
 * implementations without the function.
 */
#ifndef RTAIO_TEST_WAITCOMPLETE_H
#define RTAIO_TEST_WAITCOMPLETE_H

#include "../support/transparency.h"

#include <dlfcn.h>

#define SIGEV_EVENTFD        0x5245
#define sigev_notify_eventfd sigev_signo

typedef ssize_t waitcomplete_fn(struct aiocb **iocbp, const struct timespec *timeout);

static const struct timespec at_once;

/* NULL: there is none.  The first call is that of the macro below: dlsym is for no handler. */
static inline waitcomplete_fn *find_waitcomplete(void)
{
	static waitcomplete_fn *function;
	void *symbol;

	if (!function) {
		symbol = dlsym(RTLD_DEFAULT, "aio_waitcomplete");
		memcpy(&function, &symbol, sizeof(function));
	}
	return function;
}

#define TEST_WAITCOMPLETE(test, function, deadline_ms)            \
	static void test(void **state)                            \
	{                                                         \
		(void)state;                                      \
		if (!find_waitcomplete())                         \
			skip_because("no aio_waitcomplete here"); \
		check_or_skip_in_child(function, deadline_ms);    \
	}

/* Collect one: its result, or -errno.  NULL: none came. */
static inline struct aiocb *collect(ssize_t *res, const struct timespec *timeout)
{
	struct aiocb *cb = (struct aiocb *)res;

	*res = find_waitcomplete()(&cb, timeout);
	if (*res < 0) {
		check_equal(*res, -1);
		*res = -errno;
	}
	return cb;
}

/* Wait for the next one, which must be @cb. */
static inline ssize_t collect_this(const struct aiocb *cb)
{
	struct timespec timeout = { .tv_sec = default_deadline_ms() / 1000 };
	ssize_t res;
	const struct aiocb *found = collect(&res, &timeout);

	if (!found)
		check_failed("nothing came: %s", strerror((int)-res));
	check(found == cb);
	check_equal(aio_error(cb), res < 0 ? -res : 0);
	return res;
}

static inline void check_nothing_left(void)
{
	ssize_t res;

	check(collect(&res, &at_once) == NULL);
	check_equal(res, -EAGAIN);
}

#endif
