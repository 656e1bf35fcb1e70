// SPDX-License-Identifier: MIT
/*
 * filesize.c - is there a file size limit?
 */
#include "filesize.h"

#include <stdatomic.h>
#include <sys/resource.h>

#include "futex.h"

#define KNOWN_FOR_NS 20000u

static _Atomic uint64_t unlimited_until_ns; /* any thread reads and writes: a hint */

bool filesize_is_limited(void)
{
	uint64_t now = clock_now_ns();
	struct rlimit limit;

	if (now < atomic_load_explicit(&unlimited_until_ns, memory_order_relaxed))
		return false;
	if (RAW_SYSCALL(SYS_prlimit64, 0, RLIMIT_FSIZE, NULL, &limit) < 0 ||
	    limit.rlim_cur != RLIM_INFINITY)
		return true;
	atomic_store(&unlimited_until_ns, now + KNOWN_FOR_NS);
	return false;
}

void filesize_limit_changed(void)
{
	atomic_store(&unlimited_until_ns, 0);
}
