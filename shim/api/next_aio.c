// SPDX-License-Identifier: MIT
/*
 * next_aio.c - the next provider of AIO, to which RTAIO_BACKEND=glibc passes every call.
 */
#include "api/next_aio.h"

#include <dlfcn.h>
#include <stdint.h>

#include "base/symver.h"

struct forward forward;

static void find_next(void)
{
	forward.aio_read = NEXT_PROVIDER(forward.aio_read, "aio_read");
	forward.aio_write = NEXT_PROVIDER(forward.aio_write, "aio_write");
	forward.aio_fsync = NEXT_PROVIDER(forward.aio_fsync, "aio_fsync");
	forward.aio_error = NEXT_PROVIDER(forward.aio_error, "aio_error");
	forward.aio_return = NEXT_PROVIDER(forward.aio_return, "aio_return");
	forward.aio_suspend = NEXT_PROVIDER(forward.aio_suspend, "aio_suspend");
	forward.aio_cancel = NEXT_PROVIDER(forward.aio_cancel, "aio_cancel");
	forward.lio_listio = NEXT_PROVIDER(forward.lio_listio, "lio_listio");
	forward.aio_init = NEXT_PROVIDER(forward.aio_init, "aio_init");
	forward.lio_listio_old =
		(__typeof__(forward.lio_listio_old))(uintptr_t)dlvsym(RTLD_NEXT, "lio_listio",
								      GLIBC_BASE);
	if (!forward.lio_listio_old)
		forward.lio_listio_old = forward.lio_listio;
}

bool next_aio_start(void)
{
	/* Usually done when the library is loaded. */
	if (!forward.aio_read)
		find_next();
	return forward.aio_read && forward.aio_write && forward.aio_fsync && forward.aio_error &&
	       forward.aio_return && forward.aio_suspend && forward.aio_cancel &&
	       forward.lio_listio && forward.aio_init;
}
