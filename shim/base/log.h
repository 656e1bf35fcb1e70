/* SPDX-License-Identifier: MIT */
/*
 * log.h - messages on standard error, and the output of statistics.
 *
 * No stream, no malloc, no lock, errno preserved.  A write neither waits nor raises a signal:
 * text for which there is no room is lost.  Descriptor 2 is written to only while it is the
 * file of log_note_stderr().
 */
#ifndef RTAIO_LOG_H
#define RTAIO_LOG_H

#include <stddef.h>
#include <string.h>
#include <unistd.h>

#if !__GLIBC_PREREQ(2, 32)
#define strerrordesc_np strerror
#endif

/* Note which file standard error is: the first call counts.  Before it log_line() is silent. */
void log_note_stderr(void);

/* Write one line on standard error, after "rtaio: ". */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Write @text by one system call.  @fd is STDERR_FILENO or belongs to the library. */
void log_write(int fd, const char *text, size_t size);

#endif
