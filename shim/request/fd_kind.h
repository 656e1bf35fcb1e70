/* SPDX-License-Identifier: MIT */
/*
 * fd_kind.h - what kind of file is it, and which lane may serve it?
 *
 * The submitting call asks only what the kernel answers by itself.  The rest needs statx and
 * fstatfs, which some network file systems pass on to their servers.  So a worker asks while
 * it performs a request, and notes the answer for the next one (fd_hints.h).
 */
#ifndef RTAIO_FD_KIND_H
#define RTAIO_FD_KIND_H

#include <stdbool.h>

#include "request/fd_hints.h"

struct request;

/*
 * [any thread] The kind of a file without O_DIRECT, which is to be read or written.  Waits for
 * nothing.
 */
enum file_kind fd_kind_find(int fd, bool is_read);

/*
 * [any thread] The type of @fd.  descriptor_get_type() asks the kernel for it by two calls.  They
 * are spared if a file with the same flags was noted for this number.
 */
void fd_kind_get_type(int fd, struct descriptor *out);

/*
 * [any thread] Does the file system keep writers out during a buffered read, so that the read
 * must stay one call?  For regular files that the ring may have.
 */
bool fd_kind_locks_reads(int fd);

/* [worker that performs @req] Note what is not known yet of its file.  May wait for a server. */
void fd_kind_learn(const struct request *req);

#endif
