/* SPDX-License-Identifier: MIT */
/*
 * explain_map.h - make and map the file of this process.
 */
#ifndef RTAIO_EXPLAIN_MAP_H
#define RTAIO_EXPLAIN_MAP_H

#include <stddef.h>

/* The address of a new struct explain_file, zeroed and with room on its disk; or -errno. */
long explain_map(const char *directory);

/* The command line of this process, with spaces. */
void explain_write_command(char *out, size_t size);

#endif
