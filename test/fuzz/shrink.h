/* SPDX-License-Identifier: MIT */
/*
 * shrink.h - a smaller program that fails in the same way
 */
#ifndef RTAIO_FUZZ_SHRINK_H
#define RTAIO_FUZZ_SHRINK_H

#include "program.h"

/*
 * Make @program smaller as long as a run of it still ends in a violation of
 * @class. Returns how many runs of 100 fail; 0: none did, nothing was changed.
 */
int shrink(struct program *program, const char *class);

#endif
