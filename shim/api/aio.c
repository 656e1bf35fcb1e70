// SPDX-License-Identifier: MIT
/*
 * aio.c - aio_read, aio_write, aio_readv, aio_writev, aio_fsync, aio_error, aio_return, aio_cancel,
 * aio_init.
 *
 * Arguments are checked as glibc checks them.  errno is set in this folder only.  Each function
 * has its page in POSIX.1-2024, System Interfaces, but aio_readv and aio_writev, which are
 * FreeBSD's.
 *
 * aio_error and aio_return poll the event ring of the direct lane if the request is in progress.
 * Otherwise they make no system call.  Both are async-signal-safe.  The other functions may be
 * called in handlers as well, even in a handler that interrupted one of them: they take no lock,
 * and they block signals while they create a thread.
 */
#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "api/calls.h"
#include "api/entry.h"
#include "api/submit.h"
#include "base/config.h"
#include "base/process.h"
#include "base/raw_syscall.h"
#include "base/symver.h"
#include "dispatch/cancel.h"
#include "engine/engine.h"
#include "lane/event_ring.h"
#include "lane/submit_ahead.h"
#include "order/bypass.h"
#include "request/aiocb.h"
#include "request/completions.h"
#include "rtaio.h"

static int submit_one(struct aiocb *cb, enum request_op op, bool is_vectored)
{
	struct submission submission;
	int ret;

	submit_open(&submission, NULL, true);
	ret = submit_begin(&submission, cb, op, is_vectored);
	if (ret == 0)
		ret = submit_close(&submission);
	return ret < 0 ? entry_fail(-ret) : 0;
}

static int submit_transfer(struct aiocb *cb, enum request_op op, bool is_vectored)
{
	return entry_check_priority(cb) ? submit_one(cb, op, is_vectored) : entry_fail(EINVAL);
}

int own_aio_read(struct aiocb *cb)
{
	return submit_transfer(cb, OP_READ, false);
}

int own_aio_write(struct aiocb *cb)
{
	return submit_transfer(cb, OP_WRITE, false);
}

int own_aio_readv(struct aiocb *cb)
{
	return submit_transfer(cb, OP_READ, true);
}

int own_aio_writev(struct aiocb *cb)
{
	return submit_transfer(cb, OP_WRITE, true);
}

int own_aio_fsync(int op, struct aiocb *cb)
{
	/* As in glibc, EBADF is the result of this call; a transfer completes with it. */
	if (RAW_SYSCALL(SYS_fcntl, cb->aio_fildes, F_GETFL) < 0)
		return entry_fail(EBADF);
	cb->aio_reqprio = 0; /* as glibc leaves it */
	return submit_one(cb, op == O_SYNC ? OP_FSYNC : OP_FDATASYNC, false);
}

int own_aio_error(const struct aiocb *cb)
{
	int err = aiocb_error(cb);

	/* The completion may lie in the event ring already. */
	if (err == EINPROGRESS && process_is_ready()) {
		event_ring_poll();
		err = aiocb_error(cb);
	}
	return err;
}

ssize_t own_aio_return(struct aiocb *cb)
{
	/* A program may call aio_return without aio_error. */
	if (aiocb_error(cb) == EINPROGRESS && process_is_ready())
		event_ring_poll();
	submit_ahead_note_collected(aiocb_position(cb));
	if (completions_may_exist() && aiocb_error(cb) != EINPROGRESS)
		completions_forget(cb);
	return aiocb_return(cb);
}

/* The handle is read once: a handler or another thread may submit @cb again at any moment. */
static int cancel_one(int fd, struct aiocb *cb)
{
	request_handle handle;
	struct request *req;
	int ret;

	if (cb->aio_fildes != fd)
		return entry_fail(EINVAL);
	event_ring_poll();
	if (aiocb_error(cb) != EINPROGRESS)
		return AIO_ALLDONE;
	handle = aiocb_handle(cb);
	req = aiocb_lookup(cb, handle);
	if (!req && aiocb_is_foreign(cb))
		return AIO_NOTCANCELED;
	if (!req)
		/* The request has just ended, or the aiocb was never submitted. */
		return aiocb_error(cb) == EINPROGRESS ? entry_fail(EINVAL) : AIO_ALLDONE;
	if (request_place(req) == PLACE_DIRECT)
		return AIO_NOTCANCELED; /* Linux AIO cancels no transfer */
	ret = cancel_and_wait(fd, handle);
	/* An engine that cannot start refuses the question while the list of @cb is on its way. */
	return ret == AIO_ALLDONE && aiocb_error(cb) == EINPROGRESS ? AIO_NOTCANCELED : ret;
}

