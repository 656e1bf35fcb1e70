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

#include "request/fd_hints.h"

struct request;

/* [any thread] Of a file that is read or written through the page cache.  Waits for nothing. */
enum file_kind fd_kind_find(int fd);

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
