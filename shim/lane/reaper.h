/* SPDX-License-Identifier: MIT */
/*
 * reaper.h - the thread that sees to the event ring while the program does not.
 *
 * It exists while anything is in flight on the direct lane, and for a second
 * longer.  It is made for the first request, since a waiter may be a handler,
 * which must make no thread.
 */
#ifndef RTAIO_REAPER_H
#define RTAIO_REAPER_H

#include <stdbool.h>

/* [submitter] Is there a context of Linux AIO?  If not, the thread is asked to make it, as below. */
bool reaper_has_context(void);

/*
 * [submitter] A request is about to be submitted to the direct lane, and has
 * entered (bypass.h): somebody must see to its completion.  The engine makes the
 * thread, or where there is no engine, the caller.  False: there is none yet.
 */
bool reaper_notice(void);

/* [engine, or where there is none, a submitter] Make the thread, if there is none. */
void reaper_provide(void);

/* Child of a fork: no such thread. */
void reaper_after_fork(void);

#endif
