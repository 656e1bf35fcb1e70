/* SPDX-License-Identifier: MIT */
/*
 * explain_files.h - files as processes under `rtaio explain` make them, with known contents.
 */
#ifndef RTAIO_TEST_EXPLAIN_FILES_H
#define RTAIO_TEST_EXPLAIN_FILES_H

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/probes.h"
#include "base/refusal.h"
#include "observers/explain_file.h"
#include "request/request.h"

#define MADE_AT  UINT64_C(1000000000) /* the first use of AIO */
#define MADE_END UINT64_C(3000000000)

/* A process that has used AIO for two seconds, and ended. */
static inline struct explain_file *make_file(uint32_t pid)
{
	struct explain_file *file = calloc(1, sizeof(*file));

	if (!file)
		abort();
	file->magic = EXPLAIN_MAGIC;
	file->size = sizeof(*file);
	file->pid = pid;
	snprintf(file->version, sizeof(file->version), "%s", RTAIO_VERSION);
	snprintf(file->backend, sizeof(file->backend), "auto");
	snprintf(file->command, sizeof(file->command), "program %u", pid);
	file->started_ns = MADE_AT;
	file->ended_ns = MADE_END;
	return file;
}

static inline void make_name(struct explain_file *file, unsigned index, uint64_t inode,
			     const char *path)
{
	struct explain_file_name *name = &file->names[index];

	name->device = 1;
	name->inode = inode;
	name->state = 2;
	snprintf(name->path, sizeof(name->path), "%s", path);
}

/* A cached read of 4 KiB from the file with index 0, which took 1 us and was collected after 2. */
static inline struct explain_sample make_request(void)
{
	return (struct explain_sample){
		.state = EXPLAIN_DONE,
		.weight = 1,
		.submitted_ns = MADE_AT,
		.call_ns = 900,
		.depth = 1,
		.completed_ns = MADE_AT + 1000,
		.collected_ns = MADE_AT + 2000,
		.nbytes = 4096,
		.result = 4096,
		.op = OP_READ,
		.lane = PROBE_INLINE,
		.kind = EXPLAIN_FILE,
		.notify = SIGEV_NONE,
	};
}

/* @nr requests like that, evenly over the time, with the counters. */
static inline void make_requests(struct explain_file *file, struct explain_sample like, unsigned nr)
{
	uint64_t completion_ns = like.completed_ns - like.submitted_ns;
	uint64_t collection_ns = like.collected_ns - like.submitted_ns;
	uint64_t all = (uint64_t)nr * like.weight;

	for (unsigned i = 0; i < nr; i++) {
		struct explain_sample *sample = &file->samples[file->nr_samples++];

		*sample = like;
		sample->submitted_ns = MADE_AT + i * ((MADE_END - MADE_AT) / nr);
		if (like.completed_ns)
			sample->completed_ns = sample->submitted_ns + completion_ns;
		if (like.collected_ns)
			sample->collected_ns = sample->submitted_ns + collection_ns;
	}
	file->rows[0].submitted += all;
	file->rows[0].completed += like.completed_ns ? all : 0;
	file->rows[0].collected += like.collected_ns ? all : 0;
	file->rows[0].errors += like.result < 0 ? all : 0;
}

/* The first @length bytes of it. */
static inline void write_part(const struct explain_file *file, size_t length, const char *directory,
			      const char *name)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, file, length) != (ssize_t)length || close(fd) < 0)
		abort();
}

static inline void write_file(const struct explain_file *file, const char *directory,
			      const char *name)
{
	write_part(file, sizeof(*file), directory, name);
}

#endif
