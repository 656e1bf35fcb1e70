// SPDX-License-Identifier: MIT
/*
 * descriptor.c - which open file does a descriptor number mean?
 */
#include "descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "futex.h"

_Atomic uint32_t descriptor_held[DESCRIPTOR_BUCKETS];

/*
 * statx can be told not to ask the server of a network file system, which
 * fstat would do, and block, inside aio_read.  Old sandboxes refuse statx.
 */
static int identify_inode(int fd, struct descriptor *out)
{
	struct statx stx;
	struct stat st;
	int ret;

	ret = (int)RAW_SYSCALL(SYS_statx, fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
			       STATX_TYPE | STATX_INO, &stx);
	if (ret == 0) {
		out->ino = stx.stx_ino;
		out->dev = makedev(stx.stx_dev_major, stx.stx_dev_minor);
		out->mode = stx.stx_mode;
		return 0;
	}
	if (ret != -ENOSYS && ret != -EPERM)
		return ret;
	ret = (int)RAW_SYSCALL(SYS_fstat, fd, &st);
	if (ret == 0) {
		out->ino = st.st_ino;
		out->dev = st.st_dev;
		out->mode = st.st_mode;
	}
	return ret;
}

void descriptor_get_flags(int fd, struct descriptor *out)
{
	long flags;

	if (out->known >= DESCRIPTOR_FLAGS)
		return;
	flags = RAW_SYSCALL(SYS_fcntl, fd, F_GETFL);
	out->known = DESCRIPTOR_FLAGS;
	if (flags < 0)
		out->err = (int)-flags;
	else
		out->flags = (int)flags;
}

void descriptor_get_inode(int fd, struct descriptor *out)
{
	descriptor_get_flags(fd, out);
	if (out->known >= DESCRIPTOR_INODE || out->err)
		return;
	out->known = DESCRIPTOR_INODE;
	out->err = -identify_inode(fd, out);
}

bool descriptor_get_stream(int fd, struct descriptor *out)
{
	if (identify_inode(fd, out) == 0 && (S_ISFIFO(out->mode) || S_ISSOCK(out->mode))) {
		out->known = DESCRIPTOR_STREAM;
		return true;
	}
	*out = (struct descriptor){ 0 };
	return false;
}

void descriptor_identify(int fd, struct descriptor *out)
{
	*out = (struct descriptor){ 0 };
	descriptor_get_inode(fd, out);
}

bool descriptor_means(int fd, const struct descriptor *meant)
{
	struct descriptor now;

	descriptor_identify(fd, &now);
	return descriptor_same(&now, meant);
}

void descriptor_forget(void)
{
	for (unsigned i = 0; i < DESCRIPTOR_BUCKETS; i++)
		atomic_store_explicit(&descriptor_held[i], 0, memory_order_relaxed);
}
