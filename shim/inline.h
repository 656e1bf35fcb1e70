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

/*
 * Try to do @req, and look at its descriptor's flags if that is needed.  True:
 * done, and *res (>= 0) is the result.  False: another lane does it; bytes that were moved
 * already are accounted for in @req, which is then a request for the rest.
 */
bool inline_try(struct request *req, ssize_t *res);

#endif
