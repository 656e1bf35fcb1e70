// SPDX-License-Identifier: MIT
/*
 * pace.c - how far ahead of its results does a thread submit?
 */
#include "pace.h"

#define DISTANCE_MIN 4u  /* requests between submission and collection that count as many */
#define SCORE_DEEP   8u  /* so many more of these than of others, */
#define SCORE_MAX    64u /* of which so many at most are remembered */
#define SCORE_LOST   4u  /* each of the others outweighs so many */

static _Thread_local struct {
	uint32_t submitted;
	uint32_t score;
} pace __attribute__((tls_model("initial-exec")));

uint32_t pace_note_submitted(void)
{
	return pace.submitted += pace.submitted < UINT32_MAX ? 1 : 2;
}

void pace_note_collected(uint32_t number)
{
	if (number == 0)
		return;
	if (pace.submitted - number < DISTANCE_MIN)
		pace.score -= pace.score < SCORE_LOST ? pace.score : SCORE_LOST;
	else if (pace.score < SCORE_MAX)
		pace.score++;
}

void pace_note_wait(void)
{
	pace.score = 0;
}

bool pace_is_deep(void)
{
	return pace.score >= SCORE_DEEP;
}
