/* SPDX-License-Identifier: MIT */
/*
 * reaper.h - a thread that watches the event ring while nobody else does.
 *
 * On demand only: when the engine, or a waiter with requests in more than one
 * lane, depends on a direct completion.  It leaves when it was not wanted for
 * a second.
 */
#ifndef RTAIO_REAPER_H
#define RTAIO_REAPER_H

#include <stdbool.h>

/*
 * [any thread] Completions shall be reported even if nobody polls or waits: as
 * long as bypass_watch() is on, and @for_a_while until reaper_want_no_more(), but
 * no longer than a fifth of a second.  Async-signal-safe.  False: there is no
 * thread for that; reaper_start() makes one.
 */
bool reaper_want(bool for_a_while);

/* [any thread] Takes back what was wanted for a while.  Async-signal-safe. */
void reaper_want_no_more(void);

/* [engine] With all signals blocked. */
void reaper_start(void);

/* Child of a fork: no such thread. */
void reaper_forget(void);

#endif
