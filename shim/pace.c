// SPDX-License-Identifier: MIT
/*
 * pace.c - how far ahead of its results does a thread submit?
 */
#include "pace.h"

#define WEIGH_SHIFT 4  /* the average is kept in sixteenths, */
#define WEIGH       3  /* and one of so many powers of two is the newest */
#define AHEAD_MAX   64 /* no more than that counts of one */

static _Thread_local struct {
	uint32_t submitted; /* work, in pieces */
	uint32_t ahead;     /* average of what was submitted between a request and its collection */
} pace __attribute__((tls_model("initial-exec")));

uint32_t pace_note_submitted(unsigned nr_pieces)
{
	pace.submitted += nr_pieces;
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
	pace.ahead += (distance << WEIGH_SHIFT >> WEIGH) - (pace.ahead >> WEIGH);
}

void pace_note_wait(void)
{
	pace.ahead = 0;
}

unsigned pace_ahead(void)
{
	return pace.ahead >> WEIGH_SHIFT;
}
