/* SPDX-License-Identifier: MIT */
/*
 * explain_count.h - counters of each thread, and which of its calls are timed.
 *
 * A thread draws the next call to time at random, so that no pattern of the program's is missed,
 * and so far ahead that this takes less than a hundredth of its time.
 */
#ifndef RTAIO_EXPLAIN_COUNT_H
#define RTAIO_EXPLAIN_COUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "observers/explain_file.h"

#pragma GCC visibility push(hidden)

extern struct explain_file *explain_file; /* of this process */

/* One of @interval calls is timed. */
struct sampler {
	int left; /* calls before the next one */
	uint32_t interval;
	uint64_t last_ns;
};

struct explain_thread {
	unsigned row; /* plus one; 0: not chosen yet */
	uint32_t random;
	struct sampler submissions;
	struct sampler waits;
};

extern _Thread_local struct explain_thread explain_self __attribute__((tls_model("initial-exec")));

void explain_choose_row(void);

static inline unsigned explain_row(void)
{
	if (__builtin_expect(explain_self.row == 0, 0))
		explain_choose_row();
	return explain_self.row - 1;
}

/* All threads that came late have the last row.  Any other has one writer, and its handlers. */
static inline void explain_add(unsigned row, _Atomic uint64_t *counter, uint64_t n)
{
#ifdef __x86_64__
	/*
	 * No handler can come amid one instruction, and no lock is needed, which costs ten times as
	 * much.
	 */
	if (__builtin_expect(row < EXPLAIN_ROWS - 1, 1)) {
		__asm__("addq %1, %0" : "+m"(*counter) : "er"(n));
		return;
	}
#endif
	(void)row;
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

#define COUNT(name, n) explain_add(explain_row(), &explain_file->rows[explain_row()].name, (n))

static inline bool sampler_is_next(struct sampler *sampler)
{
	return --sampler->left < 0;
}

/* A random number below @limit. */
uint32_t explain_draw(uint32_t limit);

/* A call is timed at @now.  Returns for how many calls it stands. */
uint32_t sampler_draw_next(struct sampler *sampler, uint64_t now);

/*
 * The time of all calls that a timed one stands for.  @since: when the thread timed one before, or
 * 0. They took no longer than the thread was there: one long wait is not like those before it.
 */
uint64_t sampler_estimate(uint64_t took, uint64_t weight, uint64_t since, uint64_t now);

#pragma GCC visibility pop

#endif
