/* SPDX-License-Identifier: MIT */
/*
 * signal_mask.h - the blocked signals of the calling thread.
 */
#ifndef RTAIO_SIGNAL_MASK_H
#define RTAIO_SIGNAL_MASK_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/raw_syscall.h"

#define ALL_SIGNALS UINT64_MAX
/* Signals 32 and 33 are libc's.  A setuid in another thread waits for their handlers. */
#define ALL_BUT_LIBC (~(UINT64_C(3) << 31))

static inline void signals_set(uint64_t mask)
{
	RAW_SYSCALL(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(mask));
}

/* Block @which and unblock all others.  Returns the mask before. */
static inline uint64_t signals_block(uint64_t which)
{
	uint64_t old;

	RAW_SYSCALL(SYS_rt_sigprocmask, SIG_SETMASK, &which, &old, sizeof(old));
	return old;
}

static inline uint64_t signals_blocked(void)
{
	uint64_t blocked = 0;

	RAW_SYSCALL(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &blocked, sizeof(blocked));
	return blocked;
}

/* Is @signo blocked?  If there is no such signal, no handler can run either. */
static inline bool signal_is_blocked(int signo)
{
	return signo < 1 || signo > 64 || (signals_blocked() >> (signo - 1) & 1);
}

#endif
