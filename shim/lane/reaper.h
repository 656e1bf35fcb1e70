/* SPDX-License-Identifier: MIT */
/*
 * reaper.h - the thread that serves the event ring while the program does not.
 *
 * It exists while anything is in flight on the direct lane, and for a second longer.  The first
 * request makes it, not the first waiter: a waiter may be a handler, which must make no thread.
 */
#ifndef RTAIO_REAPER_H
#define RTAIO_REAPER_H

#include <stdbool.h>

/* [submitter] Is there a context of Linux AIO?  If not, ask for the reaper, which makes it. */
bool reaper_has_context(void);

/*
 * [submitter] A request has entered (bypass.h) and is about to be submitted to the direct lane.  It
 * needs a reaper, which the engine makes, or without an engine the caller.  False: none yet.
 */
bool reaper_notice(void);

/* [engine, or where there is none, a submitter] Make the thread, if there is none. */
void reaper_provide(void);

/* Child of a fork: no such thread. */
void reaper_after_fork(void);

#endif
