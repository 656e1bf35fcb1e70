// SPDX-License-Identifier: MIT
/*
 * fake_clock.c - a library for preloading that lets the program live in another time, for
 * test_clock
 *
 * As libfaketime it replaces functions of libc, among them the clock that the
 * kernel's own waits go by, and the number of the process.  FAKE_CLOCK says what
 * the time is.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define DAY 86400

static long day_shift(void)
{
	const char *what = getenv("FAKE_CLOCK");

	if (what && strcmp(what, "ahead") == 0)
		return DAY;
	return what && strcmp(what, "behind") == 0 ? -DAY : 0;
}

int clock_gettime(clockid_t id, struct timespec *now)
{
	const char *what = getenv("FAKE_CLOCK");
	int ret = (int)syscall(SYS_clock_gettime, id, now);

	if (what && strcmp(what, "stopped") == 0)
		*now = (struct timespec){ .tv_sec = DAY };
	now->tv_sec += day_shift();
	return ret;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	struct timespec fine;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &fine);
	*now = (struct timeval){ .tv_sec = fine.tv_sec, .tv_usec = fine.tv_nsec / 1000 };
	return 0;
}

time_t time(time_t *now)
{
	struct timespec fine;

	clock_gettime(CLOCK_REALTIME, &fine);
	if (now)
		*now = fine.tv_sec;
	return fine.tv_sec;
}

pid_t getpid(void)
{
	return 1 << 30; /* nobody's */
}
