/* SPDX-License-Identifier: MIT */
/*
 * inline.h - the inline lane: requests that complete inside the submitting call.
 *
 * One system call, and only where it does not wait: data in the page cache,
 * files that live in memory, and buffered writes that are a memory copy.
 * Runs in the program's threads, also in handlers; no lock, no memory.
 */
#ifndef RTAIO_INLINE_H
#define RTAIO_INLINE_H

#include <stdbool.h>
#include <sys/types.h>

#include "request/fd_kind.h"
#include "request/request.h"

#define INLINE_BYTES_MAX 65536u /* a longer copy is better made by a worker */

/*
 * May @req be tried at once?  Finds its *kind, and looks at its descriptor's flags
 * if that is needed.
 */
bool inline_accepts(struct request *req, enum file_kind *kind);

/*
 * Try it, by one system call.  True: it is done, and *res (>= 0) is the result.
 * Else nothing is done, but for a part of a read, which is read again as a whole.
 */
bool inline_perform(struct request *req, enum file_kind kind, ssize_t *res);

#endif
