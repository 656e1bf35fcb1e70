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
#include "steering.h"

#define INLINE_BYTES_MAX 65536u /* a longer copy is better done beside the caller */

enum inline_answer {
	INLINE_NO,     /* another lane does it */
	INLINE_DONE,   /* the result is there */
	INLINE_BESIDE, /* it could be done here, and had better be done by the lane beside */
};

/*
 * Try to do @req, and look at its descriptor's flags if that is needed.  When
 * it is done, *res (>= 0) is the result.  When not, bytes that were moved
 * already are accounted for in @req, which is then a request for the rest.
 */
enum inline_answer inline_try(struct request *req, bool may_go_beside, ssize_t *res);

/* [lane beside] The same, for a number that means a file of that kind.  False: it would have waited. */
bool inline_perform(struct request *req, enum file_kind kind, ssize_t *res);

#endif
