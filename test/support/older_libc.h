/* SPDX-License-Identifier: MIT */
/*
 * older_libc.h - what glibc 2.31 (Debian 11) and its kernel headers lack
 */
#ifndef RTAIO_TEST_OLDER_LIBC_H
#define RTAIO_TEST_OLDER_LIBC_H

#include <errno.h>
#if !__GLIBC_PREREQ(2, 36)
#include <sys/mount.h> /* it cannot follow <linux/fs.h> */
#undef BLOCK_SIZE
#endif

#include <linux/fuse.h>
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef FOPEN_NOFLUSH
#define FOPEN_NOFLUSH (1 << 5)
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd __NR_pidfd_getfd
#endif
#ifndef SYS_close_range
#define SYS_close_range __NR_close_range
#endif
#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

#if !__GLIBC_PREREQ(2, 34)
#define CLOSE_RANGE_UNSHARE (1U << 1)
#define CLOSE_RANGE_CLOEXEC (1U << 2)

long syscall(long nr, ...);

/* Those of a preloaded library, if there is one. */
__attribute__((weak)) int close_range(unsigned int first, unsigned int last, int flags);
__attribute__((weak)) void closefrom(int first);

static inline int older_close_range(unsigned int first, unsigned int last, int flags)
{
	return close_range ? close_range(first, last, flags)
			   : (int)syscall(SYS_close_range, first, last, flags);
}

static inline void older_closefrom(int first)
{
	if (closefrom)
		closefrom(first);
	else
		syscall(SYS_close_range, first, ~0U, 0);
}

/* Without the handlers of pthread_atfork(). */
static inline pid_t _Fork(void)
{
	return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

/* Only calls: some tests build names from these. */
#define close_range(...) older_close_range(__VA_ARGS__)
#define closefrom(...)   older_closefrom(__VA_ARGS__)
#endif

#if !__GLIBC_PREREQ(2, 32)
/* Without "SIG". */
static inline const char *sigabbrev_np(int signal)
{
	static const char *const names[] = {
		[SIGHUP] = "HUP",   [SIGINT] = "INT",   [SIGQUIT] = "QUIT", [SIGILL] = "ILL",
		[SIGABRT] = "ABRT", [SIGBUS] = "BUS",   [SIGFPE] = "FPE",   [SIGKILL] = "KILL",
		[SIGUSR1] = "USR1", [SIGSEGV] = "SEGV", [SIGUSR2] = "USR2", [SIGPIPE] = "PIPE",
		[SIGALRM] = "ALRM", [SIGTERM] = "TERM", [SIGXFSZ] = "XFSZ", [SIGSYS] = "SYS",
	};

	return signal < (int)(sizeof(names) / sizeof(*names)) ? names[signal] : NULL;
}

static inline const char *strerrorname_np(int error)
{
#define NAME(error) [error] = #error
	static const char *const names[] = {
		NAME(EPERM),        NAME(ENOENT),     NAME(ESRCH),        NAME(EINTR),
		NAME(EIO),          NAME(ENXIO),      NAME(EBADF),        NAME(ECHILD),
		NAME(EAGAIN),       NAME(ENOMEM),     NAME(EACCES),       NAME(EFAULT),
		NAME(EBUSY),        NAME(EEXIST),     NAME(EXDEV),        NAME(ENODEV),
		NAME(ENOTDIR),      NAME(EISDIR),     NAME(EINVAL),       NAME(ENFILE),
		NAME(EMFILE),       NAME(ENOTTY),     NAME(ETXTBSY),      NAME(EFBIG),
		NAME(ENOSPC),       NAME(ESPIPE),     NAME(EROFS),        NAME(EMLINK),
		NAME(EPIPE),        NAME(EDOM),       NAME(ERANGE),       NAME(EDEADLK),
		NAME(ENAMETOOLONG), NAME(ENOSYS),     NAME(EPROTO),       NAME(EBADFD),
		NAME(EOVERFLOW),    NAME(EOPNOTSUPP), NAME(ECONNABORTED), NAME(ECONNRESET),
		NAME(ENOBUFS),      NAME(ETIMEDOUT),  NAME(ECONNREFUSED), NAME(EALREADY),
		NAME(EINPROGRESS),  NAME(ESTALE),     NAME(EREMOTEIO),    NAME(EDQUOT),
		NAME(ECANCELED),
	};
#undef NAME

	return error < (int)(sizeof(names) / sizeof(*names)) ? names[error] : "?";
}
#endif

#endif
