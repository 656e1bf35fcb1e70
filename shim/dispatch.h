/* SPDX-License-Identifier: MIT */
/*
 * dispatch.h - the life of a request on the engine thread.
 *
 * Read the essay at the top of dispatch.c first.
 */
#ifndef RTAIO_DISPATCH_H
#define RTAIO_DISPATCH_H

#include <stdbool.h>

/* Connect the layers.  Before the first request. */
void dispatch_start(void);

/*
 * [any thread] Have the direct lane's completions reported for a while.  False:
 * nobody can, look yourself.  Async-signal-safe: the engine makes the thread.
 */
bool dispatch_ask_for_reaper(void);

/* Child of a fork: nothing is queued or in flight. */
void dispatch_forget(void);

#endif
