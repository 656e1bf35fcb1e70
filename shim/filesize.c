// SPDX-License-Identifier: MIT
/*
 * filesize.c - is there a file size limit, and when does it change?
 */
#include "filesize.h"

#include <stdatomic.h>
#include <sys/resource.h>

#include "abi.h"
#include "futex.h"

#define KNOWN_FOR_NS 20000u

/*
 * A time, or the number of a change, which as a time is long past: no value
 * comes back.  Any thread that asks, and any that changes the limit.
 */
static _Atomic uint64_t unlimited_until_ns;
static _Atomic uint64_t nr_changes;

bool filesize_is_limited(void)
{
	uint64_t until = atomic_load(&unlimited_until_ns), now = clock_now_ns();
	struct rlimit limit;

	if (now < until)
		return false;
	if (RAW_SYSCALL(SYS_prlimit64, 0, RLIMIT_FSIZE, NULL, &limit) < 0 ||
	    limit.rlim_cur != RLIM_INFINITY)
		return true;
	/* Fails if the limit was changed meanwhile: the answer is from before. */
	atomic_compare_exchange_strong(&unlimited_until_ns, &until, now + KNOWN_FOR_NS);
	return false;
}

/* --- setrlimit and prlimit: this process changes its limits --- */

EXPORT int rtaio_prlimit(pid_t pid, enum __rlimit_resource resource, const struct rlimit *new_limit,
			 struct rlimit *old_limit);
EXPORT int rtaio_setrlimit(__rlimit_resource_t resource, const struct rlimit *limit);

/* On 64-bit Linux the kernel's structure is the program's. */
int rtaio_prlimit(pid_t pid, enum __rlimit_resource resource, const struct rlimit *new_limit,
		  struct rlimit *old_limit)
{
	int ret = (int)syscall(SYS_prlimit64, pid, resource, new_limit, old_limit);

	if (new_limit) /* no answer from before is kept */
		atomic_store(&unlimited_until_ns, atomic_fetch_add(&nr_changes, 1) + 1);
	return ret;
}

int rtaio_setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
	return rtaio_prlimit(0, resource, limit, NULL);
}

#if defined(__x86_64__)
#define PRLIMIT_NODE "GLIBC_2.13"
#else
#define PRLIMIT_NODE GLIBC_BASE
#endif

SYMVER(rtaio_setrlimit, setrlimit, "@@", GLIBC_BASE);
SYMVER(rtaio_setrlimit, setrlimit64, "@@", GLIBC_BASE);
SYMVER(rtaio_prlimit, prlimit, "@@", PRLIMIT_NODE);
SYMVER(rtaio_prlimit, prlimit64, "@@", PRLIMIT_NODE);
