/* SPDX-License-Identifier: MIT */
/*
 * dump_requests.h - the requests of a process that are not complete
 */
#ifndef RTAIO_DUMP_REQUESTS_H
#define RTAIO_DUMP_REQUESTS_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/dump_find.h"
#include "tools/image.h"

/* What a record holds. */
enum dump_what {
	DUMP_TRANSFER,     /* a read, write or sync */
	DUMP_LIST,         /* a call of lio_listio */
	DUMP_CANCEL,       /* a question of aio_cancel */
	DUMP_CLOSE,        /* a question of a close function */
	DUMP_NOTIFICATION, /* the request is complete, but its notification waits */
};

struct dumped {
	enum dump_what what;
	uint64_t handle, word, cb, nbytes, offset, done, submitted_at, queue, cancel, pin;
	uint64_t target;
	uint32_t mode, members;
	uint32_t tid;    /* as the process itself sees it, or 0 */
	uint32_t thread; /* the same as others see it */
	int fd, last_fd, signo;
	uint8_t op, place, copy_kind;
	bool is_closed, is_thread; /* is_thread: SIGEV_THREAD */
};

struct requests {
	struct dumped *list; /* the oldest first */
	size_t nr;
	size_t nr_of[DUMP_NOTIFICATION + 1]; /* of each kind */
	uint64_t now; /* on the clock of submitted_at; of a core file the last submission */
	bool is_cut;  /* there are more, which were not read */
};

struct requests *dump_requests(struct image *image, const struct library *library);

#endif
