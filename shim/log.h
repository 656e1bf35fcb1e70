/* SPDX-License-Identifier: MIT */
/*
 * log.h - one line on standard error.
 *
 * Formats into a small stack buffer and writes it with one write(2): no stdio,
 * no malloc, no lock, errno preserved.  Every line starts with "rtaio: ".
 */
#ifndef RTAIO_LOG_H
#define RTAIO_LOG_H

void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, to a descriptor of the caller's choice and without the prefix. */
void log_to(int fd, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
