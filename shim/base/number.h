/* SPDX-License-Identifier: MIT */
/*
 * number.h - numbers from text.
 *
 * From glibc 2.38 on, <stdlib.h> gives strtol() another symbol with _GNU_SOURCE, and the library
 * would need that glibc.  These are the old symbols.
 */
#ifndef RTAIO_NUMBER_H
#define RTAIO_NUMBER_H

long number_strtol(const char *text, char **end, int base) __asm__("strtol");
unsigned long number_strtoul(const char *text, char **end, int base) __asm__("strtoul");

#endif
