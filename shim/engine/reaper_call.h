/* SPDX-License-Identifier: MIT */
/*
 * reaper_call.h - how the reaper (reaper.h) is called to the event ring.
 *
 * The reaper sleeps on a word.  It reads the word before it looks whether there is
 * anything to do; who calls it bumps the word, and wakes it if it sleeps.  Any thread,
 * async-signal-safe.
 */
#ifndef RTAIO_REAPER_CALL_H
#define RTAIO_REAPER_CALL_H

#include <stdatomic.h>
#include <stdint.h>

enum reaper_state {
	REAPER_NONE = 0, /* there is no thread */
	REAPER_AWAKE,
	REAPER_TICKING, /* asleep until the next tick */
	REAPER_IDLE,    /* asleep until a request is submitted */
};

struct reaper_call {
	_Atomic uint32_t state;      /* a starter replaces REAPER_NONE; the rest is the reaper's */
	_Atomic uint32_t word;       /* bumped to wake it */
	_Atomic uint32_t nr_waiting; /* threads that depend on it */
};

extern struct reaper_call reaper_call;

void reaper_call_now(void);

/* The ring is free: call the reaper if anybody depends on it. */
void reaper_call_if_wanted(void);

/*
 * This thread is about to sleep where completions wake it, and depends on direct ones.
 * reaper_call_wake() follows if nobody is at the ring.
 */
void reaper_call_begin_wait(void);
void reaper_call_wake(void);
void reaper_call_end_wait(void);

#endif
