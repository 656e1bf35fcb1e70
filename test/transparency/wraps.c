// SPDX-License-Identifier: MIT
/*
 * wraps.c - a library for preloading that wraps functions of libc, for test_other_libraries
 *
 * As tools do that trace, limit or clean up.  Each call is counted and goes on to
 * the next library; _exit adds 1 to the status, _Exit 2.
 */
#include <aio.h>
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

_Atomic unsigned int wraps_nr_calls;

#define NEXT(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

#define WRAP(name, parameters, ...)             \
	int name parameters                     \
	{                                       \
		wraps_nr_calls++;               \
		return NEXT(name)(__VA_ARGS__); \
	}

WRAP(aio_error, (const struct aiocb *cb), cb)
WRAP(close, (int fd), fd)
WRAP(dup2, (int old, int new), old, new)
WRAP(dup3, (int old, int new, int flags), old, new, flags)
WRAP(fclose, (FILE * stream), stream)
WRAP(setrlimit, (__rlimit_resource_t resource, const struct rlimit *limit), resource, limit)
WRAP(setrlimit64, (__rlimit_resource_t resource, const struct rlimit64 *limit), resource, limit)
WRAP(prlimit,
     (pid_t pid, enum __rlimit_resource resource, const struct rlimit *new, struct rlimit *old),
     pid, resource, new, old)
WRAP(prlimit64,
     (pid_t pid, enum __rlimit_resource resource, const struct rlimit64 *new, struct rlimit64 *old),
     pid, resource, new, old)

ssize_t aio_return(struct aiocb *cb)
{
	wraps_nr_calls++;
	return NEXT(aio_return)(cb);
}

/* Older than glibc 2.34, libc has none, and perhaps nothing comes next. */
int close_range(unsigned int first, unsigned int last, int flags);
void closefrom(int first);

int close_range(unsigned int first, unsigned int last, int flags)
{
	__typeof__(&close_range) next = NEXT(close_range);

	wraps_nr_calls++;
	return next ? next(first, last, flags) : (int)syscall(__NR_close_range, first, last, flags);
}

void closefrom(int first)
{
	__typeof__(&closefrom) next = NEXT(closefrom);

	wraps_nr_calls++;
	if (next)
		next(first);
	else
		syscall(__NR_close_range, first, ~0U, 0);
}

void _exit(int status)
{
	for (;;)
		NEXT(_exit)(status + 1);
}

void _Exit(int status)
{
	for (;;)
		NEXT(_Exit)(status + 2);
}
