/* SPDX-License-Identifier: MIT */
/*
 * op.h - a read or write of blocks, whose result and bytes are checked
 */
#ifndef RTAIO_TEST_OP_H
#define RTAIO_TEST_OP_H

#include "report.h"

#include <aio.h>
#include <pthread.h>
#include <semaphore.h>

#define NR_OPS      16
#define LONG_BLOCKS 32

struct op {
	struct aiocb cb;
	unsigned char *buf;
	enum target target;
	int block, nr_blocks, version;
	bool is_begun;
};

struct worker {
	int number, round, nr_writes;
	int fds[NR_TARGETS], append_fd;
	int *version[NR_TARGETS];
	struct op ops[NR_OPS];
	sem_t sems[2]; /* posted by a handler and by a callback */
	pthread_attr_t attributes;
};

/* An op that transfers blocks of the file; a write gives them a version of its own. */
void op_prepare(struct worker *worker, struct op *op, int opcode, enum target target, int block,
		int nr_blocks);

/* Submit it, or note that the call was refused. */
void op_submit(struct op *op);

/* Wait for it.  It has the whole number of bytes, and the right ones, or an error. */
void op_finish(struct worker *worker, struct op *op);

/* The same for the first @nr of the worker. */
void op_finish_all(struct worker *worker, int nr);

void wait_for(const struct aiocb *cb);

#endif
