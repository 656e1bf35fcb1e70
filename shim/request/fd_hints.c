// SPDX-License-Identifier: MIT
/*
 * fd_hints.c - the kernel's last answers about a file descriptor.
 *
 * One word for each descriptor (hashed), read by all threads and seldom written:
 *
 *   63..32  the descriptor, plus one
 *   31..8   its flags, as fcntl(F_GETFL) gives them
 *    3..0   enum file_kind
 *
 * All accesses are relaxed.  A hint may be out of date, and a word is read as a whole.  The hook of
 * a close clears the entry.  The kernel orders that close before the open that gives the number
 * again.
 *
 * Each thread counts in its row (thread.h) how often it still may use an entry before it must ask
 * for the flags again.
 */
#include "request/fd_hints.h"

#include <stdatomic.h>
#include <stdint.h>

#include "base/thread.h"
#include "request/request.h"

#define FD_BUCKETS DESCRIPTOR_BUCKETS
#define TRUST_MAX  15u
#define KIND_MASK  UINT64_C(15)

static _Atomic uint64_t remembered[FD_BUCKETS];

/*
 * How many uses are left.  A handler, or a thread that shares the row, may make it slightly wrong.
 */
static struct {
	_Alignas(CACHE_LINE) _Atomic uint8_t left[FD_BUCKETS];
} trust[THREAD_ROWS];

#define MISSES_MIN 4u  /* after so many misses in a row the next read will probably miss */
#define SKIPS_MAX  15u /* reads that are not tried between two that are */

/* How reads of a descriptor went.  Threads that race lose count, which costs a try more or less. */
struct read_history {
	uint16_t nr_misses; /* in a row, up to MISSES_MIN */
	uint8_t skips;      /* reads left until the next try */
};

static _Alignas(CACHE_LINE) _Atomic(struct read_history) read_histories[FD_BUCKETS];

#define LONG_MIN_BYTES 131072u /* no device splits a request of at most this length */
#define WITHHELD_FIRST 64u     /* requests after the first refusal, doubled by each further one */
#define REFUSALS_MAX   10u
#define WATCHED_MAX    32u /* submissions; if none of them is refused, `refusals` goes down by 1 */
#define COSTLY_MAX     16u /* if so many more submissions were costly than not, use the engine */
#define ENGINE_RUN     1024u /* requests that it serves until some are submitted here again */

/* How Linux AIO took requests of one class.  Threads may race as above. */
struct direct_history {
	uint8_t refusals;     /* up to REFUSALS_MAX */
	uint8_t watched : 7;  /* submissions left to watch */
	uint8_t was_long : 1; /* the last one that was watched */
	uint16_t withheld;    /* requests left to withhold */
	uint16_t for_engine;  /* requests that the engine still serves */
	uint16_t nr_costly;   /* costly submissions less the others, from 0 to COSTLY_MAX */
};

static _Alignas(CACHE_LINE) _Atomic(struct direct_history) direct_histories[FD_HINTS_CLASSES];

static _Atomic uint64_t *place_of(int fd)
{
	return &remembered[(unsigned)fd % FD_BUCKETS];
}

static bool is_of(uint64_t entry, int fd)
{
	return entry >> 32 == (uint64_t)(unsigned)fd + 1;
}

static _Atomic uint8_t *trust_of(int fd)
{
	return &trust[thread_row()].left[(unsigned)fd % FD_BUCKETS];
}

/* False: no use is left. */
static bool use_trust(int fd)
{
	uint8_t left = atomic_load_explicit(trust_of(fd), memory_order_relaxed);

	if (left > 0)
		atomic_store_explicit(trust_of(fd), left - 1, memory_order_relaxed);
	return left > 0;
}

static bool is_direct(enum file_kind kind)
{
	return kind == FILE_DIRECT_RING || kind == FILE_DIRECT || kind == FILE_DIRECT_WAITING;
}

enum file_kind fd_hints_recall(int fd, int flags)
{
	uint64_t entry = atomic_load_explicit(place_of(fd), memory_order_relaxed);
	enum file_kind kind = (enum file_kind)(entry & KIND_MASK);

	if (!is_of(entry, fd) || (uint32_t)entry >> 8 != ((uint32_t)flags & 0xffffffu))
		return FILE_UNKNOWN;
	return kind;
}

bool fd_hints_trust(int fd, enum file_kind *kind, int *flags)
{
	uint64_t entry = atomic_load_explicit(place_of(fd), memory_order_relaxed);

	*kind = (enum file_kind)(entry & KIND_MASK);
	*flags = (int)(entry >> 8 & 0xffffffu);
	return is_of(entry, fd) && *kind >= FILE_MEMORY && !is_direct(*kind) && use_trust(fd);
}

bool fd_hints_was_stream(int fd)
{
	uint64_t entry = atomic_load_explicit(place_of(fd), memory_order_relaxed);

	return is_of(entry, fd) && (entry & KIND_MASK) == FILE_STREAM;
}

void fd_hints_note(int fd, int flags, enum file_kind kind)
{
	uint64_t entry =
		((uint64_t)(unsigned)fd + 1) << 32 | ((uint64_t)flags & 0xffffffu) << 8 | kind;

	atomic_store_explicit(trust_of(fd), TRUST_MAX, memory_order_relaxed);
	if (atomic_load_explicit(place_of(fd), memory_order_relaxed) != entry)
		atomic_store_explicit(place_of(fd), entry, memory_order_relaxed);
}

