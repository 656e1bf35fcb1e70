/* SPDX-License-Identifier: MIT */
/*
 * lifecycle.h - beginning, fork and end.
 */
#ifndef RTAIO_LIFECYCLE_H
#define RTAIO_LIFECYCLE_H

/* [any thread] First use, or child of a fork: the slow path of entry_enter().  0 or -ENOMEM. */
int lifecycle_begin(void);

#endif
