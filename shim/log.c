// SPDX-License-Identifier: MIT
/*
 * log.c - one line on standard error.
 *
 * vsnprintf with integers and strings only needs no memory of its own in
 * glibc, which keeps this usable on small stacks and after fork.
 */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "futex.h"

#define LINE_MAX_BYTES 512

static void write_line(int fd, const char *prefix, const char *format, va_list args)
{
	char line[LINE_MAX_BYTES];
	size_t used = strlen(prefix);
	int len;

	memcpy(line, prefix, used);
	len = vsnprintf(line + used, sizeof(line) - used - 1, format, args);
	if (len < 0)
		return;
	used += (size_t)len;
	if (used > sizeof(line) - 2)
		used = sizeof(line) - 2;
	line[used++] = '\n';
	RAW_SYSCALL(SYS_write, fd, line, used);
}

void log_line(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_line(STDERR_FILENO, "rtaio: ", format, args);
	va_end(args);
}

void log_to(int fd, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_line(fd, "", format, args);
	va_end(args);
}
