/* SPDX-License-Identifier: MIT */
/*
 * entry.h - what the files that export functions have in common.
 */
#ifndef RTAIO_ENTRY_H
#define RTAIO_ENTRY_H

#include <aio.h>
#include <errno.h>
#include <stdbool.h>

#include "api/lifecycle.h"
#include "base/config.h"
#include "base/process.h"

/* Set errno; always -1. */
int entry_fail(int err);

/* The same, and @cb says so too: a program may look at its blocks only. */
int entry_refuse(struct aiocb *cb, int err);

/* aio_reqprio within bounds?  If not, @cb records EINVAL as in glibc. */
bool entry_check_priority(struct aiocb *cb);

/*
 * A wait on the event ring is interrupted even by a handler with SA_RESTART.
 * Turns -EINTR into 0 if every handler that can have run has that flag.
 */
int entry_restart(int ret);

/*
 * First use, or fork, since the last call?  False, and errno is set: EAGAIN (no
 * memory) or ENOSYS (RTAIO_BACKEND asks for something that does not exist).
 */
static inline bool entry_enter(void)
{
	if (__builtin_expect(!process_is_ready(), 0) && lifecycle_begin() < 0)
		errno = EAGAIN;
	else if (__builtin_expect(config.backend == BACKEND_INVALID, 0))
		errno = ENOSYS;
	else
		return true;
	return false;
}

#endif
