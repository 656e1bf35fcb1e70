/* SPDX-License-Identifier: MIT */
/*
 * debt.h - time that was lost, and is to stay a small part of all time.
 *
 * What is lost adds to a debt, of which the time since pays back a fraction.
 * Who finds it high stops what loses time, until it is paid.
 *
 * Any thread, in handlers too; two at a time lose a little of either's.
 */
#ifndef RTAIO_DEBT_H
#define RTAIO_DEBT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "futex.h"

struct debt {
	_Atomic uint64_t owed_ns;
	_Atomic uint64_t since_ns; /* when that was last reckoned */
};

/* Add @lost_ns; one part of @decay of the time since is paid back.  Returns what is owed at @now_ns. */
static inline uint64_t debt_add(struct debt *debt, uint64_t lost_ns, uint64_t now_ns,
				unsigned decay)
{
	uint64_t since = atomic_exchange_explicit(&debt->since_ns, now_ns, memory_order_relaxed);
	uint64_t paid = now_ns > since ? (now_ns - since) / decay : 0;
	uint64_t owed = atomic_load_explicit(&debt->owed_ns, memory_order_relaxed);

	owed = (owed > paid ? owed - paid : 0) + lost_ns;
	atomic_store_explicit(&debt->owed_ns, owed, memory_order_relaxed);
	return owed;
}

/*
 * Of threads that lose processor time: 2 % of the time may be lost, and 2 ms at
 * once.  When the process was stopped, that is no reason to give up.
 */
#define DEBT_LOSS_DECAY   50u
#define DEBT_LOSS_HIGH_NS 2000000u
#define DEBT_LOSS_MAX_NS  100000000u

static inline void debt_lose(struct debt *debt, uint64_t lost_ns, uint64_t now_ns)
{
	debt_add(debt, lost_ns < DEBT_LOSS_MAX_NS ? lost_ns : DEBT_LOSS_MAX_NS, now_ns,
		 DEBT_LOSS_DECAY);
}

static inline bool debt_is_high(struct debt *debt)
{
	/* A look at the clock only when there is any. */
	return atomic_load_explicit(&debt->owed_ns, memory_order_relaxed) > DEBT_LOSS_HIGH_NS &&
	       debt_add(debt, 0, clock_now_ns(), DEBT_LOSS_DECAY) > DEBT_LOSS_HIGH_NS;
}

static inline void debt_clear(struct debt *debt)
{
	atomic_store_explicit(&debt->owed_ns, 0, memory_order_relaxed);
}

#endif
