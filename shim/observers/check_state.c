// SPDX-License-Identifier: MIT
/*
 * check_state.c - what the parts of the observer "check" share.
 */
#include "observers/check_state.h"

struct check check;

const struct frames *here_frames(struct here *here)
{
	if (!here->is_taken)
		frames_take(&here->frames);
	here->is_taken = true;
	return &here->frames;
}
