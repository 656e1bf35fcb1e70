/* SPDX-License-Identifier: MIT */
/*
 * perform.h - do one request by the system call that glibc would have made.
 *
 * May block.  For workers, and for the engine where nothing can block.
 */
#ifndef RTAIO_PERFORM_H
#define RTAIO_PERFORM_H

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

/*
 * A request on a stream, without waiting, with further RWF_ @flags.  Bytes or -errno.  -EAGAIN:
 * it would wait.  -EOPNOTSUPP: the file refuses RWF_NOWAIT, or a sandbox refuses the call.
 * EINTR is retried.
 */
ssize_t perform_nowait(const struct request *req, int flags);

/* Would a call that does not wait have the result of a plain one?  For sockets it asks the kernel. */
bool perform_nowait_is_plain(const struct request *req);

#endif
