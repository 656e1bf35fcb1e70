// SPDX-License-Identifier: MIT
/*
 * own_calls.c - the library's own functions as a table.
 *
 * The first use of AIO needs the table, and each of the functions may be the first use.  So the
 * table is offered when the library is loaded, to observe.c, which knows none of them.
 */
#include "api/calls.h"

#include "api/observe.h"

static const struct aio_calls own_calls = {
	.aio_read = own_aio_read,
	.aio_write = own_aio_write,
	.aio_readv = own_aio_readv,
	.aio_writev = own_aio_writev,
	.aio_fsync = own_aio_fsync,
	.aio_error = own_aio_error,
	.aio_return = own_aio_return,
	.aio_suspend = own_aio_suspend,
	.aio_cancel = own_aio_cancel,
	.lio_listio = own_lio_listio,
	.lio_listio_old = own_lio_listio_old,
	.aio_init = own_aio_init,
};

__attribute__((constructor)) static void offer(void)
{
	observe_own_calls = &own_calls;
}
