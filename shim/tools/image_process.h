/* SPDX-License-Identifier: MIT */
/*
 * image_process.h - the memory of another process, and what /proc tells of it
 */
#ifndef RTAIO_IMAGE_PROCESS_H
#define RTAIO_IMAGE_PROCESS_H

#include "tools/image.h"

/* Does not return if there is no such process, or it must not be read. */
struct image *image_of_process(pid_t pid);

/* Of a file of /proc/PID: at most @size - 1 bytes, terminated.  Their number, or -1. */
ssize_t proc_read(pid_t pid, const char *name, char *buf, size_t size);

/* The number behind @name in a status file; the last of several. */
long status_field(const char *status, const char *name, long absent);

#endif
