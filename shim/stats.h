/* SPDX-License-Identifier: MIT */
/*
 * stats.h - counters, one word each, relaxed.
 *
 * Any thread adds; readers see a snapshot that is not consistent across
 * counters.  The child of a fork starts at zero.
 */
#ifndef RTAIO_STATS_H
#define RTAIO_STATS_H

#include <stdatomic.h>
#include <stdint.h>

/* X(name, description): the single list of counters. */
#define STATS_COUNTERS(X)                                                                      \
	X(reads, "reads accepted by the engine")                                               \
	X(writes, "writes accepted by the engine")                                             \
	X(fsyncs, "fsyncs accepted")                                                           \
	X(lists, "lists accepted by lio_listio")                                               \
	X(completions, "requests completed")                                                   \
	X(errors, "requests completed with an error")                                          \
	X(cancellations, "requests cancelled")                                                 \
	X(inline_reads, "reads completed inside the submitting call")                          \
	X(inline_writes, "writes completed inside the submitting call")                        \
	X(direct_reads, "reads submitted to Linux AIO by the caller")                          \
	X(direct_writes, "writes submitted to Linux AIO by the caller")                        \
	X(offloaded_reads, "reads handed to the copier or a worker by the caller")             \
	X(offloaded_writes, "writes handed to a worker by the caller")                         \
	X(offloaded_syncs, "syncs handed to a worker by the caller")                           \
	X(direct_spins, "waits for Linux AIO that ended before they slept")                    \
	X(lane_ring, "requests issued to io_uring")                                            \
	X(lane_worker, "requests executed by a worker thread")                                 \
	X(lane_engine, "requests answered or tried on the engine thread itself")               \
	X(fallbacks, "requests that left a cheaper lane after it refused them")                \
	X(resubmissions, "requests submitted again: short, interrupted or refused")            \
	X(inline_pauses, "times that inline writes were seen to wait and were left to others") \
	X(overlap_stalls, "requests that waited for an overlapping one")                       \
	X(deepest_queue, "most requests accepted and not complete")                            \
	X(notify_signals, "signals queued")                                                    \
	X(notify_retries, "notifications delayed: the signal queue was full, or no thread")    \
	X(notify_callbacks, "SIGEV_THREAD callbacks run")                                      \
	X(engine_starts, "starts of the engine thread")                                        \
	X(engine_wakes, "wakes of a sleeping engine, or of an idle worker")                    \
	X(engine_enters, "sleeps and submissions of the engine")

enum stats_counter {
#define X(name, description) STATS_##name,
	STATS_COUNTERS(X)
#undef X
		STATS_NR,
};

extern _Atomic uint64_t stats_counters[STATS_NR];

#define stats_add(name, n) \
	atomic_fetch_add_explicit(&stats_counters[STATS_##name], (n), memory_order_relaxed)
#define stats_inc(name) stats_add(name, 1)

/* Only the engine thread moves this one. */
static inline void stats_max(enum stats_counter counter, uint64_t value)
{
	if (value > atomic_load_explicit(&stats_counters[counter], memory_order_relaxed))
		atomic_store_explicit(&stats_counters[counter], value, memory_order_relaxed);
}

/* Print all counters to where RTAIO_STATS says.  Called at exit. */
void stats_print(void);

/* Child of a fork: start at zero. */
void stats_forget(void);

#endif
