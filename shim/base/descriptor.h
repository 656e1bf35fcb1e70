/* SPDX-License-Identifier: MIT */
/*
 * descriptor.h - the file behind a descriptor, and descriptors that belong to the library.
 *
 * A request knows its file by the descriptor only, until the kernel has resolved that.  For each
 * descriptor (hashed) a counter of such requests tells the close hooks whether a request
 * depends on it (close.c).  A close that the hooks do not see acts as on glibc.
 *
 * All functions here are async-signal-safe, leave errno alone and ask no server of a network
 * file system.
 */
#ifndef RTAIO_DESCRIPTOR_H
#define RTAIO_DESCRIPTOR_H

#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/thread.h"

struct descriptor {
	uint32_t mode; /* the type bits of st_mode; 0: an anonymous inode such as an eventfd */
	int flags;     /* as fcntl(F_GETFL) */
	int err;       /* 0, or the errno of a bad descriptor, which is final */
	bool has_flags;
	bool has_type;
	bool is_assumed; /* the type is not asked yet, but it was a stream: see issue.c */
};

/* @out is { 0 } at first.  Members that are known are not asked again. */
void descriptor_get_flags(int fd, struct descriptor *out);
void descriptor_get_type(int fd, struct descriptor *out);

/* Is @fd a pipe or socket?  Sets the type, not the flags; false: @out has neither. */
bool descriptor_get_stream(int fd, struct descriptor *out);

/* Does the file end at @offset or before?  Not for files whose fstat may wait for a server. */
bool descriptor_ends_at(int fd, off_t offset);

/* Do both mean the same file?  False if one of them is closed, or the kernel refuses statx. */
bool descriptor_is_same_file(int fd, int other);

static inline bool descriptor_is_file(const struct descriptor *d)
{
	return S_ISREG(d->mode) || S_ISBLK(d->mode) || S_ISDIR(d->mode);
}

/*
 * Each buffered write syncs what it has written.  So it reports an error of writing back, which the
 * kernel reports once for each open file.  With O_DIRECT the device reports to the write itself.
 * The flags must be known.
 */
static inline bool descriptor_has_synced_writes(const struct descriptor *d)
{
	return (d->flags & (O_DIRECT | O_DSYNC)) == O_DSYNC;
}

static inline bool descriptor_is_pipe_or_socket(const struct descriptor *d)
{
	return S_ISFIFO(d->mode) || S_ISSOCK(d->mode);
}

#define DESCRIPTOR_BUCKETS 1024u

/* Neighbours lie in different cache lines, since different threads may use them. */
static inline unsigned descriptor_bucket(int fd)
{
	const unsigned lines = DESCRIPTOR_BUCKETS * sizeof(uint32_t) / CACHE_LINE;
	unsigned bucket = (unsigned)fd % DESCRIPTOR_BUCKETS;

	return bucket % lines * (DESCRIPTOR_BUCKETS / lines) + bucket / lines;
}

/*
 * Submitters raise it.  The completing thread lowers it, or the engine when the kernel or a pin
 * holds the file.  The close hooks read it.
 */
extern _Atomic uint32_t descriptor_held[DESCRIPTOR_BUCKETS];

static inline void descriptor_hold(int fd)
{
	atomic_fetch_add(&descriptor_held[descriptor_bucket(fd)], 1);
}

static inline void descriptor_release(int fd)
{
	atomic_fetch_sub(&descriptor_held[descriptor_bucket(fd)], 1);
}

static inline bool descriptor_is_held(int fd)
{
	return atomic_load(&descriptor_held[descriptor_bucket(fd)]) != 0;
}

#define VISIBLE_FD_MIN 1000 /* our descriptors are above those that programs expect to get */

/*
 * Mark @fd, just opened, as ours, and move it to VISIBLE_FD_MIN or above if possible.  Returns
 * the descriptor, or -errno: then @fd is closed.
 */
int descriptor_adopt(int fd);

/* Check before each use: the program may have closed @fd and opened a file of its own there. */
bool descriptor_is_own(int fd);

void descriptor_close_own(int fd);

/* Child of a fork: nothing is held. */
void descriptor_after_fork(void);

#endif
