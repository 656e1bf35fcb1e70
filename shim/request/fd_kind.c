// SPDX-License-Identifier: MIT
/*
 * fd_kind.c - what kind of file is it, and which lane may serve it?
 */
#include "request/fd_kind.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>

#include "base/raw_syscall.h"
#include "request/fd_hints.h"
#include "request/request.h"

#define BEYOND (INT64_MAX - 4096) /* the end of any file */
#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif
#ifndef FUSE_SUPER_MAGIC
#define FUSE_SUPER_MAGIC 0x65735546
#endif

/*
 * A file system without RWF_NOWAIT refuses at once.  Others find that the file ends before BEYOND.
 */
static bool refuses_nowait_reads(int fd)
{
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };

	return RAW_SYSCALL(SYS_preadv2, fd, &iov, 1L, BEYOND, 0L, RWF_NOWAIT) == -EOPNOTSUPP;
}

enum file_kind fd_kind_find(int fd, bool is_read)
{
	struct descriptor found = { 0 };

	/* Only files in memory have seals. */
	if (RAW_SYSCALL(SYS_fcntl, fd, F_GET_SEALS) >= 0)
		return FILE_MEMORY;
	descriptor_get_type(fd, &found);
	if (descriptor_is_pipe_or_socket(&found))
		return FILE_STREAM;
	if (!S_ISREG(found.mode) && !S_ISBLK(found.mode))
		return FILE_OTHER;
	/*
	 * The question is a read, which others may see.  So it is asked only when the program
	 * reads.
	 */
	if (is_read && refuses_nowait_reads(fd))
		return FILE_OTHER;
	return FILE_NOWAIT;
}

void fd_kind_get_type(int fd, struct descriptor *out)
{
	if (out->has_type)
		return;
	descriptor_get_flags(fd, out);
	if (!out->err && fd_hints_recall(fd, out->flags) >= FILE_MEMORY) {
		out->mode = S_IFREG; /* or a block device, which is the same for requests */
		out->has_type = true;
	}
	descriptor_get_type(fd, out);
}

/* XFS keeps them out.  No other file system knows XFS_IOC_DIOINFO. */
bool fd_kind_locks_reads(int fd)
{
	struct xfs_dioattr {
		uint32_t memory, smallest, largest;
	} attributes;

	return RAW_SYSCALL(SYS_ioctl, fd, _IOR('X', 30, struct xfs_dioattr), &attributes) == 0;
}

/* Without a device it is a network or stacked file system, whose calls may wait for anything. */
static bool has_device(int fd, struct statx *stx)
{
	return RAW_SYSCALL(SYS_statx, fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE,
			   stx) == 0 &&
	       (S_ISBLK(stx->stx_mode) || (S_ISREG(stx->stx_mode) && stx->stx_dev_major != 0));
}

static bool is_on(int fd, long type)
{
	struct statfs fs;

	return RAW_SYSCALL(SYS_fstatfs, fd, &fs) == 0 && fs.f_type == type;
}

static enum file_kind ask_for_direct(int fd)
{
	struct statx stx;

	if (has_device(fd, &stx))
		return is_on(fd, FUSE_SUPER_MAGIC) ? FILE_OTHER : FILE_DIRECT;
	return is_on(fd, BTRFS_SUPER_MAGIC) ? FILE_DIRECT_RING : FILE_OTHER;
}

/* On a local disk with ext4 or XFS a buffered write is a copy.  Of others this is not known. */
static enum file_kind ask_for_copies(int fd)
{
	struct statx stx;

	if (!has_device(fd, &stx))
		return is_on(fd, BTRFS_SUPER_MAGIC) ? FILE_NOWAIT_LOCAL : FILE_OTHER;
	if (is_on(fd, FUSE_SUPER_MAGIC))
		return FILE_OTHER;
	if (is_on(fd, XFS_SUPER_MAGIC))
		return FILE_NOWAIT_COPIES;
	return S_ISREG(stx.stx_mode) && is_on(fd, EXT4_SUPER_MAGIC) ? FILE_COPIED_WRITES
								    : FILE_NOWAIT_LOCAL;
}

static bool is_transfer_on_file(const struct request *req)
{
	return !request_is_barrier(req) && descriptor_is_file(&req->descriptor) &&
	       req->descriptor.has_flags;
}

static bool is_to_be_learned(const struct request *req)
{
	enum file_kind kind;

	if (!is_transfer_on_file(req))
		return false;
	kind = fd_hints_recall(req->fd, req->descriptor.flags);
	if (req->descriptor.flags & O_DIRECT)
		return kind == FILE_UNKNOWN;
	return kind == FILE_NOWAIT && req->op == OP_WRITE;
}

void fd_kind_learn(const struct request *req)
{
	int flags = req->descriptor.flags;

	if (is_to_be_learned(req))
		fd_hints_note(req->fd, flags,
			      flags & O_DIRECT ? ask_for_direct(req->fd) : ask_for_copies(req->fd));
}
