// SPDX-License-Identifier: MIT
/*
 * report.c - the contract is in report.h
 */
#include "report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct report *report;
const char *call, *when, *directory;
int injected;

void fault(const char *format, ...)
{
	va_list args;

	if (atomic_exchange(&report->has_fault, true))
		return;
	va_start(args, format);
	vsnprintf(report->fault, sizeof(report->fault), format, args);
	va_end(args);
}

/* A backend that is chosen by name and cannot serve is an error. */
bool is_allowed(int error)
{
	return error == EAGAIN || (error == injected && error != EINTR) ||
	       (error == ENOSYS &&
		(strncmp(call, "io_uring", 8) == 0 || strcmp(call, "io_setup") == 0 ||
		 strncmp(call, "RLIMIT_", 7) == 0));
}

unsigned char byte_of(int thread, int target, int block, int version)
{
	return (unsigned char)(thread * 101 + target * 67 + block * 7 + version * 31 + 1);
}

void make_path(char path[PATH_MAX], const char *kind, int thread)
{
	snprintf(path, PATH_MAX, "%s/%s%d", directory, kind, thread);
}
