// SPDX-License-Identifier: MIT
/*
 * vectors.c - aio_readv and aio_writev, looked up by name
 *
 * The contracts are in vectors.h.
 */
#include "vectors.h"

#include <dlfcn.h>

#define CLEAR 0xEE

int (*call_readv)(struct aiocb *cb);
int (*call_writev)(struct aiocb *cb);

bool has_vectors(void)
{
	call_readv = (int (*)(struct aiocb *))dlsym(RTLD_DEFAULT, "aio_readv");
	call_writev = (int (*)(struct aiocb *))dlsym(RTLD_DEFAULT, "aio_writev");
	if (!call_readv || !call_writev)
		printf("the implementation has no aio_readv");
	return call_readv && call_writev;
}

static void init(struct aiocb *cb, int fd, const struct iovec *vector, size_t nr, off_t offset)
{
	aiocb_init(cb, fd, NULL, 0, offset);
	cb->aio_iov = (void *)(uintptr_t)vector;
	cb->aio_iovcnt = nr;
}

void submit_readv(struct aiocb *cb, int fd, const struct iovec *vector, size_t nr, off_t offset)
{
	init(cb, fd, vector, nr, offset);
	check_equal(call_readv(cb), 0);
}

void submit_writev(struct aiocb *cb, int fd, const struct iovec *vector, size_t nr, off_t offset)
{
	init(cb, fd, vector, nr, offset);
	check_equal(call_writev(cb), 0);
}

void refuse_readv(struct aiocb *cb, int fd, const struct iovec *vector, size_t nr, int error)
{
	init(cb, fd, vector, nr, 0);
	errno = 0;
	check_equal(call_readv(cb), -1);
	check_equal(errno, error);
	check_equal(aio_error(cb), error);
}

/* Gaps are whole units, so that entries are as aligned as the memory. */
struct pieces pieces_make(size_t nr, size_t unit, bool has_empty)
{
	struct pieces pieces = { .nr = nr, .room = (3 * nr + 1) * unit };
	size_t at = unit;

	pieces.memory = direct_buffer(pieces.room);
	pieces.entries = malloc((nr ? nr : 1) * sizeof(*pieces.entries));
	check(pieces.entries != NULL);
	for (size_t i = 0; i < nr; i++) {
		size_t size = has_empty && i % 5 == 1 ? 0 : unit * (1 + i % 2);

		pieces.entries[i] = (struct iovec){ pieces.memory + at, size };
		pieces.nbytes += size;
		at += size + unit;
	}
	pieces_clear(&pieces);
	return pieces;
}

void pieces_drop(struct pieces *pieces)
{
	free(pieces->entries);
	free(pieces->memory);
	*pieces = (struct pieces){ .nr = 0 };
}

void pieces_clear(const struct pieces *pieces)
{
	memset(pieces->memory, CLEAR, pieces->room);
}

void pieces_fill(const struct pieces *pieces, size_t position)
{
	for (size_t i = 0; i < pieces->nr; i++) {
		pattern_fill(pieces->entries[i].iov_base, position, pieces->entries[i].iov_len);
		position += pieces->entries[i].iov_len;
	}
}

static bool is_clear(const unsigned char *from, const unsigned char *to)
{
	for (; from < to; from++)
		if (*from != CLEAR)
			return false;
	return true;
}

void pieces_check(const struct pieces *pieces, size_t position, size_t nbytes)
{
	const unsigned char *clear = pieces->memory;

	for (size_t i = 0; i < pieces->nr; i++) {
		unsigned char *entry = pieces->entries[i].iov_base;
		size_t size = pieces->entries[i].iov_len;

		size = size < nbytes ? size : nbytes;
		check(is_clear(clear, entry));
		check_pattern(entry, position, size);
		position += size;
		nbytes -= size;
		clear = entry + size;
	}
	check(is_clear(clear, pieces->memory + pieces->room));
}
