/* SPDX-License-Identifier: MIT */
/*
 * clock.h - times and deadlines on CLOCK_MONOTONIC, which is the futexes' clock.
 *
 * All functions are async-signal-safe and leave errno alone.
 */
#ifndef RTAIO_CLOCK_H
#define RTAIO_CLOCK_H

#include <stdint.h>
#include <time.h>

#include "base/raw_syscall.h"

/* libc's clock_gettime, even if a library replaces it with another time (libfaketime). */
extern int (*clock_read)(clockid_t id, struct timespec *now);

static inline uint64_t clock_now_ns(void)
{
	struct timespec now;

	clock_read(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The time of the last tick of the kernel: milliseconds late, for a quarter of the cost. */
static inline uint64_t clock_coarse_ns(void)
{
	struct timespec now;

	clock_read(CLOCK_MONOTONIC_COARSE, &now);
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

/* Sleep; a signal may end it early. */
static inline void clock_pause(uint64_t ns)
{
	struct timespec pause = clock_timespec(ns);

	RAW_SYSCALL(SYS_nanosleep, &pause, NULL);
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

/*
 * @timeout from now on, as an absolute time on CLOCK_MONOTONIC.  POSIX has no error for an odd
 * timeout, and glibc adds seconds and nanoseconds of any sign.  A negative sum is over already; one
 * beyond the clock's range never ends.
 */
void clock_set_deadline(struct timespec *deadline, const struct timespec *timeout);

#endif
