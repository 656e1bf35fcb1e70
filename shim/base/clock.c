// SPDX-License-Identifier: MIT
/*
 * clock.c - the clock of the deadlines that the kernel gets.
 */
#include "base/clock.h"

#include <dlfcn.h>
#include <limits.h>

#include "base/raw_syscall.h"

#define NS_PER_S 1000000000

/* Ten times as slow as libc's function, which makes no system call. */
static int ask_kernel(clockid_t id, struct timespec *now)
{
	return (int)RAW_SYSCALL(SYS_clock_gettime, id, now);
}

int (*clock_read)(clockid_t id, struct timespec *now) = ask_kernel;

/* At load, as in thread.c.  The version finds libc's function, not that of another library. */
__attribute__((constructor)) static void find_clock(void)
{
	void *function = dlvsym(RTLD_DEFAULT, "clock_gettime", "GLIBC_2.17");

	if (function)
		clock_read = (int (*)(clockid_t, struct timespec *))(uintptr_t)function;
}

void clock_set_deadline(struct timespec *deadline, const struct timespec *timeout)
{
	long carry = timeout->tv_nsec / NS_PER_S;

	clock_read(CLOCK_MONOTONIC, deadline);
	deadline->tv_nsec += timeout->tv_nsec % NS_PER_S;
	if (deadline->tv_nsec < 0) {
		deadline->tv_nsec += NS_PER_S;
		carry--;
	} else if (deadline->tv_nsec >= NS_PER_S) {
		deadline->tv_nsec -= NS_PER_S;
		carry++;
	}
	deadline->tv_sec += carry;
	if (__builtin_add_overflow(deadline->tv_sec, timeout->tv_sec, &deadline->tv_sec))
		deadline->tv_sec = timeout->tv_sec < 0 ? 0 : LONG_MAX;
	if (deadline->tv_sec < 0)
		*deadline = (struct timespec){ 0 };
}
