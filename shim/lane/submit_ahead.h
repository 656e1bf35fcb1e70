/* SPDX-License-Identifier: MIT */
/*
 * submit_ahead.h - how far ahead of its results does a thread submit?
 *
 * A thread that submits a request and then looks at its result waits for it;
 * one that submits many more before does not.  So each request gets a position in
 * the work of its thread.  When aio_return asks for the result, the distance to
 * the thread's newest position tells.
 *
 * The same positions tell how much the thread has submitted since it last asked for a
 * result.  A thread that goes on and on has something else to do meanwhile, and
 * wants to be rid of its requests.
 *
 * Thread-local.  Only threads that submit nothing and collect the results of
 * others raise a counter, which tells those who submit.  A handler on the thread
 * makes it a little wrong: it is a hint.
 */
#ifndef RTAIO_SUBMIT_AHEAD_H
#define RTAIO_SUBMIT_AHEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PIECE_BYTES 16384 /* takes a few times as long to copy as to hand over */

/* Work is counted in pieces: a copy is one, and one more for each so many bytes. */
static inline unsigned submit_ahead_pieces(size_t nbytes)
{
	return 1 + (unsigned)(nbytes / PIECE_BYTES);
}

/* [submitter] The position of one more request; not 0. */
uint32_t submit_ahead_note_submitted(size_t nbytes);

/* [any thread] The result of the request at that position was asked for; 0: it has none. */
void submit_ahead_note_collected(uint32_t number);

/*
 * [submitter] The thread will wait for all that it submits, of which so many are
 * still left to share with another one.
 */
void submit_ahead_note_left(int nr);

/* [any thread] It waits for results. */
void submit_ahead_note_wait(void);

/*
 * [submitter] Has it submitted so much without asking for a result that it wants to go on?
 * With what @is_long, and takes longer to copy than to hand over, also if it did so the last time.
 */
bool submit_ahead_is_far(bool is_long);

/* [submitter] So many pieces, on the average, are submitted before a result is asked for. */
unsigned submit_ahead_average(void);

#endif
