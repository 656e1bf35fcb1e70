/* SPDX-License-Identifier: MIT */
/*
 * time_budget.h - limit wasted time to a small part of all time.
 *
 * Wasted time adds up, and a fraction of the time that passes is paid back.  While the budget
 * is spent, the caller avoids the action that wastes time.
 *
 * Any thread, in handlers too.  Two threads at once may lose a part of a change.
 */
#ifndef RTAIO_TIME_BUDGET_H
#define RTAIO_TIME_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

struct time_budget {
	_Atomic uint64_t spent_ns;
	_Atomic uint64_t since_ns; /* the time of the last payment */
};

/* Pay back 1/@decay of the time since the last payment, add @lost_ns, return the sum. */
static inline uint64_t time_budget_spend(struct time_budget *budget, uint64_t lost_ns,
					 uint64_t now_ns, unsigned decay)
{
	uint64_t since = atomic_exchange_explicit(&budget->since_ns, now_ns, memory_order_relaxed);
	uint64_t paid = now_ns > since ? (now_ns - since) / decay : 0;
	uint64_t spent = atomic_load_explicit(&budget->spent_ns, memory_order_relaxed);

	spent = (spent > paid ? spent - paid : 0) + lost_ns;
	atomic_store_explicit(&budget->spent_ns, spent, memory_order_relaxed);
	return spent;
}

/*
 * For processor time: 2 % of all time may be lost, and 2 ms at once.  One loss counts as at
 * most TIME_BUDGET_MAX_NS, since the process may have been stopped meanwhile.
 */
#define TIME_BUDGET_DECAY   50u
#define TIME_BUDGET_HIGH_NS 2000000u
#define TIME_BUDGET_MAX_NS  100000000u

static inline void time_budget_lose(struct time_budget *budget, uint64_t lost_ns, uint64_t now_ns)
{
	time_budget_spend(budget, lost_ns < TIME_BUDGET_MAX_NS ? lost_ns : TIME_BUDGET_MAX_NS,
			  now_ns, TIME_BUDGET_DECAY);
}

static inline bool time_budget_is_spent(struct time_budget *budget)
{
	/* The first test saves the clock nearly always. */
	return atomic_load_explicit(&budget->spent_ns, memory_order_relaxed) >
		       TIME_BUDGET_HIGH_NS &&
	       time_budget_spend(budget, 0, clock_now_ns(), TIME_BUDGET_DECAY) >
		       TIME_BUDGET_HIGH_NS;
}

static inline void time_budget_clear(struct time_budget *budget)
{
	atomic_store_explicit(&budget->spent_ns, 0, memory_order_relaxed);
}

#endif
