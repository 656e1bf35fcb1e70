/* SPDX-License-Identifier: MIT */
/*
 * image.h - the memory of another process, or of one that left a core file
 *
 * A process is read while it runs: it is neither stopped nor traced.
 */
#ifndef RTAIO_IMAGE_H
#define RTAIO_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct mapping {
	uint64_t start, end;
	uint64_t offset; /* in the file */
	char *path;      /* "": no file */
};

struct segment {
	uint64_t address, nbytes; /* as far as the core file has it */
	uint64_t offset;
};

struct image {
	char *title; /* for messages */
	bool is_core;
	bool (*read)(struct image *image, uint64_t address, void *buf, size_t size);
	int file;        /* of the core, or /proc/PID/mem if the other way is refused; or -1 */
	pid_t pid;       /* 0: the core does not tell */
	pid_t inner_pid; /* as the process itself sees it */
	char *command;
	struct mapping *mappings;
	size_t nr_mappings;

	/* --- processes only --- */
	char state; /* of the main thread, as in /proc/PID/stat */
	pid_t tracer;

	/* --- core files only --- */
	struct segment *segments;
	size_t nr_segments;
	pid_t *tids;
	size_t nr_tids;
};

/* False: there is no such memory, or the core file lacks it. */
bool image_read(struct image *image, uint64_t address, void *buf, size_t size);

/* A string of at most @size - 1 bytes.  "": there is none. */
void image_read_text(struct image *image, uint64_t address, char *buf, size_t size);

void image_add_mapping(struct image *image, struct mapping mapping);

#endif
