/* SPDX-License-Identifier: MIT */
/*
 * completion.h - results that other threads than the engine publish.
 */
#ifndef RTAIO_COMPLETION_H
#define RTAIO_COMPLETION_H

#include <stdbool.h>

/* Take part in what workers and the direct lane report.  Before the first request. */
void completion_start(void);

/*
 * [any thread] Have the direct lane's completions reported for a while.  False:
 * nobody can, look yourself.  Async-signal-safe: the engine makes the thread.
 */
bool completion_ask_for_reaper(void);

/* [engine] MESSAGE_REAPER and MESSAGE_DRAINED came in; the next one may be posted. */
void completion_reaper_received(void);
void completion_drained_received(void);

/* [engine] A thread is wanted for the lane beside; and there will be none. */
void completion_beside_received(void);
void completion_beside_refused(void);

#endif
