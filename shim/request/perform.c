// SPDX-License-Identifier: MIT
/*
 * perform.c - do one request by the system call that glibc would have made.
 *
 * Raw system calls: the program or another preloaded library may have replaced read and
 * write, perhaps by AIO.
 */
#include "request/perform.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "base/raw_syscall.h"

static ssize_t perform_at_stream(const struct request *req, int fd)
{
	bool is_read = req->op == OP_READ;

	if (req->vector)
		return RAW_SYSCALL(is_read ? SYS_readv : SYS_writev, fd, req->buf, req->nr_entries);
	return RAW_SYSCALL(is_read ? SYS_read : SYS_write, fd, req->buf, req->nbytes);
}

static ssize_t perform_once(const struct request *req, int fd)
{
	ssize_t res = -ESPIPE;

	if (request_is_barrier(req))
		return RAW_SYSCALL(req->op == OP_FSYNC ? SYS_fsync : SYS_fdatasync, fd);
	if (!descriptor_is_pipe_or_socket(&req->descriptor)) /* else it fails with ESPIPE */
		res = perform_at(req, fd);
	return res == -ESPIPE ? perform_at_stream(req, fd) : res;
}

ssize_t perform(const struct request *req, int fd)
{
	ssize_t res;

	do
		res = perform_once(req, fd);
	while (res == -EINTR && (req->pin || atomic_load(&req->is_held)));
	/* Its descriptor was closed amid the call, and may mean another file. */
	return res == -EINTR ? -ECANCELED : res;
}

/* @value is unchanged if the socket has no such option. */
static void get_option(const struct request *req, int option, void *value, socklen_t len)
{
	RAW_SYSCALL(SYS_getsockopt, req->fd, SOL_SOCKET, option, value, &len);
}

/* SO_RCVLOWAT makes a plain read wait for so many bytes; a call that does not wait ignores it. */
static bool has_low_water_mark(const struct request *req)
{
	int mark = 0;

	get_option(req, SO_RCVLOWAT, &mark, sizeof(mark));
	return mark > 1;
}

/*
 * Will a call that does not wait take all of it?  A send buffer also counts the kernel's
 * overhead, for which the kernel doubles the size that the program sets.
 */
static bool has_room(const struct request *req)
{
	uint32_t info[SK_MEMINFO_VARS] = { 0 };
	uint32_t used;

	get_option(req, SO_MEMINFO, info, sizeof(info));
	used = info[SK_MEMINFO_WMEM_ALLOC] > info[SK_MEMINFO_WMEM_QUEUED]
		       ? info[SK_MEMINFO_WMEM_ALLOC]
		       : info[SK_MEMINFO_WMEM_QUEUED];
	return used + 2 * (uint64_t)req->nbytes <= info[SK_MEMINFO_SNDBUF];
}

bool perform_nowait_is_plain(const struct request *req)
{
	if (!S_ISSOCK(req->descriptor.mode))
		return true;
	return req->op == OP_WRITE ? has_room(req) : !has_low_water_mark(req);
}

ssize_t perform_nowait(const struct request *req, int flags)
{
	ssize_t res;

	do /* A stream has no position. */
		res = perform_flagged(req, -1, RWF_NOWAIT | flags);
	while (res == -EINTR);
	/* A sandbox may refuse this call, but not the plain ones. */
	return res == -ENOSYS || res == -EPERM ? -EOPNOTSUPP : res;
}
