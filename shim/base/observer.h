/* SPDX-License-Identifier: MIT */
/*
 * observer.h - what an observer of the program's requests is told.
 *
 * An observer is a library of its own (shim/observers), which is loaded only if the user asks for
 * it.  It gets the program's calls instead of the library (api/observe.h), and by these functions
 * what happens inside. They may be called in any thread, in signal handlers, and by several threads
 * at once.
 */
#ifndef RTAIO_OBSERVER_H
#define RTAIO_OBSERVER_H

#include <aio.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/refusal.h"

struct aio_calls;
struct observed;

struct observer {
	/*
	 * The first use of AIO in this process, or in the child of a fork.  No other function is
	 * called before.  False: do not observe this process.
	 */
	bool (*start)(const struct observed *observed, bool is_child);
	const struct aio_calls *calls; /* takes the program's calls */

	/* The rest may be NULL. */

	/*
	 * [submitter] The inline lane did not complete the request, or the direct lane did not take
	 * it.
	 */
	void (*refused)(const struct aiocb *cb, enum refusal why);
	/*
	 * A lane other than inline has the request (enum probe_lane).  Of two calls the second
	 * counts.
	 */
	void (*issued)(const struct aiocb *cb, int lane);
	/* The program will see the result next: bytes or -errno. */
	void (*completed)(const struct aiocb *cb, ssize_t res);
	/* The program closes these descriptors now. */
	void (*closing)(int first, int last);
	/* [thread of a callback] Begins: @function is called next.  Ends: NULL. */
	void (*callback)(void (*function)(union sigval));
	/* The process ends by exit or _exit. */
	void (*ending)(void);
};

/* NULL: nobody observes.  Constant after the first use of AIO in a process. */
extern const struct observer *observer;

#define OBSERVE(function, ...)                                                           \
	do {                                                                             \
		if (__builtin_expect(observer != NULL, 0) && observer->function != NULL) \
			observer->function(__VA_ARGS__);                                 \
	} while (0)

#endif