static int cancel_all(int fd)
{
	event_ring_poll(); /* a request that bounces reaches the engine before the question */
	/* A request in flight is in the bypass table or in the engine. */
	if (!bypass_has_any(fd, UINT64_MAX) && !engine_is_running())
		return AIO_ALLDONE;
	return cancel_and_wait(fd, 0);
}

int own_aio_cancel(int fd, struct aiocb *cb)
{
	if (RAW_SYSCALL(SYS_fcntl, fd, F_GETFL) < 0)
		return entry_fail(EBADF);
	return cb ? cancel_one(fd, cb) : cancel_all(fd);
}

/* aio_threads and aio_num are ignored.  aio_idle_time may change at any time, as in glibc. */
void own_aio_init(const struct aioinit *init)
{
	if (init->aio_idle_time < 0)
		atomic_store(&config.idle_ns, 0);
	else if (init->aio_idle_time > 0)
		atomic_store(&config.idle_ns, (uint64_t)init->aio_idle_time * 1000000000u);
}

/* ---- what is exported ---- */

EXPORT int rtaio_aio_read(struct aiocb *cb);
EXPORT int rtaio_aio_write(struct aiocb *cb);
EXPORT int rtaio_aio_fsync(int op, struct aiocb *cb);
EXPORT int rtaio_aio_error(const struct aiocb *cb);
EXPORT ssize_t rtaio_aio_return(struct aiocb *cb);
EXPORT int rtaio_aio_cancel(int fd, struct aiocb *cb);
EXPORT void rtaio_aio_init(const struct aioinit *init);

int rtaio_aio_read(struct aiocb *cb)
{
	const struct aio_calls *detour;

	if (!entry_enter())
		return entry_refuse(cb, errno);
	detour = calls_find_detour();
	return detour ? detour->aio_read(cb) : own_aio_read(cb);
}

int rtaio_aio_write(struct aiocb *cb)
{
	const struct aio_calls *detour;

	if (!entry_enter())
		return entry_refuse(cb, errno);
	detour = calls_find_detour();
	return detour ? detour->aio_write(cb) : own_aio_write(cb);
}

EXPORT int aio_readv(struct aiocb *cb)
{
	const struct aio_calls *detour;

	if (!entry_enter())
		return entry_refuse(cb, errno);
	detour = calls_find_detour();
	return detour ? detour->aio_readv(cb) : own_aio_readv(cb);
}

EXPORT int aio_writev(struct aiocb *cb)
{
	const struct aio_calls *detour;

	if (!entry_enter())
		return entry_refuse(cb, errno);
	detour = calls_find_detour();
	return detour ? detour->aio_writev(cb) : own_aio_writev(cb);
}

EXPORT int aio_readv64(struct aiocb64 *cb) __attribute__((alias("aio_readv")));
EXPORT int aio_writev64(struct aiocb64 *cb) __attribute__((alias("aio_writev")));

int rtaio_aio_fsync(int op, struct aiocb *cb)
{
	const struct aio_calls *detour;

	if (op != O_SYNC && op != O_DSYNC)
		return entry_fail(EINVAL);
	if (!entry_enter())
		return entry_refuse(cb, errno);
	detour = calls_find_detour();
	return detour ? detour->aio_fsync(op, cb) : own_aio_fsync(op, cb);
}

int rtaio_aio_error(const struct aiocb *cb)
{
	const struct aio_calls *detour = calls_find_detour();

	return detour ? detour->aio_error(cb) : own_aio_error(cb);
}

ssize_t rtaio_aio_return(struct aiocb *cb)
{
	const struct aio_calls *detour = calls_find_detour();

	return detour ? detour->aio_return(cb) : own_aio_return(cb);
}

int rtaio_aio_cancel(int fd, struct aiocb *cb)
{
	const struct aio_calls *detour;

	if (!entry_enter())
		return -1;
	detour = calls_find_detour();
	return detour ? detour->aio_cancel(fd, cb) : own_aio_cancel(fd, cb);
}

void rtaio_aio_init(const struct aioinit *init)
{
	const struct aio_calls *detour;

	if (!entry_enter())
		return;
	detour = calls_find_detour();
	if (detour)
		detour->aio_init(init);
	else
		own_aio_init(init);
}

LP64_NAMES(rtaio_aio_read, aio_read);
LP64_NAMES(rtaio_aio_write, aio_write);
LP64_NAMES(rtaio_aio_fsync, aio_fsync);
LP64_NAMES(rtaio_aio_error, aio_error);
LP64_NAMES(rtaio_aio_return, aio_return);
LP64_NAMES(rtaio_aio_cancel, aio_cancel);
/* glibc has no aio_init64. */
SYMVER(rtaio_aio_init, aio_init, "@", GLIBC_BASE);
SYMVER(rtaio_aio_init, aio_init, "@@", GLIBC_LIBC);
