/* SPDX-License-Identifier: MIT */
/*
 * number.h - numbers from text.
 *
 * From glibc 2.38 on, <stdlib.h> and <stdio.h> give these functions other symbols with _GNU_SOURCE.
 * With those, the library and the tools would need that glibc.  These are the old symbols.
 */
#ifndef RTAIO_NUMBER_H
#define RTAIO_NUMBER_H

#include <stdio.h>

long number_strtol(const char *text, char **end, int base) __asm__("strtol");
unsigned long number_strtoul(const char *text, char **end, int base) __asm__("strtoul");
int number_sscanf(const char *text, const char *format, ...) __asm__("__isoc99_sscanf")
	__attribute__((format(scanf, 2, 3)));
int number_fscanf(FILE *file, const char *format, ...) __asm__("__isoc99_fscanf")
	__attribute__((format(scanf, 2, 3)));

#endif
