/* SPDX-License-Identifier: MIT */
/*
 * vectors.h - aio_readv and aio_writev, looked up by name, since glibc has none
 */
#ifndef RTAIO_TEST_VECTORS_H
#define RTAIO_TEST_VECTORS_H

#include "transparency.h"

#include <sys/uio.h>

#include "../../include/rtaio.h"

extern int (*call_readv)(struct aiocb *cb);
extern int (*call_writev)(struct aiocb *cb);

/* False: the implementation has none, and the reason is printed. */
bool has_vectors(void);

/* A test which is one function run in a child, where there are vectored requests. */
#define TEST_OF_VECTORS(test, function, deadline_ms) \
	TEST_WHERE(has_vectors, test, function, deadline_ms)

/* Submit, and check that the call was accepted. */
void submit_readv(struct aiocb *cb, int fd, const struct iovec *vector, size_t nr, off_t offset);
void submit_writev(struct aiocb *cb, int fd, const struct iovec *vector, size_t nr, off_t offset);

/* Submit, and check that the call fails with this error, which the block tells as well. */
void refuse_readv(struct aiocb *cb, int fd, const struct iovec *vector, size_t nr, int error);

/*
 * @nr entries of one or two times @unit bytes in one piece of memory, with gaps before, between
 * and behind them.  Every fifth entry is empty if @has_empty.
 */
struct pieces {
	struct iovec *entries;
	size_t nr, nbytes;
	unsigned char *memory;
	size_t room; /* of the memory */
};

struct pieces pieces_make(size_t nr, size_t unit, bool has_empty);
void pieces_drop(struct pieces *pieces);

/* Fill the entries with the pattern from @position on.  Clear the entries and the gaps. */
void pieces_fill(const struct pieces *pieces, size_t position);
void pieces_clear(const struct pieces *pieces);

/* The first @nbytes of the entries are the pattern, and all else is clear. */
void pieces_check(const struct pieces *pieces, size_t position, size_t nbytes);

#endif
