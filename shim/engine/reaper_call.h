/* SPDX-License-Identifier: MIT */
/*
 * reaper_call.h - how to call the reaper (reaper.h) to the event ring.
 *
 * The reaper sleeps on a word.  It reads the word before it looks for work.  A caller bumps the
 * word and wakes the reaper if it sleeps.  Any thread; async-signal-safe.
 */
#ifndef RTAIO_REAPER_CALL_H
#define RTAIO_REAPER_CALL_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/thread.h"

enum reaper_state {
	REAPER_NONE = 0,
	REAPER_AWAKE,
	REAPER_TICKING, /* asleep until the next tick */
	REAPER_IDLE,    /* asleep until a request is submitted */
};

struct reaper_call {
	_Alignas(CACHE_LINE) _Atomic uint32_t
		state;               /* a starter replaces REAPER_NONE; else the reaper writes */
	_Atomic uint32_t word;       /* bumped to wake it */
	_Atomic uint32_t nr_waiting; /* waiters for direct requests, not at the ring */
};

extern struct reaper_call reaper_call;

void reaper_call_now(void);

/* Nobody is at the ring: call the reaper if a waiter or the engine depends on it. */
void reaper_call_if_wanted(void);

/*
 * This thread waits for direct requests, but will not sleep at the ring.  Call reaper_call_wake()
 * after begin_wait() if nobody is at the ring.
 */
void reaper_call_begin_wait(void);
void reaper_call_wake(void);
void reaper_call_end_wait(void);

#endif
