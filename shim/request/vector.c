// SPDX-License-Identifier: MIT
/*
 * vector.c - the vector of buffers of a request
 */
#include "request/vector.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "base/raw_syscall.h"

/*
 * In a second record, the vector takes the place of the members that only engine and workers use.
 * What any thread may read in a record stays: word, place, and the time, without which rtaio dump
 * passes it over.
 */
#define ENTRIES_AT      offsetof(struct request, notification)
#define ENTRIES_IN_MAX  ((sizeof(struct request) - ENTRIES_AT) / sizeof(struct iovec))
#define MAPPED_BYTES(n) ((n) * sizeof(struct iovec))

_Static_assert(ENTRIES_AT % _Alignof(struct iovec) == 0, "entries in a record are not aligned");

static void *find_room(struct request *req)
{
	struct request *other;
	long at;

	if (req->nr_entries <= ENTRIES_IN_MAX) {
		other = request_alloc();
		if (!other)
			return NULL;
		other->op = OP_GROUP; /* no I/O */
		req->vector = VECTOR_IN_RECORD;
		return (char *)other + ENTRIES_AT;
	}
	at = RAW_SYSCALL(SYS_mmap, NULL, MAPPED_BYTES(req->nr_entries), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (raw_is_error(at))
		return NULL;
	/* A child has none of its parent's requests, so nothing would free it there. */
	RAW_SYSCALL(SYS_madvise, at, MAPPED_BYTES(req->nr_entries), MADV_DONTFORK);
	req->vector = VECTOR_MAPPED;
	return (void *)at;
}

bool vector_keep(struct request *req)
{
	void *room = find_room(req);

	if (!room)
		return false;
	if (req->nr_entries > 0) /* else the program's may be a null pointer */
		memcpy(room, req->buf, req->nr_entries * sizeof(struct iovec));
	req->buf = room;
	vector_advance(req, req->done);
	return true;
}

/* An entry that is done stays as an empty one, so that the copy keeps its place and its size. */
void vector_advance(struct request *req, size_t bytes)
{
	struct iovec *entry = req->buf;

	if (req->vector == VECTOR_OF_PROGRAM)
		return;
	for (unsigned i = 0; i < req->nr_entries && bytes > 0; i++, entry++) {
		size_t part = bytes < entry->iov_len ? bytes : entry->iov_len;

		entry->iov_base = (char *)entry->iov_base + part;
		entry->iov_len -= part;
		bytes -= part;
	}
}

void vector_drop(struct request *req)
{
	if (req->vector == VECTOR_IN_RECORD)
		request_free((struct request *)(void *)((char *)req->buf - ENTRIES_AT));
	else if (req->vector == VECTOR_MAPPED)
		RAW_SYSCALL(SYS_munmap, req->buf, MAPPED_BYTES(req->nr_entries));
}
