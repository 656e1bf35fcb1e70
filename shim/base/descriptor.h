/* SPDX-License-Identifier: MIT */
/*
 * descriptor.h - what a file descriptor means, as far as a request must know it.
 *
 * From aio_write returning to the moment the kernel resolves it, a request
 * knows its file by its descriptor only.  A counter of such requests for each
 * descriptor (hashed) tells the close functions that something depends on it
 * (close.c).  A close that they do not see means what it means on glibc.
 *
 * All functions here are async-signal-safe, leave errno alone and ask no
 * server of a network file system.
 */
#ifndef RTAIO_DESCRIPTOR_H
#define RTAIO_DESCRIPTOR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct descriptor {
	uint32_t mode; /* as st_mode, only the type; 0: an anonymous inode such as an eventfd */
	int flags;     /* as fcntl(F_GETFL) */
	int err;       /* 0, or the errno of a descriptor that means no file; it is final */
	bool has_flags;
	bool has_type;
};

/* From { 0 } on as far as it is needed: what is known already is not asked again. */
void descriptor_get_flags(int fd, struct descriptor *out);
void descriptor_get_type(int fd, struct descriptor *out);

/*
 * For a descriptor that was a pipe or socket: is it one still?  False, and
 * nothing is known, if it is neither.  Flags are asked when it is issued.
 */
bool descriptor_get_stream(int fd, struct descriptor *out);

/* Of a file that does not wait for a server: does it end at @offset, or before? */
bool descriptor_ends_at(int fd, off_t offset);

static inline bool descriptor_is_file(const struct descriptor *d)
{
	return S_ISREG(d->mode) || S_ISBLK(d->mode) || S_ISDIR(d->mode);
}

#define DESCRIPTOR_BUCKETS 1024u

/*
 * Submitters raise; whoever completes the request lowers, or the engine once
 * it has seen to its file at close; the close functions read.
 */
extern _Atomic uint32_t descriptor_held[DESCRIPTOR_BUCKETS];

static inline void descriptor_hold(int fd)
{
	atomic_fetch_add(&descriptor_held[(unsigned)fd % DESCRIPTOR_BUCKETS], 1);
}

static inline void descriptor_release(int fd)
{
	atomic_fetch_sub(&descriptor_held[(unsigned)fd % DESCRIPTOR_BUCKETS], 1);
}

static inline bool descriptor_is_held(int fd)
{
	return atomic_load(&descriptor_held[(unsigned)fd % DESCRIPTOR_BUCKETS]) != 0;
}

#define VISIBLE_FD_MIN 1000 /* a descriptor of ours that must be visible: out of the way */

/*
 * Mark what was just opened as ours, and move it out of the way, if there is room.  Returns the
 * descriptor, or -errno: then it is closed.
 */
int descriptor_adopt(int fd);

/* The program may have closed it, and @fd mean a file of its own: ask before each use. */
bool descriptor_is_own(int fd);

void descriptor_close_own(int fd);

/* Child of a fork: nothing is held. */
void descriptor_after_fork(void);

#endif
