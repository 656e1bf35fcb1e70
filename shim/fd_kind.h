/* SPDX-License-Identifier: MIT */
/*
 * fd_kind.h - what kind of file is it, and which lane may serve it?
 *
 * What can be found out in the submitting call is found out there.  The rest
 * needs statx and fstatfs, which some network file systems pass on to their
 * servers: a worker asks, while it performs a request that no other lane takes
 * yet, and notes the answer (fd_hints.h) for the next one.
 */
#ifndef RTAIO_FD_KIND_H
#define RTAIO_FD_KIND_H

#include <stdbool.h>

struct request;

enum file_kind {
	FILE_UNKNOWN = 0,
	FILE_OTHER,          /* it may wait for anything: for the workers */
	FILE_STREAM,         /* a pipe or socket: for the engine */
	FILE_MEMORY,         /* tmpfs, hugetlbfs: waits for swap at the most */
	FILE_CACHED,         /* as far as NOWAIT goes; a worker that writes is to ask more */
	FILE_ASKED,          /* the same, and it has asked */
	FILE_READABLE,       /* refuses NOWAIT writes */
	FILE_COPIED,         /* the same, but its buffered writes are copies */
	FILE_RING,           /* O_DIRECT on btrfs, which has no device of its own */
	FILE_DIRECT,         /* O_DIRECT on a device of its own: Linux AIO */
	FILE_DIRECT_WAITING, /* the same, and refuses NOWAIT */
};

static inline bool file_takes_nowait_writes(enum file_kind kind)
{
	return kind == FILE_CACHED || kind == FILE_ASKED;
}

/* [any thread] Of a file that is read or written through the page cache.  Waits for nothing. */
enum file_kind fd_kind_find(int fd);

/*
 * May io_uring have it?  Only where the file system promises not to wait in
 * the submitting call: elsewhere the engine would wait for a server.
 */
static inline bool file_is_for_ring(enum file_kind kind)
{
	return kind >= FILE_CACHED && kind <= FILE_DIRECT_WAITING;
}

/*
 * [any thread] Does a read through the page cache keep writers out, so that it must
 * stay one call?  Of a regular file that is for the ring.
 */
bool fd_kind_locks_reads(int fd);

/*
 * [worker, which performs @req] Learn more for the next one, if something is left
 * to learn.  May wait for a server.
 */
void fd_kind_learn(const struct request *req);

#endif
