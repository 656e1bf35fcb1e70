/* SPDX-License-Identifier: MIT */
/*
 * beside.h - the lane beside: a thread next to the program's, without the engine.
 *
 * Two desks, each with a thread of its own.  The one for copies takes what the
 * inline lane would do, while the program has so much work under way that it
 * need not wait for this: then two processors copy.  The other takes one
 * request at a time that needs a thread in any case, a long transfer or a
 * sync, and spares it the way through the engine.
 */
#ifndef RTAIO_BESIDE_H
#define RTAIO_BESIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "desk.h"
#include "request.h"

/*
 * [submitter] Shall the copy @req go to the desk for copies?  It could be made
 * at once, unless it follows another one there.
 */
bool beside_wants_copy(const struct request *req);

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

/* [submitter] It is not handed over after all. */
void beside_leave(struct request *req);

/*
 * [any thread] Cancel @req, if it still waits; or whatever waits of @fd.  Returns
 * how many were.  Async-signal-safe.
 */
unsigned beside_cancel(struct request *req, uint32_t generation);
unsigned beside_cancel_all(int fd);

/* [any thread] Wait until the lane needs none of the numbers @first .. @last.  Async-signal-safe. */
void beside_settle(int first, int last);

#endif
