/* SPDX-License-Identifier: MIT */
/*
 * signal_lock.h - a lock that handlers may take.
 *
 * The lock is held for a few instructions, with all signals blocked.  So no handler waits for the
 * thread that it has interrupted.
 */
#ifndef RTAIO_SIGNAL_LOCK_H
#define RTAIO_SIGNAL_LOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/process.h"
#include "base/signal_mask.h"

/*
 * Sets *mask for signal_unlock().  False: this is a child of a fork that has not used AIO yet.
 * What the lock guards is the parent's, and a thread of the parent may have held it at the fork.
 * The question comes after signals are blocked, since a handler may fork before.
 */
static inline bool signal_lock(pthread_mutex_t *lock, uint64_t *mask)
{
	*mask = signals_block(ALL_SIGNALS);
	if (process_is_ready()) {
		pthread_mutex_lock(lock);
		return true;
	}
	signals_set(*mask);
	return false;
}

static inline void signal_unlock(pthread_mutex_t *lock, uint64_t mask)
{
	pthread_mutex_unlock(lock);
	signals_set(mask);
}

#endif
