/* SPDX-License-Identifier: MIT */
/*
 * filter.h - may this range overlap a request that is not complete?
 *
 * A lane that bypasses the engine overtakes the requests that wait there.  It may do so only
 * if no earlier request on the descriptor touches the same bytes and one of the two is a
 * write.  A counting filter over blocks answers "surely not" or "perhaps".  On "perhaps" the
 * engine decides, which knows exactly.
 *
 * Raised when a request is accepted, lowered when its transfer is done, just before the result
 * is published.  Lock-free.  Hash collisions of descriptors and blocks make "perhaps" more
 * frequent, never wrong.
 */
#ifndef RTAIO_FILTER_H
#define RTAIO_FILTER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "request/request.h"

#define FILTER_BLOCK_BYTES 4096 /* ranges without a common block surely do not overlap */

/* Filters of requests that outlive the submitting call. */
enum filter_lane {
	FILTER_ENGINE,
	FILTER_BYPASS,
	FILTER_STREAMS, /* the engine's requests on streams: only counted, they have no range */
	FILTER_NR,
};

/* Bytes [start, end) of a descriptor. */
struct filter_range {
	int fd;
	off_t start, end;
	bool is_write;
};

struct filter_range filter_range_of(const struct request *req);

void filter_raise(enum filter_lane lane, const struct filter_range *range);
void filter_lower(enum filter_lane lane, const struct filter_range *range);
bool filter_may_conflict(enum filter_lane lane, const struct filter_range *range);

/* [any thread] Count @req for the engine.  Until it leaves, overlapping requests go there. */
void filter_enter(struct request *req);
void filter_leave(struct request *req);

/*
 * [engine] Two steps, around the publication of a result.  The range is free before, since a
 * program that sees the result may submit at once.  filter_depth() counts the request until
 * afterwards, so that a sync is not complete before a result that it covers is seen.
 */
void filter_leave_range(struct request *req);
void filter_leave_number(struct request *req);

/* How many requests of that direction are not complete on the descriptor (hashed)? */
unsigned filter_depth(enum filter_lane lane, const struct filter_range *range);

/* In either lane, also if a request bounces meanwhile. */
bool filter_may_conflict_anywhere(const struct filter_range *range);

/*
 * Can no range of @fd conflict, in either lane?  This is the usual case, and this question is the
 * cheapest.
 */
bool filter_is_clear(int fd, bool is_write);

/* Child of a fork: nothing is in flight. */
void filter_after_fork(void);

#endif
