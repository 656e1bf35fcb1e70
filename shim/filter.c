// SPDX-License-Identifier: MIT
/*
 * filter.c - may this range overlap a request that is still under way?
 *
 * Two requests submitted one after the other, in one thread or with any
 * synchronisation between, are ordered by it: the later one sees the earlier
 * one's counters.  Two that are submitted at the same time have no order to
 * keep.  So no fence is needed here beyond what the program does itself.
 */
#include "filter.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>

#define FD_BUCKETS  64u
#define CELLS       16384u /* so many that a few hundred blocks under way rarely share one */
#define BLOCK_SHIFT 12     /* 4 KiB */
#define BLOCKS_MAX  16u    /* a range of more blocks counts as everything */

/* Submitters raise and read; whoever publishes a result lowers.  Reads and writes apart. */
struct counters {
	_Atomic uint32_t any[FD_BUCKETS];        /* requests of any range */
	_Atomic uint32_t everything[FD_BUCKETS]; /* long ranges, appends */
	_Atomic uint32_t cells[CELLS];           /* short ranges, by descriptor and block */
};

static struct counters table[FILTER_NR][2];

static unsigned bucket_of(const struct filter_range *range)
{
	return (unsigned)range->fd % FD_BUCKETS;
}

static unsigned cell_of(const struct filter_range *range, unsigned block)
{
	uint64_t key = ((uint64_t)(unsigned)range->fd << 32 | block) * UINT64_C(0x9e3779b97f4a7c15);

	return (unsigned)(key >> 48) % CELLS;
}

static bool is_everything(const struct filter_range *range)
{
	uint64_t first = (uint64_t)range->start >> BLOCK_SHIFT;

	/* The last byte decides: an aligned range of 64 KiB is 16 blocks and no more. */
	return range->end > range->start &&
	       ((uint64_t)(range->end - 1) >> BLOCK_SHIFT) - first >= BLOCKS_MAX;
}

static unsigned first_block(const struct filter_range *range)
{
	return (unsigned)((uint64_t)range->start >> BLOCK_SHIFT);
}

static unsigned nr_blocks(const struct filter_range *range)
{
	uint64_t last = (uint64_t)(range->end - 1) >> BLOCK_SHIFT;

	return range->end > range->start ? (unsigned)last - first_block(range) + 1 : 0;
}

static void add(enum filter_lane lane, const struct filter_range *range, uint32_t n)
{
	struct counters *counters = &table[lane][range->is_write];

	if (is_everything(range)) {
		atomic_fetch_add(&counters->everything[bucket_of(range)], n);
	} else {
		for (unsigned i = 0; i < nr_blocks(range); i++)
			atomic_fetch_add(&counters->cells[cell_of(range, first_block(range) + i)],
					 n);
	}
	atomic_fetch_add(&counters->any[bucket_of(range)], n);
}

void filter_raise(enum filter_lane lane, const struct filter_range *range)
{
	add(lane, range, 1);
}

void filter_lower(enum filter_lane lane, const struct filter_range *range)
{
	add(lane, range, UINT32_MAX);
}

unsigned filter_depth(enum filter_lane lane, const struct filter_range *range)
{
	return atomic_load(&table[lane][range->is_write].any[bucket_of(range)]);
}

static bool may_touch(enum filter_lane lane, const struct filter_range *range, bool of_writes)
{
	struct counters *counters = &table[lane][of_writes];

	if (atomic_load(&counters->any[bucket_of(range)]) == 0)
		return false;
	if (is_everything(range) || atomic_load(&counters->everything[bucket_of(range)]))
		return true;
	for (unsigned i = 0; i < nr_blocks(range); i++)
		if (atomic_load(&counters->cells[cell_of(range, first_block(range) + i)]))
			return true;
	return false;
}

bool filter_may_conflict(enum filter_lane lane, const struct filter_range *range)
{
	return may_touch(lane, range, true) || (range->is_write && may_touch(lane, range, false));
}

bool filter_may_conflict_anywhere(const struct filter_range *range)
{
	/*
	 * In this order: what the direct lane gives up is counted for the
	 * engine first, and then no longer for the lane.  Looking the other way
	 * round could miss it in both.
	 */
	return filter_may_conflict(FILTER_DIRECT, range) ||
	       filter_may_conflict(FILTER_ENGINE, range);
}

struct filter_range filter_range_of(const struct request *req)
{
	struct filter_range range = {
		.fd = req->fd,
		.start = req->offset,
		.is_write = req->op == OP_WRITE,
	};

	if (range.is_write && (req->descriptor.flags & O_APPEND))
		range.start = 0, range.end = INT64_MAX;
	else if (__builtin_add_overflow(req->offset, req->nbytes, &range.end))
		range.end = INT64_MAX;
	return range;
}

static void forget(struct counters *counters)
{
	bool was_used = false;

	for (unsigned i = 0; i < FD_BUCKETS; i++)
		was_used |= atomic_load(&counters->any[i]) != 0;
	if (was_used) /* else all is zero, and stays unmapped where it was never touched */
		memset(counters, 0, sizeof(*counters));
}

void filter_forget(void)
{
	for (int lane = 0; lane < FILTER_NR; lane++) {
		forget(&table[lane][0]);
		forget(&table[lane][1]);
	}
}
