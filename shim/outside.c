// SPDX-License-Identifier: MIT
/*
 * outside.c - requests under way outside the engine.
 *
 * What the direct lane and the lane beside have in common: the engine, the
 * other lanes, aio_cancel and the close functions take notice of their
 * requests.  For overlaps there is the filter, for barriers the epochs; both
 * may say "perhaps" where the records say exactly.
 */
#include "outside.h"

#include "epoch.h"
#include "filter.h"

static enum filter_lane filter_of(const struct request *req)
{
	static const enum filter_lane lanes[] = {
		[BESIDE_NONE] = FILTER_DIRECT,
		[BESIDE_COPIES] = FILTER_COPIES,
		[BESIDE_LONG] = FILTER_LONG,
	};

	return lanes[req->desk];
}

void outside_enter(struct request *req)
{
	struct filter_range range = filter_range_of(req);

	atomic_store_explicit(&req->submitting, atomic_load(&req->generation),
			      memory_order_relaxed);
	req->is_outside = true;
	req->epoch = (uint8_t)epoch_enter(req->fd);
	filter_raise(filter_of(req), &range);
}

/* The record may be another request's by now: then it stays as it is. */
void outside_return(struct request *req, uint32_t generation)
{
	atomic_compare_exchange_strong(&req->submitting, &generation, 0);
}

void outside_leave_range(struct request *req)
{
	struct filter_range range = filter_range_of(req);

	filter_lower(filter_of(req), &range);
}

void outside_leave(struct request *req)
{
	uint32_t epoch = req->epoch;
	int fd = req->fd;

	atomic_store(&req->is_outside, false);
	epoch_leave(fd, epoch);
}

/* --- who came before? ------------------------------------------------------ */

bool outside_has_returned(const struct request *req)
{
	return atomic_load(&req->submitting) != atomic_load(&req->generation);
}

static bool has_number(struct request *req, const void *arg)
{
	return atomic_load(&req->is_outside) && req->fd == *(const int *)arg;
}

bool outside_has_any(int fd)
{
	return epoch_is_busy(fd) && request_any(has_number, &fd);
}

struct numbers {
	int first, last;
};

/* Matches none: a mark with the generation is harmless on the record's next request. */
static bool disown(struct request *req, const void *arg)
{
	const struct numbers *numbers = arg;
	uint32_t generation = atomic_load(&req->generation);

	if (atomic_load(&req->is_outside) && req->fd >= numbers->first && req->fd <= numbers->last)
		atomic_store(&req->disowned, generation);
	return false;
}

void outside_disown(int first, int last)
{
	struct numbers numbers = { first, last };

	if (epoch_is_any_busy(first, last))
		request_any(disown, &numbers);
}

bool outside_is_disowned(const struct request *req)
{
	return atomic_load(&req->disowned) == atomic_load(&req->generation);
}

/* What was bounced and has its place in a queue has left its range. */
static bool precedes(struct request *req, const void *arg)
{
	const struct filter_range *range = arg;
	struct filter_range other = filter_range_of(req);

	return atomic_load(&req->is_outside) && outside_has_returned(req) && !req->queue &&
	       other.fd == range->fd && (other.is_write || range->is_write) &&
	       other.start < range->end && range->start < other.end;
}

bool outside_precedes(const struct request *req)
{
	struct filter_range range = filter_range_of(req);

	return request_any(precedes, &range);
}

struct counted {
	int fd;
	uint32_t epoch;
};

static bool is_counted(struct request *req, const void *arg)
{
	const struct counted *counted = arg;

	return atomic_load(&req->is_outside) && outside_has_returned(req) &&
	       req->fd == counted->fd && req->epoch == counted->epoch;
}

bool outside_precedes_barrier(int fd, uint32_t epoch)
{
	struct counted counted = { fd, epoch };

	return request_any(is_counted, &counted);
}
