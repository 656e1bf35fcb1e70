// SPDX-License-Identifier: MIT
/*
 * fsize_limit.c - is there a file size limit, and when does it change?
 */
#include "lane/fsize_limit.h"

#include <stdatomic.h>
#include <stddef.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/raw_syscall.h"

#define KNOWN_FOR_NS 20000u

/*
 * The time until which the answer "no limit" may be used again.  A change stores the count of
 * changes instead: a time long past, and another value each time, so that fsize_limit_is_set()
 * notices the change.  Any thread writes.
 */
static _Atomic uint64_t unlimited_until_ns;
static _Atomic uint64_t nr_changes;

bool fsize_limit_is_set(uint64_t now_ns)
{
	uint64_t until = atomic_load(&unlimited_until_ns);
	struct rlimit limit;

	if (now_ns < until)
		return false;
	if (RAW_SYSCALL(SYS_prlimit64, 0, RLIMIT_FSIZE, NULL, &limit) < 0 ||
	    limit.rlim_cur != RLIM_INFINITY)
		return true;
	/* Fails if the limit was changed meanwhile: the answer may be older than the change. */
	atomic_compare_exchange_strong(&unlimited_until_ns, &until, now_ns + KNOWN_FOR_NS);
	return false;
}

void fsize_limit_changed(void)
{
	atomic_store(&unlimited_until_ns, atomic_fetch_add(&nr_changes, 1) + 1);
}
