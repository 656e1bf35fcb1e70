/* SPDX-License-Identifier: MIT */
/*
 * check_state.h - what the parts of the observer "check" share.
 */
#ifndef RTAIO_CHECK_STATE_H
#define RTAIO_CHECK_STATE_H

#include <stdbool.h>
#include <sys/types.h>

#include "api/calls.h"
#include "base/raw_syscall.h"
#include "observers/check_trace.h"

struct check {
	const struct aio_calls *calls;
	pid_t process;
	bool is_told; /* of the end of each request: not by glibc */
	unsigned callback_ms;
};

extern struct check check;

/* A child of fork or vfork that has not begun to use AIO is not observed. */
static inline bool check_is_on(void)
{
	return RAW_SYSCALL(SYS_getpid) == check.process;
}

/* The frames of the calling thread, taken when they are first needed. */
struct here {
	bool is_taken;
	struct frames frames;
};

const struct frames *here_frames(struct here *here);

#endif
