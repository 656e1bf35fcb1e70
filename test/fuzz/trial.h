/* SPDX-License-Identifier: MIT */
/*
 * trial.h - run programs in processes of their own, which may crash or hang
 */
#ifndef RTAIO_FUZZ_TRIAL_H
#define RTAIO_FUZZ_TRIAL_H

#include "program.h"

struct outcome {
	bool failed;
	uint64_t nr_passed; /* before the one that failed */
	int step;           /* where it was; the number of steps: at the end */
	char class[64], text[512];
};

/* Once. */
void trial_init(void);

/*
 * Run @nr programs in one process, one after the other, which
 * make(@first), make(@first + 1) ... give.  Stops at the first that fails.
 */
void trial_run(void (*make)(uint64_t number, struct program *program), uint64_t first, uint64_t nr,
	       struct outcome *outcome);

/* Run one program, alone. */
void trial_run_one(const struct program *program, struct outcome *outcome);

#endif
