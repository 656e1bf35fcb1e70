/* SPDX-License-Identifier: MIT */
/*
 * perform.h - do one request by the system call that glibc would have made.
 *
 * May block.  For workers, and for the engine where nothing can block.
 */
#ifndef RTAIO_PERFORM_H
#define RTAIO_PERFORM_H

#include <sys/uio.h>

#include "base/raw_syscall.h"
#include "request/request.h"

/*
 * One call moves as many bytes with any kernel: its MAX_RW_COUNT is 2 GiB less a page, of 64 KiB at
 * the most.
 */
#define PERFORM_BYTES_MAX 0x7fff0000u

/*
 * Bytes or -errno, on @fd: the request's descriptor or that of its pin.  EINTR is retried,
 * but -ECANCELED if the descriptor was closed meanwhile.
 */
ssize_t perform(const struct request *req, int fd);

/* A transfer by one plain call at its offset.  Bytes or -errno. */
static inline ssize_t perform_at(const struct request *req, int fd)
{
	bool is_read = req->op == OP_READ;

	if (req->vector)
		return RAW_SYSCALL(is_read ? SYS_preadv : SYS_pwritev, fd, req->buf,
				   req->nr_entries, req->offset, 0L);
	return RAW_SYSCALL(is_read ? SYS_pread64 : SYS_pwrite64, fd, req->buf, req->nbytes,
			   req->offset);
}

/* By preadv2 or pwritev2, at @offset with RWF_ @flags; -1: the file has no position. */
static inline ssize_t perform_flagged(const struct request *req, off_t offset, int flags)
{
	struct iovec one = { .iov_base = req->buf, .iov_len = req->nbytes };
	const struct iovec *vector = req->vector ? req->buf : &one;
	long nr = req->vector ? req->nr_entries : 1;

	/* The upper half of the offset counts only if the lower one is -1. */
	return RAW_SYSCALL(req->op == OP_WRITE ? SYS_pwritev2 : SYS_preadv2, req->fd, vector, nr,
			   offset, offset < 0 ? -1L : 0L, flags);
}

/*
 * A request on a stream, without waiting, with further RWF_ @flags.  Bytes or -errno.  -EAGAIN:
 * it would wait.  -EOPNOTSUPP: the file refuses RWF_NOWAIT, or a sandbox refuses the call.
 * EINTR is retried.
 */
ssize_t perform_nowait(const struct request *req, int flags);

/*
 * Would a call that does not wait have the result of a plain one?  For sockets it asks the kernel.
 */
bool perform_nowait_is_plain(const struct request *req);

#endif
