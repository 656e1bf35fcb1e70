/* SPDX-License-Identifier: MIT */
/*
 * generate.h - a random program from a seed
 */
#ifndef RTAIO_FUZZ_GENERATE_H
#define RTAIO_FUZZ_GENERATE_H

#include "program.h"

/* What an implementation may be unable to do; see features.c for the reasons. */
enum feature {
	FEATURE_CANCEL_ONE,
	FEATURE_CLOSE,
	FEATURE_FORK,
	FEATURE_SUBMIT_IN_HANDLER,
	FEATURE_ASK_IN_HANDLER,
	FEATURE_INTERRUPT,
	FEATURE_BOTH_WAYS,
	FEATURE_FILE_PRIORITY,
	FEATURE_INVALID_SIGNAL,
	FEATURE_NR
};

/* Switch off what the implementation of that name is known to do wrong. */
void features_choose(const char *implementation);
bool feature_is_on(enum feature feature);
void features_print(FILE *out);

/* Same seed and same features, same program. */
void generate(uint64_t seed, struct program *program);

#endif
