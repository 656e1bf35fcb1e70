/* SPDX-License-Identifier: MIT */
/*
 * strained.h - what the kernel may do to a request without a call that fails
 *
 * Each trial runs in a child, and fails by a check.
 */
#ifndef RTAIO_TEST_STRAINED_H
#define RTAIO_TEST_STRAINED_H

#include "support.h"

/* More requests end at once than the ring has room for; how many completions found none. */
int try_completions(unsigned int seed);

/*
 * More requests are submitted than the ring of Linux AIO has room for; how many calls it refused.
 */
int try_events(unsigned int seed);

/* Transfers end early, at any byte; how many did. */
int try_short(unsigned int seed);

#endif
