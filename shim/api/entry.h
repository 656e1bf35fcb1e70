/* SPDX-License-Identifier: MIT */
/*
 * entry.h - helpers for the files that export functions.
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

/* The same, and record @err in @cb: a program may look only there. */
int entry_refuse(struct aiocb *cb, int err);

/* Is aio_reqprio within bounds?  If not, @cb records EINVAL as in glibc. */
bool entry_check_priority(struct aiocb *cb);

/*
 * io_pgetevents() returns -EINTR even after a handler with SA_RESTART.  Turn -EINTR into 0 if
 * every handler that can have run has that flag.
 */
int entry_restart(int ret);

/*
 * Start at the first use in this process.  False, with errno: EAGAIN (no memory) or ENOSYS
 * (RTAIO_BACKEND names a backend that cannot serve).
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
