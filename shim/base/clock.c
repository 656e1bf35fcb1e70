// SPDX-License-Identifier: MIT
/*
 * clock.c - the clock of the deadlines that the kernel gets.
 */
#include "base/clock.h"

#include <dlfcn.h>

#include "base/raw_syscall.h"

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
