/* SPDX-License-Identifier: MIT */
/*
 * log.h - one line on standard error, or where the statistics go.
 *
 * Formats into a small stack buffer and writes it with one write(2): no stdio,
 * no malloc, no lock, errno preserved.  Every line starts with "rtaio: ".
 */
#ifndef RTAIO_LOG_H
#define RTAIO_LOG_H

#include <unistd.h>

void log_to(int fd, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_line(...) log_to(STDERR_FILENO, __VA_ARGS__)

#endif
