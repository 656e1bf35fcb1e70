/* SPDX-License-Identifier: MIT */
/*
 * next_aio.h - the next provider of AIO, to which RTAIO_BACKEND=glibc passes every call.
 */
#ifndef RTAIO_NEXT_AIO_H
#define RTAIO_NEXT_AIO_H

#include <aio.h>
#include <stdbool.h>

#include "base/config.h"

struct forward {
	int (*aio_read)(struct aiocb *cb);
	int (*aio_write)(struct aiocb *cb);
	int (*aio_fsync)(int op, struct aiocb *cb);
	int (*_Atomic aio_error)(const struct aiocb *cb);
	ssize_t (*_Atomic aio_return)(struct aiocb *cb);
	int (*aio_suspend)(const struct aiocb *const list[], int nent,
			   const struct timespec *timeout);
	int (*aio_cancel)(int fd, struct aiocb *cb);
	int (*lio_listio)(int mode, struct aiocb *const list[], int nent, struct sigevent *sig);
	int (*lio_listio_old)(int mode, struct aiocb *const list[], int nent, struct sigevent *sig);
	void (*aio_init)(const struct aioinit *init);
};

/*
 * Constant after next_aio_start().  A thread may call aio_error and aio_return while another one is
 * the first user.
 */
extern struct forward forward;

/* Find the next provider.  False: there is none.  May be called again. */
bool next_aio_start(void);

/* Does every call go to the next provider?  Only valid after entry_enter(). */
static inline bool next_aio_is_on(void)
{
	return __builtin_expect(config.backend == BACKEND_GLIBC, 0);
}

#endif
