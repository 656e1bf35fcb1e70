/* SPDX-License-Identifier: MIT */
/*
 * log.h - what the library says on standard error, and how it writes statistics.
 *
 * No stdio, no malloc, no lock, errno preserved.  A write neither waits nor
 * brings a signal: what there is no room for is lost.  Descriptor 2 is written
 * to only while it means the file that it meant when the library was loaded.
 */
#ifndef RTAIO_LOG_H
#define RTAIO_LOG_H

#include <stddef.h>
#include <unistd.h>

/* Note which file standard error is.  Nothing is said before; the first call counts. */
void log_note_stderr(void);

/* One line, which begins with "rtaio: ", on standard error. */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* @text by one system call.  @fd is STDERR_FILENO or the library's own. */
void log_write(int fd, const char *text, size_t size);

#endif
