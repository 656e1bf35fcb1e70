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
 * long as epoch_watch() is on, and @for_a_while for the next fifth of a second.
 * Async-signal-safe.  False: there is no thread for that; reaper_start() makes
 * one.
 */
bool reaper_want(bool for_a_while);

/* [engine] With all signals blocked. */
void reaper_start(void);

/* Child of a fork: no such thread. */
void reaper_forget(void);

#endif
