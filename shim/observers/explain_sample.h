/* SPDX-License-Identifier: MIT */
/*
 * explain_sample.h - the requests that are noted.
 *
 * A table, hashed by the aiocb, finds those that are not collected yet.  Threads share it and the
 * samples by relaxed atomic operations, since a race costs one sample at the most.  A handler that
 * interrupts one of these functions is another such thread.
 */
#ifndef RTAIO_EXPLAIN_SAMPLE_H
#define RTAIO_EXPLAIN_SAMPLE_H

#include <aio.h>

#include "observers/explain_count.h"
#include "request/request.h"

#pragma GCC visibility push(hidden)

#define EXPLAIN_PENDING 1024u

struct explain_pending {
	_Atomic(const struct aiocb *) cb;
	_Atomic uint32_t sample; /* index */
};

extern struct explain_pending explain_pending[EXPLAIN_PENDING];

static inline unsigned explain_hash(const struct aiocb *cb)
{
	return (unsigned)((uintptr_t)cb * UINT64_C(0x9e3779b97f4a7c15) >> 54) % EXPLAIN_PENDING;
}

/* NULL: the last request of @cb is not in the sample, or is collected. */
static inline struct explain_sample *sample_find(const struct aiocb *cb)
{
	const struct explain_pending *pending = &explain_pending[explain_hash(cb)];

	if (atomic_load_explicit(&pending->cb, memory_order_relaxed) != cb)
		return NULL;
	return &explain_file->samples[atomic_load_explicit(&pending->sample, memory_order_relaxed)];
}

/*
 * Nothing more is noted of the last request of @cb: it is collected, or the aiocb is submitted
 * again.
 */
void sample_end(const struct aiocb *cb);

static inline void sample_end_last(const struct aiocb *cb)
{
	if (__builtin_expect(sample_find(cb) != NULL, 0))
		sample_end(cb);
}

/*
 * Note @cb, which is submitted next, behind @nr_before others of its call.  NULL: the sample is
 * full, and this request does not replace another.
 */
struct explain_sample *sample_begin(const struct aiocb *cb, enum request_op op, bool is_vectored,
				    uint64_t now, unsigned nr_before);

/* The call that submitted it has returned; @share_ns: its part of the time of the call. */
void sample_note_call(struct explain_sample *sample, uint64_t share_ns);

/* First use in this process. */
void sample_start(void);

#pragma GCC visibility pop

#endif
