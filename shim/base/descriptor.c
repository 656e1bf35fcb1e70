// SPDX-License-Identifier: MIT
/*
 * descriptor.c - the file behind a descriptor, and descriptors that belong to the library.
 */
#include "base/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/raw_syscall.h"

_Alignas(CACHE_LINE) _Atomic uint32_t descriptor_held[DESCRIPTOR_BUCKETS];

/* Only statx or fstat tells devices, directories and anonymous inodes apart. */
static uint32_t ask_type(int fd)
{
	struct statx stx = { 0 };
	struct stat st = { 0 };
	long ret = RAW_SYSCALL(SYS_statx, fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE,
			       &stx);

	if (ret != -ENOSYS && ret != -EPERM)
		return stx.stx_mode & S_IFMT;
	RAW_SYSCALL(SYS_fstat, fd, &st); /* old sandboxes refuse statx */
	return st.st_mode & S_IFMT;
}

static bool is_pipe(int fd)
{
	return RAW_SYSCALL(SYS_fcntl, fd, F_GETPIPE_SZ) >= 0;
}

static bool is_socket(int fd)
{
	int type;
	socklen_t len = sizeof(type);

	return RAW_SYSCALL(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0;
}

/*
 * /proc/kmsg accepts any offset, but is a stream: a read gets messages that were not read yet.
 * Only its name tells.  The name is read only if FIONREAD says 0 and the block size is that
 * of procfs.
 */
static bool is_kernel_log(int fd)
{
	char link[32], name[sizeof("/proc/kmsg")];
	int block = 0;

	if (RAW_SYSCALL(SYS_ioctl, fd, FIGETBSZ, &block) < 0 || block != 1024)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return RAW_SYSCALL(SYS_readlinkat, AT_FDCWD, link, name, sizeof(name)) ==
		       sizeof(name) - 1 &&
	       memcmp(name, "/proc/kmsg", sizeof(name) - 1) == 0;
}

/* The kernel itself answers FIONREAD for every regular file, without its file system. */
static bool is_regular(int fd, int *nr_left)
{
	return RAW_SYSCALL(SYS_ioctl, fd, FIONREAD, nr_left) == 0;
}

/* A stream is a file that cannot be read at an offset, as in glibc. */
static bool is_stream(int fd)
{
	/* It fails in any case, since a program that watches the file would see a read. */
	int err = (int)RAW_SYSCALL(SYS_preadv, fd, NULL, -1L, 0L, 0L);

	if (err != -EINVAL && err != -ESPIPE) /* a sandbox refuses the call */
		err = (int)RAW_SYSCALL(SYS_lseek, fd, 0L, SEEK_CUR);
	return err == -ESPIPE;
}

/*
 * statx on a regular file may ask a server in spite of AT_STATX_DONT_SYNC (9p, CIFS), so it is
 * called only for other files, for which it is local.
 */
static uint32_t find_type(int fd)
{
	bool is_of_stream = is_stream(fd);
	uint32_t mode;
	int nr_left;

	if (!is_of_stream && is_regular(fd, &nr_left))
		return nr_left == 0 && is_kernel_log(fd) ? 0 : S_IFREG;
	if (is_of_stream && is_pipe(fd))
		return S_IFIFO;
	if (is_of_stream && is_socket(fd))
		return S_IFSOCK;
	mode = ask_type(fd);
	/* Some streams say that they are regular, such as trace_pipe. */
	return is_of_stream && mode == S_IFREG ? 0 : mode;
}

void descriptor_get_flags(int fd, struct descriptor *out)
{
	long flags;

	if (out->has_flags)
		return;
	flags = RAW_SYSCALL(SYS_fcntl, fd, F_GETFL);
	out->has_flags = true;
	if (flags < 0)
		out->err = (int)-flags;
	else
		out->flags = (int)flags;
}

void descriptor_get_type(int fd, struct descriptor *out)
{
	if (out->has_type)
		return;
	descriptor_get_flags(fd, out);
	out->has_type = true;
	if (!out->err)
		out->mode = find_type(fd);
}

bool descriptor_get_stream(int fd, struct descriptor *out)
{
	*out = (struct descriptor){ 0 };
	if (is_pipe(fd))
		out->mode = S_IFIFO;
	else if (is_socket(fd))
		out->mode = S_IFSOCK;
	out->has_type = out->mode != 0;
	return out->has_type;
}

static bool get_inode(int fd, struct statx *out)
{
	return RAW_SYSCALL(SYS_statx, fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, out) ==
	       0;
}

bool descriptor_is_same_file(int fd, int other)
{
	struct statx a, b;

	return fd == other ||
	       (get_inode(fd, &a) && get_inode(other, &b) && a.stx_ino == b.stx_ino &&
		a.stx_dev_major == b.stx_dev_major && a.stx_dev_minor == b.stx_dev_minor);
}

bool descriptor_ends_at(int fd, off_t offset)
{
	struct stat st = { .st_size = INT64_MAX }; /* if fstat fails */
	uint64_t size;

	RAW_SYSCALL(SYS_fstat, fd, &st);
	size = (uint64_t)st.st_size;
	if (S_ISBLK(st.st_mode))
		RAW_SYSCALL(SYS_ioctl, fd, BLKGETSIZE64, &size);
	return (uint64_t)offset >= size;
}

/* The mark of our descriptors: F_SETSIG works on any open file, and no program sets libc's 32. */
#define OWN_SIGNAL 32

int descriptor_adopt(int fd)
{
	int high, ret = (int)RAW_SYSCALL(SYS_fcntl, fd, F_SETSIG, OWN_SIGNAL);

	if (ret < 0) {
		RAW_SYSCALL(SYS_close, fd);
		return ret;
	}
	high = (int)RAW_SYSCALL(SYS_fcntl, fd, F_DUPFD_CLOEXEC, VISIBLE_FD_MIN);
	if (high < 0)
		return fd;
	descriptor_close_own(fd);
	return high;
}

bool descriptor_is_own(int fd)
{
	return fd >= 0 && RAW_SYSCALL(SYS_fcntl, fd, F_GETSIG) == OWN_SIGNAL;
}

void descriptor_close_own(int fd)
{
	if (descriptor_is_own(fd))
		RAW_SYSCALL(SYS_close, fd);
}

void descriptor_after_fork(void)
{
	for (unsigned i = 0; i < DESCRIPTOR_BUCKETS; i++)
		atomic_store_explicit(&descriptor_held[i], 0, memory_order_relaxed);
}
