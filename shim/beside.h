/* SPDX-License-Identifier: MIT */
/*
 * beside.h - the lane beside: a thread next to the program's, without the engine.
 *
 * Two desks, each with a thread of its own.  The one for copies takes what the
 * inline lane would do, while the program has so many requests under way that
 * it waits for none of them: then two processors copy.  The other takes one
 * request at a time that needs a thread in any case, a long transfer or a
 * sync, and spares it the way through the engine.
 */
#ifndef RTAIO_BESIDE_H
#define RTAIO_BESIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "request.h"

/* How the lane reports, on its threads or, of what no thread could be made for, on the engine. */
struct beside_events {
	/* @req ended; the lane frees its record.  Returns the wait slots to wake (waiter.h). */
	uint64_t (*complete)(struct request *req, ssize_t res);
	/*
	 * It would have waited: the engine must do it.  It stays entered until
	 * outside_leave_range() and outside_leave().
	 */
	void (*bounce)(struct request *req);
	/* [submitter] Have the engine call beside_start(). */
	void (*want)(void);
};

void beside_init(const struct beside_events *events);

/* [submitter] Shall a copy that could be made at once go to the desk for copies? */
bool beside_wants_copy(void);

/* [submitter] A request overlaps, or seems to, what is under way outside the engine. */
void beside_note_conflict(void);

/*
 * [submitter] May @req go this way now?  Notes the desk in it; that for copies
 * was noted by the inline lane.  Looks at its descriptor as far as it needs to.
 */
bool beside_accepts(struct request *req);

/* [submitter] @req belongs to the lane from here on: outside_enter(). */
void beside_enter(struct request *req);

/* [submitter] Hand @req over.  False: it was not taken, and has left the lane. */
bool beside_submit(struct request *req);

/* [thread of the lane, or who cannot bounce] @req, which is handed over to nobody, has ended. */
void beside_end(struct request *req, ssize_t res);

/*
 * [any thread] Cancel @req, if it still waits; or whatever waits of @fd.  Returns
 * how many were.  Async-signal-safe.
 */
unsigned beside_cancel(struct request *req, uint32_t generation);
unsigned beside_cancel_all(int fd);

/* [any thread] Wait until the lane needs none of the numbers @first .. @last.  Async-signal-safe. */
void beside_settle(int first, int last);

/* [engine] Make the threads that were asked for. */
void beside_start(void);

/* Child of a fork: no thread, nothing under way. */
void beside_forget(void);

#endif
