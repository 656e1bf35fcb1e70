/* SPDX-License-Identifier: MIT */
/*
 * explain_advice.h - what follows from the figures, in a few sentences.
 */
#ifndef RTAIO_EXPLAIN_ADVICE_H
#define RTAIO_EXPLAIN_ADVICE_H

#include "tools/explain_run.h"

#define EXPLAIN_ADVICE 3u

/* One sentence, or two, that name the figure they follow from. */
struct explain_advice {
	const char *rule;
	char text[400];
};

/* Returns how many there are, the most important first. */
size_t explain_advise(const struct explain_run *run, struct explain_advice advice[EXPLAIN_ADVICE]);

#endif
