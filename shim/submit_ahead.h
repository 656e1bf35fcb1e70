/* SPDX-License-Identifier: MIT */
/*
 * submit_ahead.h - how far ahead of its results does a thread submit?
 *
 * A thread that submits a request and then looks at its result waits for it;
 * one that submits many more before does not.  So each request gets a position in
 * the work of its thread.  When aio_return asks for the result, the distance to
 * the thread's newest position tells.
 *
 * Thread-local, so nobody is on the other side.  A handler on the thread makes it
 * a little wrong, and so does a thread that collects another one's results: it is
 * a hint.
 */
#ifndef RTAIO_SUBMIT_AHEAD_H
#define RTAIO_SUBMIT_AHEAD_H

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

/* [submitter] So many pieces, on the average, are submitted before a result is asked for. */
unsigned submit_ahead_average(void);

#endif
