/* SPDX-License-Identifier: MIT */
/*
 * backend.h - what serves the ring lane: the contract between the engine and
 * io_uring or the worker threads.
 *
 * Everything here runs on the engine thread.  A backend executes; it decides
 * nothing about order, retries or results.
 */
#ifndef RTAIO_BACKEND_H
#define RTAIO_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/inbox.h"
#include "request/request.h"

/* How a backend reports.  Set once by engine_init(); called on the engine thread from flush(),
 * wait() and reap(). */
struct backend_events {
	/* @req ended with @res, as the kernel gave it. */
	void (*complete)(struct request *req, ssize_t res);
	/* The cancellation of @req was answered: 0, -ENOENT or -EALREADY. */
	void (*cancelled)(struct request *req, int res);
};

struct backend {
	const char *name;

	/*
	 * Get ready.  A message in @inbox ends a wait.  0 or -errno, and then nothing
	 * is left behind.
	 */
	int (*open)(const struct backend_events *events, struct inbox *inbox);

	/*
	 * Begin to execute @req, a read or a write.  May put off handing it to
	 * the kernel until flush() or wait().  0, or -errno: it was not taken.
	 * Optional: without it there is no ring, and workers execute everything.
	 */
	int (*submit)(struct request *req);

	/* Ask the kernel to cancel @req.  False: it cannot be asked.  Optional. */
	bool (*cancel)(struct request *req);

	/* Hand over what is prepared.  Optional. */
	void (*flush)(void);

	/*
	 * Hand over what is prepared and sleep until something completes,
	 * the wake word of the inbox differs from @wake_value, or @timeout_ns is over
	 * (UINT64_MAX: never).
	 */
	void (*wait)(uint32_t wake_value, uint64_t timeout_ns);

	/* Report what is complete without sleeping.  Optional. */
	bool (*reap)(void);

	/* Is there more to hand over or to report than should wait for more messages?  Optional. */
	bool (*is_pressing)(void);

	/*
	 * Did the kernel stop serving, as when the program has installed a
	 * seccomp filter since?  Optional.
	 */
	bool (*is_lost)(void);

	/* Nothing is in flight: give everything back.  Optional. */
	void (*close)(void);
};

extern const struct backend backend_uring;
extern const struct backend backend_threads;

#endif
