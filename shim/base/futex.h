/* SPDX-License-Identifier: MIT */
/*
 * futex.h - process-private futex calls, and their clock.
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
#include <unistd.h>

#include "base/raw_syscall.h"

/*
 * Sleep while *word == expected.  @deadline is absolute CLOCK_MONOTONIC or
 * NULL.  Returns 0, -EAGAIN (value differs), -ETIMEDOUT or -EINTR.  With no
 * deadline the kernel restarts the call after a SA_RESTART handler.
 */
static inline int futex_wait(_Atomic uint32_t *word, uint32_t expected,
			     const struct timespec *deadline)
{
	return (int)RAW_SYSCALL(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected,
				deadline, NULL, FUTEX_BITSET_MATCH_ANY);
}

/* The word may be unmapped already: a private wake hashes the address and never reads it. */
static inline void futex_wake(_Atomic uint32_t *word, int nr)
{
	RAW_SYSCALL(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, nr, NULL, NULL, 0);
}

/* libc's clock_gettime, even if a library replaces it with another time (libfaketime). */
extern int (*clock_read)(clockid_t id, struct timespec *now);

static inline uint64_t clock_now_ns(void)
{
	struct timespec now;

	clock_read(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline struct timespec clock_timespec(uint64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / 1000000000u),
				  .tv_nsec = (long)(ns % 1000000000u) };
}

/* A deadline for futex_wait(), @ns from now. */
static inline struct timespec clock_in_ns(uint64_t ns)
{
	return clock_timespec(clock_now_ns() + ns);
}

/* The time until @deadline (NULL: none), at most @max_ns. */
static inline uint64_t clock_left_ns(const struct timespec *deadline, uint64_t max_ns)
{
	uint64_t now, end;

	if (!deadline || (uint64_t)deadline->tv_sec > UINT32_MAX)
		return max_ns;
	now = clock_now_ns();
	end = (uint64_t)deadline->tv_sec * 1000000000u + (uint64_t)deadline->tv_nsec;
	if (end <= now)
		return 0;
	return end - now < max_ns ? end - now : max_ns;
}

#endif
