// SPDX-License-Identifier: MIT
/*
 * bypass.c - requests in flight that bypass the engine.
 *
 * A table of records.  A submitter takes a slot by compare-and-swap, the thread that
 * completes the request clears the slot, and any thread may search all slots.  A record may
 * be reused while it is read, so it counts only if its generation is the same before and
 * after.  A reused record gets its generation before its other fields, and its slot last: so
 * a search reads the generation first, then the slot.  Model: test/model/bypass.pml.
 *
 * A submitter that a handler jumps out of leaves its slot taken for ever.  No request waits
 * for that one, since its submitting call never returns.
 */
#include "order/bypass.h"

#include "base/tsan.h"
#include "order/filter.h"
#include "order/in_flight.h"

static _Alignas(CACHE_LINE) _Atomic(struct request *) slots[BYPASS_MAX];
static _Atomic unsigned nr_used; /* slots from here on were never taken */
static _Atomic uint64_t last_seq;
static _Atomic bool is_watched; /* the engine sets it before it searches the slots */
static void (*drained)(void);

void bypass_init(void (*drained_)(void))
{
	drained = drained_;
}

/* Relaxed: a submission that comes after another one still gets a higher number. */
uint64_t bypass_seq(void)
{
	return atomic_fetch_add_explicit(&last_seq, 1, memory_order_relaxed) + 1;
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

		note_use(slot); /* first: a search that depends on the record must get so far */
		/* Relaxed, since the compare-and-swap decides.  Partner of that: find(). */
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
	req->submit_seq = bypass_seq();
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

/* Partner: the engine, which sets is_watched before it searches the slots. */
void bypass_leave(struct request *req)
{
	atomic_store(&slots[req->slot], NULL);
	in_flight_leave(req);
	if (atomic_load(&is_watched))
		drained();
}

/* False: the slot holds another record by now, so @handle may belong to a half-made request. */
static bool read_handle(unsigned slot, const struct request *req, request_handle *handle)
{
	*handle = request_handle_of(req);
	return atomic_load(&slots[slot]) == req;
}

/* The first request from *@slot on that matches and has not ended meanwhile. */
static struct request *find(bool (*matches)(const struct request *req, const void *arg),
			    const void *arg, unsigned *slot, request_handle *handle)
{
	for (; *slot < atomic_load(&nr_used); ++*slot) {
		struct request *req = atomic_load(&slots[*slot]);

		if (!req || !read_handle(*slot, req, handle) || !matches(req, arg))
			continue;
		/* The fields that @matches read are read before the generation is checked. */
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

static TSAN_CHECKED_LATER bool is_within(const struct request *req, const void *arg)
{
	const struct range_of_fds *fds = arg;

	return req->fd >= fds->first && req->fd <= fds->last && req->submit_seq < fds->before;
}

bool bypass_has_any(int fd, uint64_t before)
{
	struct range_of_fds fds = { fd, fd, before };

	return has_any(is_within, &fds);
}

struct request *TSAN_CHECKED_LATER bypass_next(int first, int last, uint64_t *submit_seq,
					       request_handle *handle)
{
	struct range_of_fds fds = { first, last, *submit_seq };
	struct request *req, *youngest = NULL;
	request_handle found;
	uint64_t found_submit_seq;

	*submit_seq = 0;
	for (unsigned slot = 0; (req = find(is_within, &fds, &slot, &found)); slot++) {
		found_submit_seq = req->submit_seq;
		if (found_submit_seq < *submit_seq || found_submit_seq >= fds.before)
			continue;
		youngest = req;
		*submit_seq = found_submit_seq;
		*handle = found;
	}
	return youngest;
}

struct later {
	const struct request *req;
	uint64_t since;
};

static TSAN_CHECKED_LATER bool is_earlier(const struct request *req, const void *arg)
{
	const struct later *later = arg;

	return req->fd == later->req->fd && req->submit_seq < later->req->submit_seq &&
	       req->submit_seq >= later->since && !request_is_marked(req, REQUEST_SUBMITTING);
}

static TSAN_CHECKED_LATER bool overlaps_earlier(const struct request *req, const void *arg)
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
