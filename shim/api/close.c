// SPDX-License-Identifier: MIT
/*
 * close.c - close, dup2, dup3, close_range, closefrom and fclose.
 *
 * A request that has not begun knows its file by its descriptor only.  Before the descriptor can
 * mean another file, quiesce() keeps the file for requests that wait.  Nearly always no request
 * depends on the descriptor.  Then these functions cost a few loads and stores, or one load
 * before the first use of AIO.
 *
 * close must stay async-signal-safe and a cancellation point, so the next provider closes.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/kcmp.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "api/entry.h"
#include "base/descriptor.h"
#include "base/observer.h"
#include "base/process.h"
#include "base/raw_syscall.h"
#include "base/symver.h"
#include "dispatch/quiesce.h"
#include "engine/engine.h"
#include "request/eventfd.h"
#include "request/fd_hints.h"

/* In .data, whose page the loader writes to anyway: .bss would cost each program one more page. */
static struct {
	int (*close)(int fd);
	int (*dup2)(int old, int new);
	int (*dup3)(int old, int new, int flags);
	int (*close_range)(unsigned first, unsigned last, int flags);
	void (*closefrom)(int first);
	int (*fclose)(FILE *stream);
} next __attribute__((section(".data")));

/*
 * dlsym is safe before main.  If a constructor of another library is earlier, a hook finds its
 * pointer NULL and calls this.
 */
__attribute__((constructor)) static void find_next(void)
{
	next.close = NEXT_PROVIDER(next.close, "close");
	next.dup2 = NEXT_PROVIDER(next.dup2, "dup2");
	next.dup3 = NEXT_PROVIDER(next.dup3, "dup3");
	next.close_range = NEXT_PROVIDER(next.close_range, "close_range");
	next.closefrom = NEXT_PROVIDER(next.closefrom, "closefrom");
	next.fclose = NEXT_PROVIDER(next.fclose, "fclose");
}

/*
 * Is the caller's descriptor table the one that requests use?  A child of fork has no requests.
 * A child of vfork has its own table, and so may a thread (unshare, CLOSE_RANGE_UNSHARE).
 */
static bool is_our_table(void)
{
	pid_t engine = engine_tid(), self, process = (pid_t)RAW_SYSCALL(SYS_getpid);

	if (!process_is_ready() || process != atomic_load(&process_pid))
		return false;
	self = (pid_t)RAW_SYSCALL(SYS_gettid);
	/* Without an engine, the main thread most likely has the table. */
	return RAW_SYSCALL(SYS_kcmp, self, engine ? engine : process, KCMP_FILES, 0L, 0L) <= 0;
}

static bool is_any_held(unsigned first, unsigned last)
{
	for (unsigned i = 0; i <= last - first && i < DESCRIPTOR_BUCKETS; i++)
		if (descriptor_is_held((int)(first + i)))
			return true;
	return false;
}

static void before_close(unsigned first, unsigned last)
{
	int saved_errno = errno;

	if (last > INT_MAX)
		last = INT_MAX;
	if (!process_was_used() || first > last)
		return;
	if (process_is_ready())
		OBSERVE(closing, (int)first, (int)last);
	if (__builtin_expect(eventfd_is_used((int)first, (int)last), 0) && is_our_table())
		eventfd_close((int)first, (int)last);
	if (__builtin_expect(is_any_held(first, last), 0) && is_our_table())
		quiesce((int)first, (int)last);
	fd_hints_drop(first, last); /* last: until now a lane may have noted a hint */
	errno = saved_errno;
}

static void before_close_one(int fd)
{
	if (fd >= 0)
		before_close((unsigned)fd, (unsigned)fd);
}

/*
 * A call that fails closes nothing.  This is checked only if a request depends on @new, or
 * somebody observes.
 */
static bool closes(int old, int new, int flags)
{
	struct rlimit limit = { .rlim_cur = RLIM_INFINITY };

	if (old == new || (flags & ~O_CLOEXEC))
		return false;
	if (!process_was_used() ||
	    (!descriptor_is_held(new) && !eventfd_is_used(new, new) && !observer))
		return true;
	RAW_SYSCALL(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);
	if ((rlim_t) new >= limit.rlim_cur)
		return false;
	return RAW_SYSCALL(SYS_fcntl, old, F_GETFD) >= 0;
}

EXPORT int rtaio_close(int fd);
EXPORT int rtaio_dup2(int old, int new);
EXPORT int rtaio_dup3(int old, int new, int flags);
EXPORT int rtaio_close_range(unsigned first, unsigned last, int flags);
EXPORT void rtaio_closefrom(int first);
EXPORT int rtaio_fclose(FILE *stream);

int rtaio_close(int fd)
{
	before_close_one(fd);
	if (!next.close)
		find_next();
	return next.close(fd);
}

int rtaio_dup2(int old, int new)
{
	if (closes(old, new, 0))
		before_close_one(new);
	if (!next.dup2)
		find_next();
	return next.dup2(old, new);
}

int rtaio_dup3(int old, int new, int flags)
{
	if (closes(old, new, flags))
		before_close_one(new);
	if (!next.dup3)
		find_next();
	return next.dup3(old, new, flags);
}

/* Before glibc 2.34 there is no next provider of this and of closefrom(). */
int rtaio_close_range(unsigned first, unsigned last, int flags)
{
	int rc;

	if (!next.close_range)
		find_next();
	if (flags == 0)
		before_close(first, last);
	if (next.close_range)
		return next.close_range(first, last, flags);
	rc = (int)RAW_SYSCALL(SYS_close_range, first, last, flags);
	return rc < 0 ? entry_fail(-rc) : rc;
}

void rtaio_closefrom(int first)
{
	before_close(first > 0 ? (unsigned)first : 0, INT_MAX);
	if (!next.closefrom)
		find_next();
	if (next.closefrom)
		next.closefrom(first);
	else
		RAW_SYSCALL(SYS_close_range, first > 0 ? first : 0, ~0u, 0u);
}

int rtaio_fclose(FILE *stream)
{
	int saved_errno = errno;

	before_close_one(fileno_unlocked(stream));
	errno = saved_errno;
	if (!next.fclose)
		find_next();
	return next.fclose(stream);
}

#if defined(__x86_64__)
#define DUP3_NODE "GLIBC_2.9"
#else
#define DUP3_NODE GLIBC_BASE
#endif

SYMVER(rtaio_close, close, "@@", GLIBC_BASE);
SYMVER(rtaio_dup2, dup2, "@@", GLIBC_BASE);
SYMVER(rtaio_dup3, dup3, "@@", DUP3_NODE);
SYMVER(rtaio_close_range, close_range, "@@", GLIBC_LIBC);
SYMVER(rtaio_closefrom, closefrom, "@@", GLIBC_LIBC);
SYMVER(rtaio_fclose, fclose, "@@", GLIBC_BASE);
