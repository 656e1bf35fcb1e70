/* SPDX-License-Identifier: MIT */
/*
 * batch.h - reads of a list that one io_submit completes.
 *
 * If the data are in memory, Linux AIO copies them before io_submit returns.  So the inline lane
 * reads many blocks by one system call.
 *
 * The first read of a file is made by a call of its own.  It shows whether the file is in memory,
 * and tells programs that watch the file (inotify), which reads by Linux AIO do not.
 */
#ifndef RTAIO_BATCH_H
#define RTAIO_BATCH_H

#include <aio.h>
#include <libaio.h>
#include <stdbool.h>
#include <sys/types.h>

#include "request/fd_kind.h"

#define BATCH_MIN 4u /* a batch takes three system calls */
#define BATCH_MAX 32u

struct batch {
	int fd; /* of the reads; -1: none yet */
	enum file_kind kind;
	unsigned nr;
	size_t nbytes;
	struct batch_entry {
		struct aiocb *cb;
		ssize_t res;
		struct iocb iocb;
	} entries[BATCH_MAX];
};

/* [submitter] For a list of @nr entries.  False: they are too few, or Linux AIO may not be used. */
bool batch_open(struct batch *batch, int nr);

/* [submitter] A read of @fd has found its data in memory: others of this file may follow. */
void batch_begin(struct batch *batch, int fd, enum file_kind kind);

/* [submitter] Add the read of @cb.  False: it is for another lane, after the batch. */
bool batch_add(struct batch *batch, struct aiocb *cb);

/*
 * [submitter] Read.  True: batch_has_read() tells which reads are done.  False: none is.  Another
 * lane makes the others, as if nothing had happened.
 */
bool batch_read(struct batch *batch);

/* Neither a failed read nor a short one, which may be only what is in memory, is done. */
static inline bool batch_has_read(const struct batch_entry *entry)
{
	return entry->res == (ssize_t)entry->iocb.u.c.nbytes;
}

/* [holder of the claim] An event with this data has come.  False: it is of no batch. */
bool batch_note(void *data, ssize_t res);

/* Child of a fork: it has read nothing. */
void batch_after_fork(void);

#endif
