// SPDX-License-Identifier: MIT
/*
 * filter.c - may this range overlap a request that is not complete?
 *
 * No fence is needed here.  If one request is submitted after another, in one thread or with
 * synchronisation between two, the later one sees the counters of the earlier one.  Requests
 * submitted at the same time have no order to keep.
 */
#include "order/filter.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>

#include "base/thread.h"
#include "base/tsan.h"

#define FD_BUCKETS 64u
#define CELLS      16384u /* so many that a few hundred blocks rarely share one */

/* In which blocks a range is counted: long ranges in large ones, so that they stay few. */
enum size { SHORT, LONG, EVERYTHING, NOTHING, SIZE_NR };

static const struct {
	unsigned shift;
	unsigned blocks_max; /* a range of more blocks is counted as the next size */
} blocks[] = {
	[SHORT] = { 12, 16 }, /* FILTER_BLOCK_BYTES; an aligned range of 64 KiB is 16 blocks */
	[LONG] = { 16, 32 },
};

/*
 * Submitters raise and read, completing threads lower.  Lanes and directions are counted apart.
 * All numbers of a descriptor that a submitter reads lie in one cache line, and those of its
 * neighbours, which other threads may use, in others.
 */
struct requests {
	_Alignas(2 * CACHE_LINE) _Atomic uint32_t nr[FILTER_NR][2][SIZE_NR];
};

static struct requests requests[FD_BUCKETS];
static _Atomic uint32_t cells[FILTER_NR][2][CELLS]; /* by descriptor, size and block */

static _Atomic uint32_t *numbers_of(enum filter_lane lane, bool is_write, int fd)
{
	return requests[(unsigned)fd % FD_BUCKETS].nr[lane][is_write];
}

static uint64_t first_block(const struct filter_range *range, enum size size)
{
	return (uint64_t)range->start >> blocks[size].shift;
}

/* The range is not empty. */
static uint64_t nr_blocks(const struct filter_range *range, enum size size)
{
	return ((uint64_t)(range->end - 1) >> blocks[size].shift) - first_block(range, size) + 1;
}

static enum size size_of(const struct filter_range *range)
{
	if (range->end <= range->start)
		return NOTHING; /* a sync: overlaps nothing */
	if (nr_blocks(range, SHORT) <= blocks[SHORT].blocks_max)
		return SHORT;
	return nr_blocks(range, LONG) <= blocks[LONG].blocks_max ? LONG : EVERYTHING;
}

static _Atomic uint32_t *cell_of(_Atomic uint32_t *of_lane, const struct filter_range *range,
				 enum size size, uint64_t i)
{
	uint64_t block = (first_block(range, size) + i) << 1 | (size == LONG);
	uint64_t key = ((uint64_t)(unsigned)range->fd << 32 ^ block) * UINT64_C(0x9e3779b97f4a7c15);

	return &of_lane[(key >> 48) % CELLS];
}

static void add(enum filter_lane lane, const struct filter_range *range, uint32_t n)
{
	_Atomic uint32_t *of_lane = cells[lane][range->is_write];
	enum size size = size_of(range);

	if (size == SHORT || size == LONG)
		for (uint64_t i = 0; i < nr_blocks(range, size); i++)
			atomic_fetch_add(cell_of(of_lane, range, size, i), n);
	atomic_fetch_add(&numbers_of(lane, range->is_write, range->fd)[size], n);
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
	_Atomic uint32_t *nr = numbers_of(lane, range->is_write, range->fd);

	return atomic_load(&nr[SHORT]) + atomic_load(&nr[LONG]) + atomic_load(&nr[EVERYTHING]) +
	       atomic_load(&nr[NOTHING]);
}

static bool has_counted(_Atomic uint32_t *of_lane, const struct filter_range *range, enum size size)
{
	for (uint64_t i = 0; i < nr_blocks(range, size); i++)
		if (atomic_load(cell_of(of_lane, range, size, i)))
			return true;
	return false;
}

static bool may_touch(enum filter_lane lane, const struct filter_range *range, bool of_writes)
{
	_Atomic uint32_t *of_lane = cells[lane][of_writes];
	_Atomic uint32_t *nr = numbers_of(lane, of_writes, range->fd);
	bool has_short = atomic_load(&nr[SHORT]), has_long = atomic_load(&nr[LONG]);
	bool has_everything = atomic_load(&nr[EVERYTHING]);
	enum size size;

	if (!has_short && !has_long && !has_everything)
		return false;
	size = size_of(range);
	if (size == NOTHING)
		return false;
	if (has_everything || size == EVERYTHING)
		return true;
	/* Short ranges are not counted in long blocks, so a long one may touch any of them. */
	if (has_short && (size == LONG || has_counted(of_lane, range, SHORT)))
		return true;
	return has_long && has_counted(of_lane, range, LONG);
}

