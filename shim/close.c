// SPDX-License-Identifier: MIT
/*
 * close.c - close, dup2, dup3, close_range, closefrom and fclose.
 *
 * A request that is accepted and not yet issued knows its file by number only.
 * These functions make it wait no longer: what can be issued is, what cannot
 * is cancelled, and only then does the number become another file's.  When
 * nothing is accepted for the number, which is nearly always, they cost a
 * few loads and a store, and before the first use of AIO a load.
 *
 * close must stay async-signal-safe and a cancellation point: the next
 * provider's function does the closing.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "abi.h"
#include "beside.h"
#include "descriptor.h"
#include "epoch.h"
#include "event_ring.h"
#include "futex.h"
#include "cancel.h"
#include "interface.h"
#include "outside.h"
#include "process.h"
#include "steering.h"

/* In a page that the loader has written to anyway, as process_word: a program without AIO pays for each. */
static struct {
	int (*close)(int fd);
	int (*dup2)(int old, int new);
	int (*dup3)(int old, int new, int flags);
	int (*close_range)(unsigned first, unsigned last, int flags);
	void (*closefrom)(int first);
	int (*fclose)(FILE *stream);
} next __attribute__((section(".data")));

/*
 * Before main, where dlsym is safe; a constructor of another library may have
 * been faster, then a function finds its pointer empty and comes here.
 */
__attribute__((constructor)) static void find_next(void)
{
	next.close = (int (*)(int))(uintptr_t)dlsym(RTLD_NEXT, "close");
	next.dup2 = (int (*)(int, int))(uintptr_t)dlsym(RTLD_NEXT, "dup2");
	next.dup3 = (int (*)(int, int, int))(uintptr_t)dlsym(RTLD_NEXT, "dup3");
	next.close_range =
		(int (*)(unsigned, unsigned, int))(uintptr_t)dlsym(RTLD_NEXT, "close_range");
	next.closefrom = (void (*)(int))(uintptr_t)dlsym(RTLD_NEXT, "closefrom");
	next.fclose = (int (*)(FILE *))(uintptr_t)dlsym(RTLD_NEXT, "fclose");
}

/* Requests of this very process?  A child of fork has none, one of vfork closes its own table. */
static bool is_our_process(void)
{
	return process_is_ready() && getpid() == atomic_load(&process_pid);
}

static void before_close(unsigned first, unsigned last)
{
	int saved_errno = errno;

	if (!process_was_used())
		return;
	if (last > INT_MAX)
		last = INT_MAX;
	if (first <= last && is_our_process()) {
		/* What the direct lane gives back holds its number once it is taken from the ring. */
		event_ring_settle();
		beside_settle((int)first, (int)last);
	}
	steering_forget(first, last); /* now: the lane beside may have noted something */
	/* Again: a handler may have forked meanwhile. */
	if (first <= last && is_our_process()) {
		outside_disown((int)first, (int)last);
		cancel_before_close((int)first, (int)last);
	}
	errno = saved_errno;
}

static void before_close_one(int fd)
{
	if (fd < 0 || !process_was_used())
		return;
	if (__builtin_expect(descriptor_is_held(fd) || epoch_is_busy(fd), 0))
		before_close((unsigned)fd, (unsigned)fd);
	else
		steering_forget((unsigned)fd, (unsigned)fd);
}

/* With a bad @old, dup2 fails and closes nothing.  Only asked when it matters. */
static bool closes(int old, int new)
{
	return new < 0 || !process_was_used() || !(descriptor_is_held(new) || epoch_is_busy(new)) ||
	       RAW_SYSCALL(SYS_fcntl, old, F_GETFD) >= 0;
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
	if (old != new &&closes(old, new))
		before_close_one(new);
	if (!next.dup2)
		find_next();
	return next.dup2(old, new);
}

int rtaio_dup3(int old, int new, int flags)
{
	if (old != new &&closes(old, new))
		before_close_one(new);
	if (!next.dup3)
		find_next();
	return next.dup3(old, new, flags);
}

/* A system older than the function has no next one. */
int rtaio_close_range(unsigned first, unsigned last, int flags)
{
	if (!next.close_range)
		find_next();
	if (!next.close_range)
		return interface_fail(ENOSYS);
	if (!(flags & CLOSE_RANGE_CLOEXEC))
		before_close(first, last);
	return next.close_range(first, last, flags);
}

void rtaio_closefrom(int first)
{
	before_close(first > 0 ? (unsigned)first : 0, INT_MAX);
	if (!next.closefrom)
		find_next();
	if (next.closefrom)
		next.closefrom(first);
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
