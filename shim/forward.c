// SPDX-License-Identifier: MIT
/*
 * forward.c - the next provider of AIO, for standing aside (RTAIO_BACKEND=glibc).
 *
 * aio_error and aio_return are not here: they read the aiocb, where every
 * provider keeps the same two fields.
 */
#include "forward.h"

#include <dlfcn.h>
#include <stdint.h>

struct forward forward;

static void *next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

bool forward_start(void)
{
	void *old;

	/* The casts go through uintptr_t: ISO C has none from void * to a function. */
	forward.aio_read = (int (*)(struct aiocb *))(uintptr_t)next("aio_read");
	forward.aio_write = (int (*)(struct aiocb *))(uintptr_t)next("aio_write");
	forward.aio_fsync = (int (*)(int, struct aiocb *))(uintptr_t)next("aio_fsync");
	forward.aio_suspend = (int (*)(const struct aiocb *const[], int, const struct timespec *))(
		uintptr_t)next("aio_suspend");
	forward.aio_cancel = (int (*)(int, struct aiocb *))(uintptr_t)next("aio_cancel");
	forward.lio_listio = (int (*)(int, struct aiocb *const[], int, struct sigevent *))(
		uintptr_t)next("lio_listio");
	forward.aio_init = (void (*)(const struct aioinit *))(uintptr_t)next("aio_init");
	old = dlvsym(RTLD_NEXT, "lio_listio", "GLIBC_2.2.5");
	forward.lio_listio_old =
		old ? (int (*)(int, struct aiocb *const[], int, struct sigevent *))(uintptr_t)old
		    : forward.lio_listio;
	return forward.aio_read && forward.aio_write && forward.aio_fsync && forward.aio_suspend &&
	       forward.aio_cancel && forward.lio_listio && forward.aio_init;
}
