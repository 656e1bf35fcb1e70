/* SPDX-License-Identifier: MIT */
/*
 * inline.h - the inline lane: requests that complete inside the submitting call.
 *
 * The call must not wait.  So the lane serves data in the page cache, files in memory, buffered
 * writes that are a memory copy, and pipes and sockets that are ready.  It runs in the program's
 * threads, also in handlers: it takes no lock and allocates no memory.
 */
#ifndef RTAIO_INLINE_H
#define RTAIO_INLINE_H

#include <stdbool.h>
#include <sys/types.h>

#include "request/fd_kind.h"
#include "request/request.h"

#define INLINE_BYTES_MAX 65536u /* a longer copy is better made by a worker */

/* May @req be tried now?  Finds *kind, and reads the flags of the descriptor if necessary. */
bool inline_accepts(struct request *req, enum file_kind *kind);

/*
 * Try it.  True: it is done, and *res is the result, for a file never an error.  False: another
 * lane must perform @req.  If a part of a read was done, the lane reads everything again; if a part
 * of a write to a socket was done, @req is the rest by now.
 */
bool inline_perform(struct request *req, enum file_kind kind, ssize_t *res);

#endif
