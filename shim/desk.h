/* SPDX-License-Identifier: MIT */
/*
 * desk.h - the two threads of the lane beside, and how requests get to them.
 *
 * What goes there is decided in beside.c.
 */
#ifndef RTAIO_DESK_H
#define RTAIO_DESK_H

#include <stdbool.h>
#include <stdint.h>

#include "request.h"

/* How the lane reports, on its threads or, of what no thread could be made for, on the engine. */
struct desk_events {
	/* @req ended; the lane frees its record.  Returns the wait slots to wake (waiter.h). */
	uint64_t (*complete)(struct request *req, ssize_t res);
	/*
	 * It would have waited: the engine must do it.  It stays entered until
	 * outside_leave_range() and outside_leave().
	 */
	void (*bounce)(struct request *req);
	/* [submitter] Have the engine call desk_start(). */
	void (*want)(void);
};

void desk_init(const struct desk_events *events);

/* [submitter] Is there a thread?  If not, one was asked for. */
bool desk_is_staffed(enum beside_desk which);

/* [submitter] Does it rest? */
bool desk_rests(enum beside_desk which);

/* [any thread] How much work (pace_pieces()) has entered and not left? */
int desk_nr_queued(enum beside_desk which);

/* [submitter] Did the last write that was given to the desk for copies have that number? */
bool desk_is_writing(int fd);

/* [submitter] Is the long desk writing to the same file, so that @req would wait wherever it went? */
bool desk_writes_with(const struct request *req);

/* [any thread] Time that copies beside have cost in vain; is it too much at the moment? */
void desk_lose(uint64_t ns, uint64_t now);
bool desk_is_losing(void);

/* [submitter] @req will be pushed; or it will not, after all. */
void desk_enter(const struct request *req);
void desk_leave(const struct request *req);

/* [submitter] Hand @req over.  False: it was not taken, and is the caller's still. */
bool desk_push(struct request *req);

/* [any thread] True: @req waited, does so no longer, and is the caller's to end. */
bool desk_take(struct request *req, uint32_t generation);

/* [who took it] It has ended: the record is no longer looked at; or it is freed as well. */
void desk_publish(struct request *req, ssize_t res);
void desk_end(struct request *req, ssize_t res);

/* [engine] Make the threads that were asked for. */
void desk_start(void);

/* Child of a fork: no thread, nothing under way. */
void desk_forget(void);

#endif
