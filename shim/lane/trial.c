// SPDX-License-Identifier: MIT
/*
 * trial.c - compare the direct lane with the engine by the time that requests take.
 *
 * A trial is the time between its first and its last submission.  The program submits no faster
 * than its requests end, since many are in flight.  If it pauses, or if threads race for a count,
 * one comparison is wrong and the next one is not.
 */
#include "lane/trial.h"

#include <stdatomic.h>
#include <stdint.h>

#include "base/clock.h"
#include "request/fd_hints.h"

enum phase { RUN, TRY_DIRECT, TRY_ENGINE, PHASE_NR };

/* A trial is long enough that what is left of the phase before is a small part of it. */
static const unsigned nr_requests[PHASE_NR] = { 16384, 256, 256 };

static struct trial {
	_Atomic uint64_t began_ns; /* the phase */
	_Atomic uint64_t direct_ns;
	_Atomic uint16_t left; /* requests of the phase */
	_Atomic uint8_t phase;
	_Atomic bool prefers_engine; /* in the run */
} trials[FD_HINTS_CLASSES];

static void begin_next_phase(struct trial *trial)
{
	uint64_t now = clock_now_ns();
	uint64_t took_ns = now - atomic_load_explicit(&trial->began_ns, memory_order_relaxed);
	unsigned phase = atomic_load_explicit(&trial->phase, memory_order_relaxed);

	if (phase == TRY_DIRECT)
		atomic_store_explicit(&trial->direct_ns, took_ns, memory_order_relaxed);
	if (phase == TRY_ENGINE)
		atomic_store_explicit(&trial->prefers_engine,
				      took_ns < atomic_load_explicit(&trial->direct_ns,
								     memory_order_relaxed),
				      memory_order_relaxed);
	phase = (phase + 1) % PHASE_NR;
	atomic_store_explicit(&trial->phase, (uint8_t)phase, memory_order_relaxed);
	atomic_store_explicit(&trial->left, (uint16_t)nr_requests[phase], memory_order_relaxed);
	atomic_store_explicit(&trial->began_ns, now, memory_order_relaxed);
}

bool trial_prefers_engine(unsigned class)
{
	struct trial *trial = &trials[class];
	unsigned phase;
	uint16_t left;

	if (atomic_load_explicit(&trial->left, memory_order_relaxed) == 0)
		begin_next_phase(trial);
	left = atomic_load_explicit(&trial->left, memory_order_relaxed);
	if (left > 0)
		atomic_store_explicit(&trial->left, left - 1, memory_order_relaxed);
	phase = atomic_load_explicit(&trial->phase, memory_order_relaxed);
	return phase == TRY_ENGINE ||
	       (phase == RUN && atomic_load_explicit(&trial->prefers_engine, memory_order_relaxed));
}
