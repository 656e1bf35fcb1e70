/* SPDX-License-Identifier: MIT */
/*
 * submit_ahead.h - how far ahead of its results does a thread submit?
 *
 * A thread that submits a request and then asks for its result waits for it.  A thread that submits
 * many more before it asks does not.  So each request gets a position in the work of its thread.
 * When aio_return asks for the result, the distance to the thread's newest position tells.
 *
 * The positions also tell how much the thread has submitted since it last asked for a result.  A
 * thread that submits on and on probably has something else to do, and its calls should be short.
 *
 * All is thread-local, but for one counter: threads that submit nothing and collect the results of
 * others raise it, submitters read it.  A handler on the thread may make the values slightly wrong;
 * they are hints.
 */
#ifndef RTAIO_SUBMIT_AHEAD_H
#define RTAIO_SUBMIT_AHEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PIECE_BYTES 16384 /* copying takes a few times as long as a hand-over */

/* Work is counted in pieces: each copy is one, plus one for each PIECE_BYTES. */
static inline unsigned submit_ahead_pieces(size_t nbytes)
{
	return 1 + (unsigned)(nbytes / PIECE_BYTES);
}

/* [submitter] The position of one more request; not 0. */
uint32_t submit_ahead_note_submitted(size_t nbytes);

/* [any thread] The result of the request at position @position was asked for; 0: it has none. */
void submit_ahead_note_collected(uint32_t position);

/* [any thread] This thread waits for results. */
void submit_ahead_note_wait(void);

/*
 * [submitter] Has the thread submitted so much without asking for a result that its calls should be
 * short?  For an @is_long request, whose copy takes longer than a hand-over, also if its last burst
 * was that large.
 */
bool submit_ahead_wants_short_calls(bool is_long);

/* [submitter] Average number of pieces from a request to the call that asks for its result. */
unsigned submit_ahead_average(void);

#endif
