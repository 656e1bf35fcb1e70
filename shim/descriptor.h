/* SPDX-License-Identifier: MIT */
/*
 * descriptor.h - which open file does a descriptor number mean?
 *
 * From aio_write returning to the moment the kernel resolves it, a request
 * holds only a number.  Two guards keep it from reaching another file:
 *
 * - a counter of accepted and not yet issued requests per number (hashed), by
 *   which the interposed close functions know that they must wait (close.c);
 * - the identity taken at submit (of a direct request: when that lane gives it
 *   back), compared again before issue, for closes that nobody could see
 *   (direct system calls, closes inside libc).
 *
 * All functions here are async-signal-safe and leave errno alone.
 */
#ifndef RTAIO_DESCRIPTOR_H
#define RTAIO_DESCRIPTOR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

enum {
	DESCRIPTOR_UNKNOWN = 0,
	DESCRIPTOR_FLAGS,
	DESCRIPTOR_INODE,
	DESCRIPTOR_STREAM, /* the inode, a pipe or socket; the flags were not asked */
};

struct descriptor {
	uint64_t ino;
	uint64_t dev;
	uint32_t mode; /* st_mode; 0 in the type bits: an anonymous inode such as an eventfd */
	int flags;     /* as fcntl(F_GETFL) */
	int err;       /* 0, or the errno of a number that means no file */
	uint8_t known; /* as far as DESCRIPTOR_FLAGS and so on; err is final */
};

/*
 * What does @fd mean now?  Never asks a remote server.  In one step, or from
 * { 0 } on as far as it is needed: what is known already is not asked again.
 */
void descriptor_identify(int fd, struct descriptor *out);
void descriptor_get_flags(int fd, struct descriptor *out);
void descriptor_get_inode(int fd, struct descriptor *out);

/*
 * For a number that was a pipe or socket: the inode alone.  False, and nothing
 * is known, if it is neither.  Flags are looked at when it is issued, and the
 * other end of a pipe gives an error of its own.
 */
bool descriptor_get_stream(int fd, struct descriptor *out);

/* The same open file, as far as can be told: inode and, if known, access mode agree. */
static inline bool descriptor_same(const struct descriptor *a, const struct descriptor *b)
{
	enum { ACCESS = 3 };

	return a->err == b->err && a->ino == b->ino && a->dev == b->dev &&
	       (a->known == DESCRIPTOR_STREAM || b->known == DESCRIPTOR_STREAM ||
		(a->flags & ACCESS) == (b->flags & ACCESS));
}

/* Does @fd still mean the file it meant? */
bool descriptor_means(int fd, const struct descriptor *meant);

static inline bool descriptor_is_file(const struct descriptor *d)
{
	return S_ISREG(d->mode) || S_ISBLK(d->mode) || S_ISDIR(d->mode);
}

/* The inode in one word that is not 0; two inodes may have the same. */
static inline uint64_t descriptor_inode_key(const struct descriptor *d)
{
	return (d->ino ^ d->dev << 32) | UINT64_C(1) << 63;
}

#define DESCRIPTOR_BUCKETS 1024u

/*
 * Submitters raise; the engine (or a worker) lowers once the kernel holds the
 * file or the request is complete; the close functions read.
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

/* Child of a fork: nothing is held. */
void descriptor_forget(void);

#endif
