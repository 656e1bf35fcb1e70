// SPDX-License-Identifier: MIT
/*
 * op.c - the contract is in op.h
 */
#include "op.h"

#include <errno.h>
#include <string.h>

void op_prepare(struct worker *worker, struct op *op, int opcode, enum target target, int block,
		int nr_blocks)
{
	memset(&op->cb, 0, sizeof(op->cb));
	op->target = target;
	op->block = block;
	op->nr_blocks = nr_blocks;
	op->is_begun = false;
	op->version = worker->version[target][block];
	op->cb.aio_fildes = worker->fds[target];
	op->cb.aio_buf = op->buf;
	op->cb.aio_nbytes = (size_t)nr_blocks * BLOCK;
	op->cb.aio_offset = (off_t)block * BLOCK;
	op->cb.aio_lio_opcode = opcode;
	op->cb.aio_sigevent.sigev_notify = SIGEV_NONE;
	if (opcode != LIO_WRITE) {
		memset(op->buf, 0xee, op->cb.aio_nbytes);
		return;
	}
	op->version = ++worker->nr_writes;
	for (int i = 0; i < nr_blocks; i++)
		memset(op->buf + (size_t)i * BLOCK,
		       byte_of(worker->number, target, block + i, op->version), BLOCK);
}

static void note_submission(struct op *op, int rc)
{
	op->is_begun = rc == 0;
	if (rc == 0)
		return;
	if (!is_allowed(errno))
		fault("a call is refused: %s", strerrorname_np(errno));
	atomic_fetch_add(&report->nr_refused, 1);
}

void op_submit(struct op *op)
{
	note_submission(op, op->cb.aio_lio_opcode == LIO_WRITE ? aio_write(&op->cb)
							       : aio_read(&op->cb));
}

void wait_for(const struct aiocb *cb)
{
	while (aio_error(cb) == EINPROGRESS)
		if (aio_suspend(&cb, 1, NULL) < 0 && errno != EINTR && !is_allowed(errno))
			fault("aio_suspend: %s", strerrorname_np(errno));
}

static void note_written(struct worker *worker, struct op *op, bool is_written)
{
	for (int i = 0; i < op->nr_blocks; i++)
		worker->version[op->target][op->block + i] = is_written ? op->version : UNKNOWN;
}

static void check_read(struct worker *worker, struct op *op)
{
	for (int i = 0; i < op->nr_blocks; i++) {
		int block = op->block + i, version = worker->version[op->target][block];
		unsigned char expected = byte_of(worker->number, op->target, block, version);

		for (int at = 0; version != UNKNOWN && at < BLOCK; at++)
			if (op->buf[(size_t)i * BLOCK + (size_t)at] != expected) {
				fault("target %d, block %d: read %u instead of %u", op->target,
				      block, op->buf[(size_t)i * BLOCK + (size_t)at], expected);
				return;
			}
	}
}

void op_finish(struct worker *worker, struct op *op)
{
	bool is_write = op->cb.aio_lio_opcode == LIO_WRITE;
	int error;
	ssize_t size;

	if (!op->is_begun)
		return;
	wait_for(&op->cb);
	error = aio_error(&op->cb);
	size = aio_return(&op->cb);
	if (error) {
		if (!is_allowed(error) || size != -1)
			fault("a %s ends with %s and %zd", is_write ? "write" : "read",
			      strerrorname_np(error), size);
		atomic_fetch_add(&report->nr_failed, 1);
	} else if (size != (ssize_t)op->cb.aio_nbytes) {
		fault("a %s of %zu bytes returns %zd", is_write ? "write" : "read",
		      op->cb.aio_nbytes, size);
	} else if (!is_write) {
		check_read(worker, op);
	}
	if (is_write)
		note_written(worker, op, !error);
}

void op_finish_all(struct worker *worker, int nr)
{
	for (int i = 0; i < nr; i++)
		op_finish(worker, &worker->ops[i]);
}
