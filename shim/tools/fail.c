// SPDX-License-Identifier: MIT
/*
 * fail.c - the contract is in fail.h
 */
#include "tools/fail.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fail(const char *format, ...)
{
	va_list arguments;

	fflush(stdout);
	fputs("rtaio dump: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1);
}

static void *checked(void *memory)
{
	if (!memory)
		fail("there is not enough memory");
	return memory;
}

void *make(size_t nr, size_t size)
{
	return checked(calloc(nr ? nr : 1, size));
}

void *grow(void *old, size_t size)
{
	return checked(realloc(old, size ? size : 1));
}

char *text_of(const char *from)
{
	return checked(strdup(from));
}
