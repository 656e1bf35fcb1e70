// SPDX-License-Identifier: MIT
/*
 * introspect.c - rtaio.h: what a program may ask the library about itself.
 */
#include <string.h>

#include "abi.h"
#include "engine.h"
#include "forward.h"
#include "process.h"
#include "rtaio.h"
#include "stats.h"

EXPORT const char *rtaio_version(void)
{
	return RTAIO_VERSION;
}

EXPORT const char *rtaio_backend(void)
{
	if (!process_is_ready())
		return "none";
	return forward_is_on() ? backend_names[BACKEND_GLIBC] : engine_serving();
}

static uint64_t counter(enum stats_counter which)
{
	/* Until its first use a child of fork has its parent's. */
	return process_is_ready()
		       ? atomic_load_explicit(&stats_counters[which], memory_order_relaxed)
		       : 0;
}

EXPORT void rtaio_stats(struct rtaio_stats *stats, size_t size)
{
	const struct rtaio_stats now = {
		.reads = counter(STATS_reads) + counter(STATS_inline_reads) +
			 counter(STATS_direct_reads) + counter(STATS_offloaded_reads),
		.writes = counter(STATS_writes) + counter(STATS_inline_writes) +
			  counter(STATS_direct_writes) + counter(STATS_offloaded_writes),
		.fsyncs = counter(STATS_fsyncs) + counter(STATS_offloaded_syncs),
		.lists = counter(STATS_lists),
		.completions = counter(STATS_completions) + counter(STATS_inline_reads) +
			       counter(STATS_inline_writes),
		.errors = counter(STATS_errors),
		.cancellations = counter(STATS_cancellations),
		.lane_inline = counter(STATS_inline_reads) + counter(STATS_inline_writes),
		.lane_direct = counter(STATS_direct_reads) + counter(STATS_direct_writes),
		.lane_ring = counter(STATS_lane_ring),
		.lane_worker = counter(STATS_lane_worker) + counter(STATS_offloaded_reads) +
			       counter(STATS_offloaded_writes) + counter(STATS_offloaded_syncs),
		.lane_engine = counter(STATS_lane_engine),
		.fallbacks = counter(STATS_fallbacks),
		.resubmissions = counter(STATS_resubmissions),
		.deepest_queue = counter(STATS_deepest_queue),
	};

	if (size > sizeof(now)) {
		memset((char *)stats + sizeof(now), 0, size - sizeof(now));
		size = sizeof(now);
	}
	memcpy(stats, &now, size);
}
