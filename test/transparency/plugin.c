// SPDX-License-Identifier: MIT
/*
 * plugin.c - a shared object that uses AIO, for test_dlopen
 *
 * It may be unloaded while its requests are in flight; the control blocks and
 * the buffers belong to the program.
 */
#include <aio.h>
#include <stddef.h>

int plugin_read(struct aiocb *cb);
int plugin_write(struct aiocb *cb);
int plugin_list(struct aiocb *const list[], int nent);

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
