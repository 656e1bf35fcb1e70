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

#include "request.h"

#define INLINE_BYTES_MAX 65536u /* a longer copy is better made by a worker */

/*
 * Try to do @req, and look at its descriptor's flags if that is needed.  When
 * it is done, *res (>= 0) is the result.  When not, bytes that were moved
 * already are accounted for in @req, which is then a request for the rest.  It
 * is marked as a copy when it could be done here, and had better be offloaded.
 */
bool inline_try(struct request *req, bool may_offload, ssize_t *res);

#endif
