// SPDX-License-Identifier: MIT
/*
 * next_aio.c - the next provider of AIO, to which RTAIO_BACKEND=glibc passes every call.
 */
#include "api/next_aio.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>

#include "base/symver.h"
#include "request/aiocb.h"

struct aio_calls next_calls;

/* libc has no vectored requests. */
static int refuse_vector(struct aiocb *cb)
{
	aiocb_reject(cb, ENOSYS, -1);
	errno = ENOSYS;
	return -1;
}

static void find_next(void)
{
	next_calls.aio_readv = next_calls.aio_writev = refuse_vector;
	next_calls.aio_read = NEXT_PROVIDER(next_calls.aio_read, "aio_read");
	next_calls.aio_write = NEXT_PROVIDER(next_calls.aio_write, "aio_write");
	next_calls.aio_fsync = NEXT_PROVIDER(next_calls.aio_fsync, "aio_fsync");
	next_calls.aio_error = NEXT_PROVIDER(next_calls.aio_error, "aio_error");
	next_calls.aio_return = NEXT_PROVIDER(next_calls.aio_return, "aio_return");
	next_calls.aio_suspend = NEXT_PROVIDER(next_calls.aio_suspend, "aio_suspend");
	next_calls.aio_cancel = NEXT_PROVIDER(next_calls.aio_cancel, "aio_cancel");
	next_calls.lio_listio = NEXT_PROVIDER(next_calls.lio_listio, "lio_listio");
	next_calls.aio_init = NEXT_PROVIDER(next_calls.aio_init, "aio_init");
	next_calls.lio_listio_old =
		(__typeof__(next_calls.lio_listio_old))(uintptr_t)dlvsym(RTLD_NEXT, "lio_listio",
									 GLIBC_BASE);
	if (!next_calls.lio_listio_old)
		next_calls.lio_listio_old = next_calls.lio_listio;
}

bool next_aio_start(void)
{
	/* Usually done when the library is loaded. */
	if (!next_calls.aio_read)
		find_next();
	return next_calls.aio_read && next_calls.aio_write && next_calls.aio_fsync &&
	       next_calls.aio_error && next_calls.aio_return && next_calls.aio_suspend &&
	       next_calls.aio_cancel && next_calls.lio_listio && next_calls.aio_init;
}
