/* SPDX-License-Identifier: MIT */
/*
 * fail.h - how rtaio dump ends without an answer
 */
#ifndef RTAIO_FAIL_H
#define RTAIO_FAIL_H

#include <stddef.h>

/* One line on standard error, and exit status 1. */
__attribute__((format(printf, 1, 2))) _Noreturn void fail(const char *format, ...);

/* Memory, zeroed.  It is never freed: the program ends soon. */
void *make(size_t nr, size_t size);
void *grow(void *old, size_t size);
char *text_of(const char *from);

#endif
