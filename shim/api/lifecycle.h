/* SPDX-License-Identifier: MIT */
/*
 * lifecycle.h - first use, fork and exit.
 */
#ifndef RTAIO_LIFECYCLE_H
#define RTAIO_LIFECYCLE_H

/* [any thread] First use, or child of a fork: the slow path of entry_enter().  0 or -ENOMEM. */
int lifecycle_begin(void);

#endif
