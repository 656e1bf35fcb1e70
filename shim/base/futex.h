/* SPDX-License-Identifier: MIT */
/*
 * futex.h - process-private futex calls.
 *
 * Raw system calls: no errno is touched, results are 0 or -errno, and all are
 * async-signal-safe.
 */
#ifndef RTAIO_FUTEX_H
#define RTAIO_FUTEX_H

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#include "base/raw_syscall.h"

/*
 * Sleep while *word == expected.  @deadline is absolute CLOCK_MONOTONIC or
 * NULL.  Returns 0, -EAGAIN (value differs), -ETIMEDOUT or -EINTR.  With no
 * deadline the kernel restarts the call after a SA_RESTART handler.  @bit is
 * for futex_wake_as().
 */
static inline int futex_wait_as(_Atomic uint32_t *word, uint32_t expected,
				const struct timespec *deadline, uint32_t bit)
{
	return (int)RAW_SYSCALL(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected,
				deadline, NULL, bit);
}

static inline int futex_wait(_Atomic uint32_t *word, uint32_t expected,
			     const struct timespec *deadline)
{
	return futex_wait_as(word, expected, deadline, FUTEX_BITSET_MATCH_ANY);
}

/* The word may be unmapped already: a private wake hashes the address and never reads it. */
static inline void futex_wake(_Atomic uint32_t *word, int nr)
{
	RAW_SYSCALL(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, nr, NULL, NULL, 0);
}

/* Wake one that sleeps by futex_wait_as() with @bit. */
static inline void futex_wake_as(_Atomic uint32_t *word, uint32_t bit)
{
	RAW_SYSCALL(SYS_futex, word, FUTEX_WAKE_BITSET | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, bit);
}

#endif
