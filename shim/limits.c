// SPDX-License-Identifier: MIT
/*
 * limits.c - setrlimit and prlimit: know when the file size limit changes.
 *
 * filesize.h says why that matters.
 */
#include <errno.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "abi.h"
#include "filesize.h"

EXPORT int rtaio_prlimit(pid_t pid, enum __rlimit_resource resource, const struct rlimit *new_limit,
			 struct rlimit *old_limit);
EXPORT int rtaio_setrlimit(__rlimit_resource_t resource, const struct rlimit *limit);

/* On 64-bit Linux the kernel's structure is the program's. */
int rtaio_prlimit(pid_t pid, enum __rlimit_resource resource, const struct rlimit *new_limit,
		  struct rlimit *old_limit)
{
	int ret = (int)syscall(SYS_prlimit64, pid, resource, new_limit, old_limit);

	if (new_limit)
		filesize_limit_changed();
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
