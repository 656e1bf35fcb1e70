/* SPDX-License-Identifier: MIT */
/*
 * settle.h - bring a program to its end: nothing in progress, everything told
 */
#ifndef RTAIO_FUZZ_SETTLE_H
#define RTAIO_FUZZ_SETTLE_H

#include "history.h"

/* A violation if it does not come to an end. */
void settle(void);

#endif
