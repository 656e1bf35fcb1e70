/* SPDX-License-Identifier: MIT */
/*
 * vector.h - the vector of buffers of a request
 *
 * The program may change its vector once the submitting call has returned.  So a record has a copy:
 * in a second record of the pool if it is short, else in memory of its own.  The copy goes when the
 * request is published.
 */
#ifndef RTAIO_VECTOR_H
#define RTAIO_VECTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "request/request.h"

/* What request.buf points to. */
enum vector_kind {
	VECTOR_NONE = 0,   /* the buffer */
	VECTOR_OF_PROGRAM, /* the program's vector, during the submitting call */
	VECTOR_IN_RECORD,  /* a copy in a record of the pool */
	VECTOR_MAPPED,     /* a copy in pages of its own */
};

/*
 * [submitter] Put a copy in the place of the program's vector, without the bytes that are done.
 * False: no memory. Async-signal-safe, as are the others.
 */
bool vector_keep(struct request *req);

/* [the holder of @req] @bytes more are done.  A vector of the program's stays as it is. */
void vector_advance(struct request *req, size_t bytes);

/*
 * [the holder of @req] Its transfer has ended, or will never begin: free the copy, if there is one.
 */
void vector_drop(struct request *req);

/* @bytes of @req are done: from here on it is a request for the rest. */
static inline void request_advance(struct request *req, size_t bytes)
{
	req->done += bytes;
	req->nbytes -= bytes;
	req->offset += (off_t)bytes;
	if (req->vector)
		vector_advance(req, bytes);
	else
		req->buf = (char *)req->buf + bytes;
}

#endif
