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
#include <stdlib.h>
#include <string.h>

#include "abi.h"

struct forward forward;

static void find_next(void)
{
	forward = (struct forward){
		.aio_read = NEXT_PROVIDER(forward.aio_read, "aio_read"),
		.aio_write = NEXT_PROVIDER(forward.aio_write, "aio_write"),
		.aio_fsync = NEXT_PROVIDER(forward.aio_fsync, "aio_fsync"),
		.aio_suspend = NEXT_PROVIDER(forward.aio_suspend, "aio_suspend"),
		.aio_cancel = NEXT_PROVIDER(forward.aio_cancel, "aio_cancel"),
		.lio_listio = NEXT_PROVIDER(forward.lio_listio, "lio_listio"),
		.aio_init = NEXT_PROVIDER(forward.aio_init, "aio_init"),
	};
	forward.lio_listio_old =
		(__typeof__(forward.lio_listio_old))(uintptr_t)dlvsym(RTLD_NEXT, "lio_listio",
								      GLIBC_BASE);
	if (!forward.lio_listio_old)
		forward.lio_listio_old = forward.lio_listio;
}

/*
 * When the library is loaded, as in thread.c; but eight names are looked up only
 * in a program that needs them.
 */
__attribute__((constructor)) static void find_next_at_load(void)
{
	const char *backend = getenv("RTAIO_BACKEND");

	if (backend && strcmp(backend, backend_names[BACKEND_GLIBC]) == 0)
		find_next();
}

bool forward_start(void)
{
	/* The program has set the variable itself, or another library's constructor was faster. */
	if (!forward.aio_read)
		find_next();
	return forward.aio_read && forward.aio_write && forward.aio_fsync && forward.aio_suspend &&
	       forward.aio_cancel && forward.lio_listio && forward.aio_init;
}
