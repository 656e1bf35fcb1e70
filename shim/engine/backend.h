/* SPDX-License-Identifier: MIT */
/*
 * backend.h - the contract between the engine and its two backends, io_uring and worker threads.
 *
 * Everything here runs on the engine's thread.  A backend only executes; order, retries and results
 * are decided elsewhere.
 */
#ifndef RTAIO_BACKEND_H
#define RTAIO_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/inbox.h"
#include "request/request.h"

/* How a backend reports.  Set once by engine_init().  Called from flush(), wait() and reap(). */
struct backend_events {
	/* @req ended; @res is the kernel's result, unchanged. */
	void (*complete)(struct request *req, ssize_t res);
	/* The kernel's answer to a cancellation of @req: 0, -ENOENT or -EALREADY. */
	void (*cancelled)(struct request *req, int res);
};

struct backend {
	const char *name;

	/* Initialise.  A message in @inbox ends wait().  0, or -errno and no trace is left. */
	int (*open)(const struct backend_events *events, struct inbox *inbox);

	/*
	 * Execute @req, a read or a write.  The kernel may get it only in flush() or wait().  0, or
	 * -errno if @req was not taken.  Optional: without it workers execute everything.
	 */
	int (*submit)(struct request *req);

	/* Ask the kernel to cancel @req.  False: it could not be asked.  Optional. */
	bool (*cancel)(struct request *req);

	/* Submit what is prepared.  Optional. */
	void (*flush)(void);

	/*
	 * Submit what is prepared.  Then sleep until something completes, the wake word of the
	 * inbox differs from @wake_value, or @timeout_ns is over (UINT64_MAX: never).
	 */
	void (*wait)(uint32_t wake_value, uint64_t timeout_ns);

	/* Report completions without sleeping.  False: there were none.  Optional. */
	bool (*reap)(void);

	/* Should SQEs or completions be served before more messages?  Optional. */
	bool (*is_pressing)(void);

	/* Has the kernel stopped serving, as after a new seccomp filter?  Optional. */
	bool (*is_lost)(void);

	/*
	 * Nothing is in flight: close the inbox, then release everything.  Another engine may open
	 * the backend meanwhile.  False: there are messages, and all stays open.
	 */
	bool (*end)(void);

	/* Release everything, when another backend has taken over.  Optional. */
	void (*close)(void);
};

extern const struct backend backend_uring;
extern const struct backend backend_threads;

#endif
