/* SPDX-License-Identifier: MIT */
/*
 * direct.h - the direct lane: O_DIRECT through Linux AIO, from thread to thread.
 *
 * The submitting thread calls io_submit; whoever polls or waits finds the
 * completion in the event ring that the kernel maps into the process.  No
 * thread of ours is in the path, unless something else depends on such a
 * request: then a reaper thread watches the ring (direct_want_reaper).
 *
 * The protocol is described in direct.c and modelled in test/model/direct.pml.
 */
#ifndef RTAIO_DIRECT_H
#define RTAIO_DIRECT_H

#include <stdbool.h>
#include <time.h>

#include "request.h"

/* How the lane reports, in whatever thread reaps; signals are blocked there. */
struct direct_events {
	/* @req ended.  Returns the wait slots to wake (waiter.h). */
	uint64_t (*complete)(struct request *req, ssize_t res);
	/*
	 * The kernel would have waited: the engine must do it, before all that
	 * it holds back for the sake of @req.  The request stays entered until
	 * direct_leave_range() and direct_leave().  Returns wait slots, too.
	 */
	uint64_t (*bounce)(struct request *req);
	/* While direct_watch() is on: something ended.  Async-signal-safe, like all of these. */
	void (*drained)(void);
};

void direct_init(const struct direct_events *events);

/* [submitter] May @req, whose descriptor is identified, go this way now? */
bool direct_accepts(const struct request *req);

/*
 * [submitter] @req belongs to the lane from here on: barriers and overlapping
 * requests take notice of it, until direct_leave_range() and direct_leave().
 */
void direct_enter(struct request *req);

/* [any thread] Its range is no longer the lane's business; then, it is gone for good. */
void direct_leave_range(struct request *req);
void direct_leave(struct request *req);

/*
 * [submitter] Submit the entered requests of @list, in one system call if the
 * kernel lets us.  What it does not take is left in @list;
 * returns how many that are.
 */
size_t direct_submit(struct request_list *list);

/* [any thread] Report what is complete, without sleeping.  Async-signal-safe. */
void direct_poll(void);

/* [any thread] Is anything of this lane in flight on @fd (or on one that shares its bucket)? */
bool direct_is_busy(int fd);

/*
 * [any thread] Sleep until is_done(arg), reaping or while another thread
 * reaps.  0, -ETIMEDOUT or -EINTR.  Async-signal-safe.
 */
int direct_wait(bool (*is_done)(const void *arg), const void *arg, const struct timespec *deadline,
		bool can_cancel);

/*
 * [any thread] Completions shall be reported even if nobody polls or waits: as
 * long as direct_watch() is on, and @for_a_while for the next fifth of a second.
 * Async-signal-safe.  False: there is no thread for that; direct_start_reaper()
 * makes one.
 */
bool direct_want_reaper(bool for_a_while);

/* [engine] With all signals blocked. */
void direct_start_reaper(void);

/*
 * [engine] A barrier on @fd: what entered before must be gone first.  False
 * while another barrier of the same bucket is open.
 */
bool direct_open_barrier(int fd);
bool direct_barrier_is_clear(int fd);
void direct_close_barrier(int fd);

/* [engine] Report when something ends; to be set before looking whether to wait. */
void direct_watch(bool is_on);

/* [any thread] Does the kernel grant a context?  0 or -errno. */
int direct_probe(void);

/* Child of a fork: the context is the parent's. */
void direct_forget(void);

#endif
