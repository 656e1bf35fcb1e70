// SPDX-License-Identifier: MIT
/*
 * bypass.c - requests that are under way without the engine.
 *
 * A table of records.  Submitters put theirs in by compare-and-swap, whoever
 * completes one clears its slot, and anybody looks through all slots.  A record
 * that was looked at may end and be used again at any moment: it counts only
 * if its generation is the same before and after.  That of a request which is
 * just being made is its own already, but the rest is not: so it is seen in its
 * slot after the generation was read.  test/model/bypass.pml is the model.
 *
 * A submitter that jumps out of its call, from a handler, leaves its slot taken
 * for ever.  It precedes nobody, since its call never returns.
 */
#include "order/bypass.h"

#include "order/filter.h"
#include "order/in_flight.h"

static _Atomic(struct request *) slots[BYPASS_MAX];
static _Atomic unsigned nr_used; /* slots from here on never were */
static _Atomic uint64_t last_stamp;
static _Atomic bool is_watched; /* the engine raises before it looks whether it must wait */
static void (*drained)(void);

void bypass_init(void (*drained_)(void))
{
	drained = drained_;
}

uint64_t bypass_stamp(void)
{
	return atomic_fetch_add_explicit(&last_stamp, 1, memory_order_relaxed) + 1;
}

static void note_use(unsigned slot)
{
	unsigned nr = atomic_load(&nr_used);

	while (nr <= slot && !atomic_compare_exchange_weak(&nr_used, &nr, slot + 1))
		continue;
}

static bool take_slot(struct request *req)
{
	for (unsigned i = 0; i < BYPASS_MAX; i++) {
		unsigned slot = (req->index + i) % BYPASS_MAX;
		struct request *expected = NULL;

		note_use(slot); /* first: whoever sees the record must look so far */
		if (!atomic_load_explicit(&slots[slot], memory_order_relaxed) &&
		    atomic_compare_exchange_strong(&slots[slot], &expected, req)) {
			req->slot = (uint16_t)slot;
			return true;
		}
	}
	return false;
}

bool bypass_enter(struct request *req, enum request_place place)
{
	struct filter_range range = filter_range_of(req);

	request_mark(req, REQUEST_SUBMITTING);
	req->stamp = bypass_stamp();
	if (!take_slot(req)) {
		request_unmark(req, request_generation(req), REQUEST_SUBMITTING);
		return false;
	}
	request_set_place(req, place);
	request_hold_descriptor(req);
	in_flight_enter(req);
	filter_raise(FILTER_BYPASS, &range);
	return true;
}

void bypass_return(struct request *req, uint32_t generation)
{
	request_unmark(req, generation, REQUEST_SUBMITTING);
}

void bypass_leave_range(struct request *req)
{
	struct filter_range range = filter_range_of(req);

	filter_lower(FILTER_BYPASS, &range);
}

/* Partner: the engine, which sets is_watched before it looks at the slots. */
void bypass_leave(struct request *req)
{
	atomic_store(&slots[req->slot], NULL);
	in_flight_leave(req);
	if (atomic_load(&is_watched))
		drained();
}

/* What the slot held at some moment was @handle, and complete. */
static bool read_handle(unsigned slot, const struct request *req, request_handle *handle)
{
	*handle = request_handle_of(req);
	return atomic_load(&slots[slot]) == req;
}

/* Call @matches for each that has not ended meanwhile, until it says yes. */
static struct request *find(bool (*matches)(const struct request *req, const void *arg),
			    const void *arg, unsigned *slot, request_handle *handle)
{
	for (; *slot < atomic_load(&nr_used); ++*slot) {
		struct request *req = atomic_load(&slots[*slot]);

		if (!req || !read_handle(*slot, req, handle) || !matches(req, arg))
			continue;
		/* In this order, also on machines that would rather not. */
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load(&slots[*slot]) == req && request_handle_of(req) == *handle)
			return req;
	}
	return NULL;
}

static bool has_any(bool (*matches)(const struct request *req, const void *arg), const void *arg)
{
	request_handle handle;
	unsigned slot = 0;

	return find(matches, arg, &slot, &handle) != NULL;
}

static bool is_direct(const struct request *req, const void *unused)
{
	(void)unused;
	return request_place(req) == PLACE_DIRECT;
}

bool bypass_has_direct(void)
{
	return has_any(is_direct, NULL);
}

struct range_of_fds {
	int first, last;
	uint64_t before;
};

static bool is_within(const struct request *req, const void *arg)
{
	const struct range_of_fds *fds = arg;

	return req->fd >= fds->first && req->fd <= fds->last && req->stamp < fds->before;
}

bool bypass_has_any(int fd, uint64_t before)
{
	struct range_of_fds fds = { fd, fd, before };

	return has_any(is_within, &fds);
}

struct request *bypass_next(int first, int last, uint64_t *stamp, request_handle *handle)
{
	struct range_of_fds fds = { first, last, *stamp };
	struct request *req, *youngest = NULL;
	request_handle found;
	uint64_t found_stamp;

	*stamp = 0;
	for (unsigned slot = 0; (req = find(is_within, &fds, &slot, &found)); slot++) {
		found_stamp = req->stamp;
		if (found_stamp < *stamp || found_stamp >= fds.before)
			continue;
		youngest = req;
		*stamp = found_stamp;
		*handle = found;
	}
	return youngest;
}

struct later {
	const struct request *req;
	uint64_t since;
};

static bool is_earlier(const struct request *req, const void *arg)
{
	const struct later *later = arg;

	return req->fd == later->req->fd && req->stamp < later->req->stamp &&
	       req->stamp >= later->since && !request_is_marked(req, REQUEST_SUBMITTING);
}

static bool overlaps_earlier(const struct request *req, const void *arg)
{
	const struct later *later = arg;
	struct filter_range range = filter_range_of(req), other = filter_range_of(later->req);

	return is_earlier(req, arg) && (range.is_write || other.is_write) &&
	       range.start < other.end && other.start < range.end;
}

bool bypass_precedes(const struct request *req, uint64_t since)
{
	struct later later = { req, since };

	return has_any(request_is_barrier(req) ? is_earlier : overlaps_earlier, &later);
}

void bypass_watch(bool is_on_)
{
	atomic_store(&is_watched, is_on_);
}

bool bypass_is_watched(void)
{
	return atomic_load(&is_watched);
}

void bypass_after_fork(void)
{
	for (unsigned i = 0; i < BYPASS_MAX; i++)
		atomic_store_explicit(&slots[i], NULL, memory_order_relaxed);
	atomic_store(&nr_used, 0);
	atomic_store(&is_watched, false);
}
