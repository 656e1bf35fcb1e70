// SPDX-License-Identifier: MIT
/*
 * rtaio.c - the functions of rtaio.h: version, backend, statistics.
 */
#include <string.h>

#include "api/next_aio.h"
#include "base/process.h"
#include "base/stats.h"
#include "base/symver.h"
#include "engine/engine.h"
#include "rtaio.h"

EXPORT const char *rtaio_version(void)
{
	return RTAIO_VERSION;
}

EXPORT const char *rtaio_backend(void)
{
	if (!process_is_ready())
		return "none";
	return next_aio_is_on() ? backend_names[BACKEND_GLIBC] : engine_serving();
}

EXPORT void rtaio_stats(struct rtaio_stats *stats, size_t size)
{
#define N(name)          stats_sum(STATS_##name, STATS_##name)
#define SUM(first, last) stats_sum(STATS_##first, STATS_##last)
	struct rtaio_stats now = {
		.reads = N(inline_reads) + N(direct_reads) + N(copier_reads) + N(offload_reads) +
			 N(engine_reads),
		.writes =
			N(inline_writes) + N(direct_writes) + N(offload_writes) + N(engine_writes),
		.fsyncs = N(offload_fsyncs) + N(engine_fsyncs),
		.lane_inline = SUM(inline_reads, inline_writes),
		.lane_direct = SUM(direct_reads, direct_writes),
		.lane_copier = N(copier_reads),
		.lane_offload = SUM(offload_reads, offload_fsyncs),
		.lane_engine = SUM(engine_reads, engine_fsyncs),
		.errors = N(errors),
		.cancellations = N(cancellations),
		.lists = N(lists),
		.fallbacks = N(fallbacks),
		.resubmissions = N(resubmissions),
		.engine_depth = N(engine_depth),
		.engine_ring = N(engine_ring),
		.engine_workers = N(engine_workers),
		.engine_calls = N(engine_calls),
	};
#undef N
#undef SUM

	/* A child of fork has its parent's counters until its first use of AIO. */
	if (!process_is_ready())
		memset(&now, 0, sizeof(now));
	if (size > sizeof(now)) {
		memset((char *)stats + sizeof(now), 0, size - sizeof(now));
		size = sizeof(now);
	}
	memcpy(stats, &now, size);
}
