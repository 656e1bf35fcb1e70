// SPDX-License-Identifier: MIT
/*
 * plugin.c - a shared object that uses AIO, for test_dlopen
 *
 * It may be unloaded while its requests are in flight; the control blocks and
 * the buffers belong to the program.  So do the functions that its constructor
 * and its destructor call: their addresses are in the environment.
 */
#include <aio.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int plugin_read(struct aiocb *cb);
int plugin_write(struct aiocb *cb);
int plugin_list(struct aiocb *const list[], int nent);

static void call(const char *variable)
{
	const char *address = getenv(variable);

	if (address)
		((void (*)(void))(uintptr_t)strtoull(address, NULL, 16))();
}

__attribute__((constructor)) static void loaded(void)
{
	call("PLUGIN_LOADED");
}

__attribute__((destructor)) static void unloaded(void)
{
	call("PLUGIN_UNLOADED");
}

int plugin_read(struct aiocb *cb)
{
	return aio_read(cb);
}

int plugin_write(struct aiocb *cb)
{
	return aio_write(cb);
}

int plugin_list(struct aiocb *const list[], int nent)
{
	return lio_listio(LIO_NOWAIT, list, nent, NULL);
}
