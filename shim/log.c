// SPDX-License-Identifier: MIT
/*
 * log.c - one line on standard error, or where the statistics go.
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

void log_to(int fd, const char *format, ...)
{
	char line[LINE_MAX_BYTES] = "rtaio: ";
	size_t used = strlen(line);
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line + used, sizeof(line) - used - 1, format, args);
	va_end(args);
	if (len < 0)
		return;
	used += (size_t)len;
	if (used > sizeof(line) - 2)
		used = sizeof(line) - 2;
	line[used++] = '\n';
	RAW_SYSCALL(SYS_write, fd, line, used);
}
