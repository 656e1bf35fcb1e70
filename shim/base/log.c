// SPDX-License-Identifier: MIT
/*
 * log.c - messages on standard error, and the output of statistics.
 *
 * glibc's vsnprintf allocates nothing for integers and strings, so it may be called on small
 * stacks and after fork.
 */
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/raw_syscall.h"

#define LINE_MAX_BYTES 512

static struct stat first_stderr; /* all zero: it was not open */
static bool is_noted;

void log_note_stderr(void)
{
	if (!is_noted)
		RAW_SYSCALL(SYS_fstat, STDERR_FILENO, &first_stderr);
	is_noted = true;
}

/* A file that the program opens after it has closed standard error gets descriptor 2. */
static bool is_first_stderr(void)
{
	struct stat now;

	return first_stderr.st_mode != 0 && RAW_SYSCALL(SYS_fstat, STDERR_FILENO, &now) == 0 &&
	       now.st_dev == first_stderr.st_dev && now.st_ino == first_stderr.st_ino;
}

/* False for a full pipe, a pipe without reader and a stopped terminal. */
static bool has_room(int fd)
{
	struct pollfd polled = { .fd = fd, .events = POLLOUT };
	struct timespec no_time = { 0 };

	return RAW_SYSCALL(SYS_ppoll, &polled, 1, &no_time, NULL, 0) == 1 &&
	       polled.revents == POLLOUT;
}

/*
 * The kernel sends SIGPIPE and SIGXFSZ to the writing thread.  It blocks them and takes them
 * back.  A signal that was pending before belongs to the program and stays.
 */
static void write_without_signal(int fd, const char *text, size_t size)
{
	const uint64_t both = 1ull << (SIGPIPE - 1) | 1ull << (SIGXFSZ - 1);
	struct timespec no_time = { 0 };
	uint64_t mask, pending = 0, sent;
	long ret;

	RAW_SYSCALL(SYS_rt_sigprocmask, SIG_BLOCK, &both, &mask, sizeof(mask));
	RAW_SYSCALL(SYS_rt_sigpending, &pending, sizeof(pending));
	ret = RAW_SYSCALL(SYS_write, fd, text, size);
	sent = ret == -EPIPE ? 1ull << (SIGPIPE - 1) : ret == -EFBIG ? 1ull << (SIGXFSZ - 1) : 0;
	if (sent & ~pending)
		RAW_SYSCALL(SYS_rt_sigtimedwait, &sent, NULL, &no_time, sizeof(sent));
	RAW_SYSCALL(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(mask));
}

void log_write(int fd, const char *text, size_t size)
{
	if ((fd != STDERR_FILENO || is_first_stderr()) && has_room(fd))
		write_without_signal(fd, text, size);
}

void log_line(const char *format, ...)
{
	char line[LINE_MAX_BYTES] = "rtaio: ";
	size_t used = strlen(line);
	va_list args;

	va_start(args, format);
	used += (size_t)vsnprintf(line + used, sizeof(line) - used - 1, format, args);
	va_end(args);
	if (used > sizeof(line) - 2)
		used = sizeof(line) - 2;
	line[used++] = '\n';
	log_write(STDERR_FILENO, line, used);
}
