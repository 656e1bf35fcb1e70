// SPDX-License-Identifier: MIT
/*
 * submit_ahead.c - how far ahead of its results does a thread submit?
 */
#include "submit_ahead.h"

#define FRACTION  4  /* bits of the average behind the point */
#define WEIGHT    3  /* the newest counts 1 / 2^3 of it */
#define AHEAD_MAX 64 /* no more than that counts of one */

static _Thread_local struct {
	uint32_t submitted; /* pieces */
	uint32_t ahead;     /* average of what was submitted between a request and its collection */
} work __attribute__((tls_model("initial-exec")));

uint32_t submit_ahead_note_submitted(size_t nbytes)
{
	work.submitted += submit_ahead_pieces(nbytes);
	if (work.submitted == 0)
		work.submitted = 1;
	return work.submitted;
}

void submit_ahead_note_collected(uint32_t number)
{
	uint32_t distance = work.submitted - number;

	if (number == 0)
		return;
	if (distance > AHEAD_MAX)
		distance = AHEAD_MAX;
	work.ahead += (distance << FRACTION >> WEIGHT) - (work.ahead >> WEIGHT);
}

void submit_ahead_note_left(int nr)
{
	if (nr > AHEAD_MAX)
		nr = AHEAD_MAX;
	/* As many again are done in the call meanwhile. */
	work.ahead = (uint32_t)nr / 2 << FRACTION;
}

unsigned submit_ahead_average(void)
{
	return work.ahead >> FRACTION;
}
