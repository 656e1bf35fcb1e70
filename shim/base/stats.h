/* SPDX-License-Identifier: MIT */
/*
 * stats.h - counters, relaxed.
 *
 * Any thread adds, in its row (thread.h).  A counter is the sum of all rows.  A snapshot is not
 * consistent across counters.
 */
#ifndef RTAIO_STATS_H
#define RTAIO_STATS_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/thread.h"

/*
 * X(name, description).  The first eleven count each request once, in the lane that completed
 * it, in the order of the lanes.
 */
#define STATS_COUNTERS(X)                                                              \
	X(inline_reads, "reads completed by the call that submitted them")             \
	X(inline_writes, "writes completed by the call that submitted them")           \
	X(direct_reads, "reads completed by Linux AIO")                                \
	X(direct_writes, "writes completed by Linux AIO")                              \
	X(copier_reads, "reads completed by the thread that copies")                   \
	X(offload_reads, "reads completed by a worker, without the engine")            \
	X(offload_writes, "writes completed by a worker, without the engine")          \
	X(offload_fsyncs, "fsyncs completed by a worker, without the engine")          \
	X(engine_reads, "reads completed by the engine, its ring or its workers")      \
	X(engine_writes, "writes completed by the engine, its ring or its workers")    \
	X(engine_fsyncs, "fsyncs completed by the engine, its ring or its workers")    \
	X(errors, "of all these, those that completed with an error")                  \
	X(cancellations, "of the errors, ECANCELED")                                   \
	X(lists, "lists accepted by lio_listio")                                       \
	X(fallbacks, "requests that a lane or the ring refused")                       \
	X(resubmissions, "submissions repeated: short, interrupted or refused")        \
	X(engine_depth, "most requests that the engine had at once")                   \
	X(engine_ring, "submissions by the engine to io_uring")                        \
	X(engine_workers, "requests given to workers by the engine")                   \
	X(engine_calls, "requests done or answered at once by the engine's thread")    \
	X(engine_starts, "starts of the engine thread")                                \
	X(engine_wakes, "wakes of a sleeping engine, or of an idle worker")            \
	X(engine_enters, "sleeps and submissions of the engine")                       \
	X(direct_busy_polls, "waits for Linux AIO that ended before the thread slept") \
	X(inline_batches, "calls that each completed several reads of a list")         \
	X(inline_pauses, "pauses of inline writes, because they had slept")            \
	X(overlap_stalls, "requests that waited for an overlapping one")               \
	X(notify_signals, "signals queued")                                            \
	X(notify_retries, "notifications delayed: signal queue full, or no thread")    \
	X(notify_callbacks, "SIGEV_THREAD callbacks run")

enum stats_counter {
#define X(name, description) STATS_##name,
	STATS_COUNTERS(X)
#undef X
		STATS_NR,
};

struct stats_row {
	_Alignas(CACHE_LINE) _Atomic uint64_t counters[STATS_NR];
};

extern struct stats_row stats_rows[THREAD_ROWS];

#define stats_inc(name) stats_inc_counter(STATS_##name)

static inline void stats_inc_counter(enum stats_counter counter)
{
	atomic_fetch_add_explicit(&stats_rows[thread_row()].counters[counter], 1,
				  memory_order_relaxed);
}

/* The counters from @first to @last, added up. */
uint64_t stats_sum(enum stats_counter first, enum stats_counter last);

/* [engine] No other thread may write @counter, and no other function. */
void stats_max(enum stats_counter counter, uint64_t value);

/* Print all counters to where RTAIO_STATS says.  Called at exit. */
void stats_print(void);

/* Child of a fork: zero all. */
void stats_after_fork(void);

#endif
