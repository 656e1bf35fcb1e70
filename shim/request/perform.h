/* SPDX-License-Identifier: MIT */
/*
 * perform.h - do one request by the system call that glibc would have made.
 *
 * Blocks.  For worker threads, and for the engine where nothing can block.
 */
#ifndef RTAIO_PERFORM_H
#define RTAIO_PERFORM_H

#include "request/request.h"

/* The kernel moves no more than this by one call (MAX_RW_COUNT). */
#define PERFORM_BYTES_MAX 0x7ffff000u

/* Bytes or -errno, on @fd: the request's descriptor or that of its pin.  EINTR is retried. */
ssize_t perform(const struct request *req, int fd);

/*
 * A stream's request if it can be done without waiting: bytes or -errno;
 * -EAGAIN when it would wait, -EOPNOTSUPP when the file cannot tell, or the
 * call is refused.
 */
ssize_t perform_nowait(const struct request *req);

#endif
