/* SPDX-License-Identifier: MIT */
/*
 * next_aio.h - the next provider of AIO, to which RTAIO_BACKEND=glibc passes every call.
 */
#ifndef RTAIO_NEXT_AIO_H
#define RTAIO_NEXT_AIO_H

#include <stdbool.h>

#include "api/calls.h"
#include "base/config.h"

/* Constant after next_aio_start(). */
extern struct aio_calls next_calls;

/* Find the next provider.  False: there is none.  May be called again. */
bool next_aio_start(void);

/* Does every call go to the next provider?  Only valid after entry_enter(). */
static inline bool next_aio_is_on(void)
{
	return config.backend == BACKEND_GLIBC;
}

#endif
