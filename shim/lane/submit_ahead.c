// SPDX-License-Identifier: MIT
/*
 * submit_ahead.c - how far ahead of its results does a thread submit?
 */
#include "lane/submit_ahead.h"

#include <stdatomic.h>

#define FRACTION  4   /* fractional bits of the average */
#define WEIGHT    3   /* a new value counts 1 / 2^3 */
#define AHEAD_MAX 64  /* one value counts at most this */
#define BURST_MAX 160 /* pieces between two results: as many as 32 requests of 64 KiB */

static _Thread_local struct {
	uint32_t submitted; /* pieces, ever; wraps */
	uint32_t waited;    /* work.submitted, when a result was last asked for */
	uint32_t elsewhere; /* nr_waits_elsewhere, when last read */
	bool was_long;      /* the last burst was longer than BURST_MAX */
	uint32_t ahead;     /* average of the pieces between a request and its collection */
} work __attribute__((tls_model("initial-exec")));

/* Partners: threads that only collect raise it, submitters read it. */
static _Atomic uint32_t nr_waits_elsewhere;

uint32_t submit_ahead_note_submitted(size_t nbytes)
{
	work.submitted += submit_ahead_pieces(nbytes);
	if (work.submitted == 0)
		work.submitted = 1;
	return work.submitted;
}

void submit_ahead_note_collected(uint32_t position)
{
	uint32_t distance = work.submitted - position;

	submit_ahead_note_wait();
	if (position == 0)
		return;
	if (distance > AHEAD_MAX)
		distance = AHEAD_MAX;
	work.ahead += (distance << FRACTION >> WEIGHT) - (work.ahead >> WEIGHT);
}

static void end_burst(void)
{
	if (work.submitted != work.waited)
		work.was_long = work.submitted - work.waited > BURST_MAX;
	work.waited = work.submitted;
}

void submit_ahead_note_wait(void)
{
	if (work.submitted == 0)
		atomic_fetch_add_explicit(&nr_waits_elsewhere, 1, memory_order_relaxed);
	end_burst();
}

bool submit_ahead_wants_short_calls(bool is_long)
{
	uint32_t elsewhere = atomic_load_explicit(&nr_waits_elsewhere, memory_order_relaxed);

	if (elsewhere != work.elsewhere)
		end_burst();
	work.elsewhere = elsewhere;
	return (is_long && work.was_long) || work.submitted - work.waited > BURST_MAX;
}

unsigned submit_ahead_average(void)
{
	return work.ahead >> FRACTION;
}
