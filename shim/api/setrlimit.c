// SPDX-License-Identifier: MIT
/*
 * setrlimit.c - hooks on setrlimit and prlimit, which drop the cached answer of fsize_limit.h.
 */
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include "base/symver.h"
#include "lane/fsize_limit.h"

#define SETRLIMIT_PARAMETERS (__rlimit_resource_t resource, const struct rlimit *limit)
#define PRLIMIT_PARAMETERS                                                           \
	(pid_t pid, enum __rlimit_resource resource, const struct rlimit *new_limit, \
	 struct rlimit *old_limit)

typedef int setrlimit_function SETRLIMIT_PARAMETERS;
typedef int prlimit_function PRLIMIT_PARAMETERS;

/* See the struct in close.c.  The names with 64 are aliases in libc, but perhaps not elsewhere. */
static struct {
	setrlimit_function *setrlimit, *setrlimit64;
	prlimit_function *prlimit, *prlimit64;
} next __attribute__((section(".data")));

__attribute__((constructor)) static void find_next(void)
{
	next.setrlimit = NEXT_PROVIDER(next.setrlimit, "setrlimit");
	next.setrlimit64 = NEXT_PROVIDER(next.setrlimit64, "setrlimit64");
	next.prlimit = NEXT_PROVIDER(next.prlimit, "prlimit");
	next.prlimit64 = NEXT_PROVIDER(next.prlimit64, "prlimit64");
}

static int note_change(int ret)
{
	fsize_limit_changed();
	return ret;
}

EXPORT setrlimit_function rtaio_setrlimit, rtaio_setrlimit64;
EXPORT prlimit_function rtaio_prlimit, rtaio_prlimit64;

#define HOOK(name, parameters, arguments)                \
	int rtaio_##name parameters                      \
	{                                                \
		if (!next.name)                          \
			find_next();                     \
		return note_change(next.name arguments); \
	}

HOOK(setrlimit, SETRLIMIT_PARAMETERS, (resource, limit))
HOOK(setrlimit64, SETRLIMIT_PARAMETERS, (resource, limit))
HOOK(prlimit, PRLIMIT_PARAMETERS, (pid, resource, new_limit, old_limit))
HOOK(prlimit64, PRLIMIT_PARAMETERS, (pid, resource, new_limit, old_limit))

#if defined(__x86_64__)
#define PRLIMIT_NODE "GLIBC_2.13"
#else
#define PRLIMIT_NODE GLIBC_BASE
#endif

SYMVER(rtaio_setrlimit, setrlimit, "@@", GLIBC_BASE);
SYMVER(rtaio_setrlimit64, setrlimit64, "@@", GLIBC_BASE);
SYMVER(rtaio_prlimit, prlimit, "@@", PRLIMIT_NODE);
SYMVER(rtaio_prlimit64, prlimit64, "@@", PRLIMIT_NODE);
