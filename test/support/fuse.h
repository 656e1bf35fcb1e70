/* SPDX-License-Identifier: MIT */
/*
 * fuse.h - the protocol of file systems in user space, without a library
 */
#ifndef RTAIO_TEST_FUSE_H
#define RTAIO_TEST_FUSE_H

#include <linux/fuse.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FUSE_WRITE_MAX 131072

/* Mount what the server behind @device, an open /dev/fuse, will serve. */
bool fuse_mount(int device, const char *dir);

/* The same where no name leads, so that nothing stays behind: its root, or -1. */
int fuse_mount_unnamed(int device);

/* Answer with an error, or 0 and data. */
void fuse_reply(int device, uint64_t unique, int error, const void *data, size_t size);

/* Answer to FUSE_INIT: so many requests may wait for an answer, and these flags of it. */
void fuse_reply_initial(int device, uint64_t unique, unsigned int nr_waiting, uint32_t flags);

/*
 * Be the server, until the file system or the program is gone.  Each request that wants an
 * answer goes to @answer, with what follows its header; when @control can be read, @obey
 * is called.
 */
_Noreturn void fuse_serve(int device, int control,
			  void (*answer)(const struct fuse_in_header *in, const void *arg),
			  void (*obey)(int control));

/*
 * Mount without a name and fork the server, as above.  @device is for its answers, @root is the
 * program's.  The other end of @control, or -1: the reason has been printed.
 */
int fuse_start(int *device, int *root,
	       void (*answer)(const struct fuse_in_header *in, const void *arg),
	       void (*obey)(int control));

#endif