static _Atomic(struct read_history) *read_history_of(int fd)
{
	return &read_histories[descriptor_bucket(fd)];
}

bool fd_hints_expects_miss(int fd)
{
	struct read_history seen = atomic_load_explicit(read_history_of(fd), memory_order_relaxed);
	bool is_expected;

	if (seen.nr_misses < MISSES_MIN)
		return false;
	is_expected = seen.skips > 0;
	if (is_expected)
		seen.skips--;
	else
		seen.skips = SKIPS_MAX;
	atomic_store_explicit(read_history_of(fd), seen, memory_order_relaxed);
	return is_expected;
}

void fd_hints_note_read(int fd, bool is_hit)
{
	struct read_history seen = atomic_load_explicit(read_history_of(fd), memory_order_relaxed);

	if (is_hit && seen.nr_misses == 0)
		return;
	if (is_hit)
		seen.nr_misses = seen.skips = 0;
	else if (seen.nr_misses < MISSES_MIN)
		seen.nr_misses++;
	atomic_store_explicit(read_history_of(fd), seen, memory_order_relaxed);
}

unsigned fd_hints_class(const struct request *req)
{
	return descriptor_bucket(req->fd) * FD_HINTS_CLASSES_EACH + (req->op == OP_WRITE ? 2 : 0) +
	       (req->nbytes > LONG_MIN_BYTES);
}

bool fd_hints_withholds(unsigned class)
{
	struct direct_history seen =
		atomic_load_explicit(&direct_histories[class], memory_order_relaxed);

	if (seen.withheld == 0)
		return false;
	seen.withheld--;
	atomic_store_explicit(&direct_histories[class], seen, memory_order_relaxed);
	return true;
}

bool fd_hints_is_watched(unsigned class)
{
	struct direct_history seen =
		atomic_load_explicit(&direct_histories[class], memory_order_relaxed);

	return seen.watched > 0;
}

void fd_hints_note_refused(unsigned class)
{
	struct direct_history seen =
		atomic_load_explicit(&direct_histories[class], memory_order_relaxed);

	if (seen.withheld > 0)
		return; /* it was submitted before the refusal that is already counted */
	seen.withheld = (uint16_t)((WITHHELD_FIRST << seen.refusals) - 1);
	seen.watched = WATCHED_MAX;
	if (seen.refusals < REFUSALS_MAX)
		seen.refusals++;
	atomic_store_explicit(&direct_histories[class], seen, memory_order_relaxed);
}

bool fd_hints_prefers_engine(unsigned class)
{
	struct direct_history seen =
		atomic_load_explicit(&direct_histories[class], memory_order_relaxed);

	if (seen.for_engine == 0)
		return false;
	seen.for_engine--;
	atomic_store_explicit(&direct_histories[class], seen, memory_order_relaxed);
	return true;
}

/* Half of COSTLY_MAX stays, so that a few submissions confirm it after the run. */
static void count_cost(struct direct_history *seen, bool is_costly)
{
	if (!is_costly) {
		seen->nr_costly -= seen->nr_costly > 0;
	} else if (++seen->nr_costly == COSTLY_MAX) {
		seen->nr_costly = COSTLY_MAX / 2;
		seen->for_engine = ENGINE_RUN;
	}
}

static void count_watched(struct direct_history *seen, bool is_slow)
{
	if (seen->watched == 0) {
		seen->watched = is_slow ? WATCHED_MAX : 0;
	} else if (--seen->watched == 0 && seen->refusals > 0) {
		seen->refusals--;
		seen->watched = WATCHED_MAX;
	}
}

void fd_hints_note_taken(unsigned class, unsigned signs)
{
	struct direct_history seen =
		atomic_load_explicit(&direct_histories[class], memory_order_relaxed);

	if (signs & SUBMISSION_LONG && seen.was_long) {
		fd_hints_note_refused(class);
		return;
	}
	if (signs == 0 && seen.watched == 0 && seen.nr_costly == 0)
		return;
	seen.was_long = (signs & SUBMISSION_LONG) != 0;
	count_cost(&seen, signs & SUBMISSION_COSTLY);
	count_watched(&seen, signs & SUBMISSION_SLOW);
	atomic_store_explicit(&direct_histories[class], seen, memory_order_relaxed);
}

void fd_hints_drop(unsigned first, unsigned last)
{
	if (last - first >= FD_BUCKETS)
		last = first + FD_BUCKETS - 1;
	for (unsigned fd = first; fd - first <= last - first; fd++) {
		atomic_store_explicit(place_of((int)fd), 0, memory_order_relaxed);
		atomic_store_explicit(read_history_of((int)fd), (struct read_history){ 0 },
				      memory_order_relaxed);
		for (unsigned i = 0; i < FD_HINTS_CLASSES_EACH; i++)
			atomic_store_explicit(&direct_histories[descriptor_bucket((int)fd) *
									FD_HINTS_CLASSES_EACH +
								i],
					      (struct direct_history){ 0 }, memory_order_relaxed);
	}
}
