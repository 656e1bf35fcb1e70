/* SPDX-License-Identifier: MIT */
/*
 * dump_threads.h - the threads of the library in another process
 */
#ifndef RTAIO_DUMP_THREADS_H
#define RTAIO_DUMP_THREADS_H

#include <stddef.h>
#include <stdint.h>

#include "tools/dump_find.h"
#include "tools/dump_requests.h"
#include "tools/image.h"

struct dumped_thread {
	pid_t tid;
	char name[32];
	char state;          /* as in /proc/PID/stat; 0: a core file does not tell */
	uint64_t cpu_ms;     /* processor time */
	char waits_for[160]; /* in words */
	char place[64];      /* of the kernel, or "" */
	struct dumped *at;   /* the request that it performs, or NULL */
};

struct threads {
	struct dumped_thread *list;
	size_t nr;
	size_t nr_others; /* of the program */
};

struct threads *dump_threads(struct image *image, const struct library *library,
			     struct requests *requests);

/* What a state is called. */
const char *dump_state(char state);

#endif
