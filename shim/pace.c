// SPDX-License-Identifier: MIT
/*
 * pace.c - how far ahead of its results does a thread submit?
 */
#include "pace.h"

#define FRACTION  4  /* bits of the average behind the point */
#define WEIGHT    3  /* the newest counts 1 / 2^3 of it */
#define AHEAD_MAX 64 /* no more than that counts of one */

static _Thread_local struct {
	uint32_t submitted; /* pieces */
	uint32_t ahead;     /* average of what was submitted between a request and its collection */
} pace __attribute__((tls_model("initial-exec")));

uint32_t pace_note_submitted(size_t nbytes)
{
	pace.submitted += pace_pieces(nbytes);
	if (pace.submitted == 0)
		pace.submitted = 1;
	return pace.submitted;
}

void pace_note_collected(uint32_t number)
{
	uint32_t distance = pace.submitted - number;

	if (number == 0)
		return;
	if (distance > AHEAD_MAX)
		distance = AHEAD_MAX;
	pace.ahead += (distance << FRACTION >> WEIGHT) - (pace.ahead >> WEIGHT);
}

void pace_note_left(int nr)
{
	if (nr > AHEAD_MAX)
		nr = AHEAD_MAX;
	/* As many again are done in the call meanwhile. */
	pace.ahead = (uint32_t)nr / 2 << FRACTION;
}

unsigned pace_ahead(void)
{
	return pace.ahead >> FRACTION;
}
