/* SPDX-License-Identifier: MIT */
/*
 * demand.h - a check of a target of libFuzzer: abort() is a finding
 */
#ifndef RTAIO_TEST_DEMAND_H
#define RTAIO_TEST_DEMAND_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define demand(condition)                                                                        \
	do {                                                                                     \
		if (!(condition)) {                                                              \
			fprintf(stderr, "line %d: not so: %s, errno %d\n", __LINE__, #condition, \
				errno);                                                          \
			abort();                                                                 \
		}                                                                                \
	} while (0)

#endif
