// SPDX-License-Identifier: MIT
/*
 * explain_count.c - counters of each thread, and which of its calls are timed.
 */
#include "observers/explain_count.h"

#define GAP_MIN_NS \
	200000u /* between two timed calls of a thread, more or less: that takes 1 to 2 us */
#define GAP_MAX_NS   800000u
#define INTERVAL_MAX 4096u

struct explain_file *explain_file;
_Thread_local struct explain_thread explain_self;

void explain_choose_row(void)
{
	static _Atomic unsigned nr_rows;
	unsigned nr = 1 + atomic_fetch_add(&nr_rows, 1);

	explain_self.row = nr < EXPLAIN_ROWS ? nr : EXPLAIN_ROWS;
	explain_self.random = nr * 2654435761u | 1;
}

/* xorshift: good enough to meet no pattern. */
uint32_t explain_draw(uint32_t limit)
{
	explain_self.random ^= explain_self.random << 13;
	explain_self.random ^= explain_self.random >> 17;
	explain_self.random ^= explain_self.random << 5;
	return explain_self.random % limit;
}

uint32_t sampler_draw_next(struct sampler *sampler, uint64_t now)
{
	uint32_t weight = sampler->interval ? sampler->interval : 1;
	uint64_t gap = now - sampler->last_ns;

	sampler->interval = weight;
	if (gap < GAP_MIN_NS && weight < INTERVAL_MAX)
		sampler->interval *= 2;
	else if (gap > GAP_MAX_NS && weight > 1)
		sampler->interval /= 2;
	sampler->last_ns = now;
	explain_row(); /* seeds */
	sampler->left = (int)explain_draw(2 * sampler->interval - 1);
	return weight;
}

uint64_t sampler_estimate(uint64_t took, uint64_t weight, uint64_t since, uint64_t now)
{
	uint64_t all = took * weight, most = now - since;

	return since && all > most ? most : all;
}
