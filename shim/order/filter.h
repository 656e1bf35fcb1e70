/* SPDX-License-Identifier: MIT */
/*
 * filter.h - may this range overlap a request that is still under way?
 *
 * The lanes that bypass the engine act ahead of everything that waits there.
 * They may do so only where no order is due: where no earlier request on the
 * descriptor touches the same bytes, with one of the two a write.  A counting
 * filter over blocks of the descriptor answers "surely not" or "perhaps"; after
 * "perhaps" the engine, which knows exactly, decides.
 *
 * Raised when a request is accepted, lowered when its effect is there, just
 * before it is published.  Lock-free; descriptors and blocks are hashed, which only makes "perhaps" more
 * frequent.
 */
#ifndef RTAIO_FILTER_H
#define RTAIO_FILTER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "request/request.h"

#define FILTER_BLOCK_BYTES 4096 /* ranges that share none of these surely do not overlap */

/* Filters of requests that outlive the submitting call. */
enum filter_lane {
	FILTER_ENGINE,
	FILTER_BYPASS,  /* requests that bypass the engine */
	FILTER_STREAMS, /* the engine's that have no range: they are only counted */
	FILTER_NR,
};

/* Bytes [start, end) of a descriptor, as far as the filter tells them apart. */
struct filter_range {
	int fd;
	off_t start, end;
	bool is_write;
};

struct filter_range filter_range_of(const struct request *req);

void filter_raise(enum filter_lane lane, const struct filter_range *range);
void filter_lower(enum filter_lane lane, const struct filter_range *range);
bool filter_may_conflict(enum filter_lane lane, const struct filter_range *range);

/*
 * [any thread] @req is the engine's: lanes that act at once leave what overlaps it
 * to the engine, until its effect is there.
 */
void filter_enter(struct request *req);
void filter_leave(struct request *req);

/* How many requests of that direction are under way on the descriptor (hashed)? */
unsigned filter_depth(enum filter_lane lane, const struct filter_range *range);

/* In any lane, also if a request is given back to the engine meanwhile. */
bool filter_may_conflict_anywhere(const struct filter_range *range);

/* Child of a fork: nothing is under way. */
void filter_after_fork(void);

#endif