bool filter_may_conflict(enum filter_lane lane, const struct filter_range *range)
{
	return may_touch(lane, range, true) || (range->is_write && may_touch(lane, range, false));
}

bool filter_may_conflict_anywhere(const struct filter_range *range)
{
	/*
	 * In this order: a bounced request is counted for the engine before it leaves the
	 * bypass filter.  The other order could miss it in both.
	 */
	return filter_may_conflict(FILTER_BYPASS, range) ||
	       filter_may_conflict(FILTER_ENGINE, range);
}

static bool has_no_range(enum filter_lane lane, int fd, bool of_writes)
{
	_Atomic uint32_t *nr = numbers_of(lane, of_writes, fd);

	return (atomic_load(&nr[SHORT]) | atomic_load(&nr[LONG]) | atomic_load(&nr[EVERYTHING])) ==
	       0;
}

/* In the order of filter_may_conflict_anywhere(). */
bool filter_is_clear(int fd, bool is_write)
{
	return has_no_range(FILTER_BYPASS, fd, true) &&
	       (!is_write || has_no_range(FILTER_BYPASS, fd, false)) &&
	       has_no_range(FILTER_ENGINE, fd, true) &&
	       (!is_write || has_no_range(FILTER_ENGINE, fd, false));
}

/* The original range, also after a partial transfer: raise and lower must match. */
struct filter_range TSAN_CHECKED_LATER filter_range_of(const struct request *req)
{
	struct filter_range range = {
		.fd = req->fd,
		.start = req->offset - (off_t)req->done,
		.is_write = req->op == OP_WRITE,
	};

	if (req->descriptor.has_type && !descriptor_is_file(&req->descriptor))
		range.start = range.end = 0;
	else if (range.is_write && (req->descriptor.flags & O_APPEND))
		range.start = 0, range.end = INT64_MAX;
	else if (__builtin_add_overflow(req->offset, req->nbytes, &range.end))
		range.end = INT64_MAX;
	return range;
}

static bool was_used(enum filter_lane lane, bool is_write)
{
	bool has_any = false;

	for (unsigned i = 0; i < FD_BUCKETS; i++)
		for (int size = 0; size < SIZE_NR; size++)
			has_any |= atomic_load(&requests[i].nr[lane][is_write][size]) != 0;
	return has_any;
}

static enum filter_lane lane_of(const struct request *req)
{
	return descriptor_is_file(&req->descriptor) ? FILTER_ENGINE : FILTER_STREAMS;
}

void filter_enter(struct request *req)
{
	struct filter_range range = filter_range_of(req);

	filter_raise(lane_of(req), &range);
	req->is_filtered = true;
}

void filter_leave(struct request *req)
{
	struct filter_range range = filter_range_of(req);

	if (req->is_filtered)
		filter_lower(lane_of(req), &range);
	req->is_filtered = false;
}

static struct filter_range number_of(const struct request *req)
{
	return (struct filter_range){ .fd = req->fd, .is_write = req->op == OP_WRITE };
}

void filter_leave_range(struct request *req)
{
	struct filter_range number = number_of(req);
	bool is_counted =
		req->is_filtered && lane_of(req) == FILTER_ENGINE && request_is_transfer(req);

	if (is_counted)
		filter_raise(FILTER_ENGINE, &number);
	filter_leave(req);
	req->is_filtered = is_counted;
}

void filter_leave_number(struct request *req)
{
	struct filter_range number = number_of(req);

	if (req->is_filtered)
		filter_lower(FILTER_ENGINE, &number);
	req->is_filtered = false;
}

/* Where all is zero, memset would only cost memory. */
void filter_after_fork(void)
{
	bool has_any = false;

	for (int lane = 0; lane < FILTER_NR; lane++)
		for (int is_write = 0; is_write < 2; is_write++)
			if (was_used((enum filter_lane)lane, is_write)) {
				memset(cells[lane][is_write], 0, sizeof(cells[lane][is_write]));
				has_any = true;
			}
	if (has_any)
		memset(requests, 0, sizeof(requests));
}
