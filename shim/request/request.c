// SPDX-License-Identifier: MIT
/*
 * request.c - the pool of request records.
 *
 * A Treiber stack of indices.  The head has a tag, so that a pop fails if the same record was
 * popped and pushed meanwhile (ABA).  Records lie in chunks that double in size.  Records that
 * were never used are taken by raising high_water, so growth and the reset after fork touch no
 * record.  request_trim() lowers it: the last records, if all are free, count as never used,
 * and the kernel gets their memory.  A late reader finds zeros there.  When such a record is
 * used again, its generation goes on.
 *
 * The partners of every atomic here are request_alloc() and request_free(), in any thread, in
 * handlers too, and request_trim().  Model: test/model/freelist.pml.
 */
#include "request/request.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include "base/dump_root.h"
#include "base/page.h"
#include "base/raw_syscall.h"

#define CHUNK_FIRST_BITS 8u  /* 256 records */
#define CHUNK_NR         18u /* 256 * (2^18 - 1): 67 million records */

#define RECORDS_KEPT 4096u /* request_trim() keeps these, and the rest of their chunk */

static _Atomic(struct request *) chunks[CHUNK_NR];
static _Atomic uint64_t free_head;  /* tag << 32 | index + 1; 0 in the low half: empty */
static _Atomic uint32_t high_water; /* records below were in use at some time */
/* The least generation of records from there on, whose memory request_trim() freed. */
static _Atomic uint32_t generation_min;

/* Chunk k begins at index 256 * (2^k - 1). */
static unsigned chunk_of(uint32_t index)
{
	return 31u - (unsigned)__builtin_clz((index >> CHUNK_FIRST_BITS) + 1u);
}

static uint32_t chunk_start(unsigned chunk)
{
	return ((1u << chunk) - 1u) << CHUNK_FIRST_BITS;
}

/* The index is or was in use, so its chunk is mapped. */
struct request *request_at(uint32_t index)
{
	unsigned chunk = chunk_of(index);

	return atomic_load_explicit(&chunks[chunk], memory_order_acquire) +
	       (index - chunk_start(chunk));
}

/* NULL: the chunk was never mapped. */
static struct request *record_at(uint32_t index)
{
	if (!atomic_load_explicit(&chunks[chunk_of(index)], memory_order_acquire))
		return NULL;
	return request_at(index);
}

static bool map_chunk(unsigned chunk)
{
	size_t size = sizeof(struct request) << (CHUNK_FIRST_BITS + chunk);
	struct request *expected = NULL;
	long base = RAW_SYSCALL(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (raw_is_error(base))
		return false;
	if (!atomic_compare_exchange_strong(&chunks[chunk], &expected, (struct request *)base))
		RAW_SYSCALL(SYS_munmap, base, size); /* another thread was faster */
	return true;
}

static struct request *pop_free(void)
{
	uint64_t head = atomic_load(&free_head);

	while ((uint32_t)head != 0) {
		struct request *req = request_at((uint32_t)head - 1u);
		uint64_t next = ((head >> 32) + 1u) << 32 |
				atomic_load_explicit(&req->free_next, memory_order_relaxed);

		/*
		 * If the record was taken and freed meanwhile, the tag differs and @next is not
		 * used.
		 */
		if (atomic_compare_exchange_weak(&free_head, &head, next))
			return req;
	}
	return NULL;
}

static struct request *begin_record(uint32_t index)
{
	struct request *req = request_at(index);
	uint32_t generation = atomic_load(&generation_min);

	req->index = index;
	atomic_store(&req->place, PLACE_FREE);
	if (request_generation(req) < generation)
		atomic_store(&req->word, (uint64_t)generation << 32);
	return req;
}

static struct request *take_unused(void)
{
	uint32_t index = atomic_load(&high_water);

	for (;;) {
		unsigned chunk = chunk_of(index);

		if (chunk >= CHUNK_NR)
			return NULL;
		if (!atomic_load(&chunks[chunk]) && !map_chunk(chunk))
			return NULL;
		if (atomic_compare_exchange_weak(&high_water, &index, index + 1u))
			return begin_record(index);
	}
}

struct request *request_alloc(void)
{
	struct request *req = pop_free();
	uint32_t generation;

	if (!req)
		req = take_unused();
	if (!req)
		return NULL;
	/*
	 * A stale waiter may still access waiters and word: only the rest may be cleared plainly.
	 */
	generation = request_generation(req);
	/*
	 * A thread that reads the new generation or a new field also sees that the record has left
	 * its slot.  Partners: read_handle() and find() in bypass.c.
	 */
	atomic_thread_fence(memory_order_release);
	memset(&req->cb, 0, sizeof(*req) - offsetof(struct request, cb));
	atomic_store_explicit(&req->waiters, 0, memory_order_relaxed);
	atomic_store_explicit(&req->word, (uint64_t)(generation + 1u) << 32, memory_order_relaxed);
	req->message.next = NULL;
	req->message.kind = MESSAGE_SUBMIT;
	request_set_place(req, PLACE_SUBMITTER);
	return req;
}

static void push_free(struct request *req)
{
	uint64_t head = atomic_load(&free_head), next;

	do {
		atomic_store_explicit(&req->free_next, (uint32_t)head, memory_order_relaxed);
		next = ((head >> 32) + 1u) << 32 | (req->index + 1u);
	} while (!atomic_compare_exchange_weak(&free_head, &head, next));
}

void request_free(struct request *req)
{
	request_set_place(req, PLACE_FREE);
	push_free(req);
}

/* The first chunk's start from which on all records below @high are at @place; @high: none. */
static uint32_t find_surplus(uint32_t high, enum request_place place)
{
	uint32_t end = high;

	while (end > RECORDS_KEPT && request_place(request_at(end - 1u)) == place)
		end--;
	end = chunk_start(chunk_of(end) + 1u);
	return end < high ? end : high;
}

/* Take the whole free list, so that no other thread takes records from it. */
static void take_spare(void)
{
	uint64_t head = atomic_load(&free_head);

	while (!atomic_compare_exchange_weak(&free_head, &head, ((head >> 32) + 1u) << 32))
		continue;
	for (uint32_t next = (uint32_t)head; next != 0;) {
		struct request *req = request_at(next - 1u);

		atomic_store(&req->place, PLACE_SPARE);
		next = atomic_load_explicit(&req->free_next, memory_order_relaxed);
	}
}

/* Free the records below @end again, the lowest on top; note the generations of the others. */
static void split_spare(uint32_t end, uint32_t high)
{
	uint32_t generation = atomic_load(&generation_min);

	for (uint32_t index = high; index-- > 0;) {
		struct request *req = request_at(index);

		if (request_place(req) != PLACE_SPARE)
			continue;
		/*
		 * Else the next trim would take one for spare that take_unused() is about to begin.
		 */
		atomic_store(&req->place, PLACE_FREE);
		if (index < end)
			push_free(req);
		else if (request_generation(req) > generation)
			generation = request_generation(req);
	}
	atomic_store(&generation_min, generation);
}

/* @begin is the start of a chunk.  If the kernel refuses (locked memory), the data stay. */
static void discard(uint32_t begin, uint32_t end)
{
	for (unsigned chunk = chunk_of(begin); chunk_start(chunk) < end; chunk++) {
		uint32_t next = chunk_start(chunk + 1u);
		size_t nr = (end < next ? end : next) - chunk_start(chunk);

		/* The kernel rounds up, to records beyond @end that another thread may take now. */
		RAW_SYSCALL(SYS_madvise, request_at(chunk_start(chunk)),
			    page_round_down(nr * sizeof(struct request)), MADV_DONTNEED);
	}
}

bool request_may_trim(void)
{
	return atomic_load(&high_water) > chunk_start(chunk_of(RECORDS_KEPT) + 1u);
}

void request_trim(void)
{
	uint32_t high = atomic_load(&high_water), expected, end;

	if (find_surplus(high, PLACE_FREE) == high)
		return;
	take_spare();
	high = expected = atomic_load(&high_water); /* above all records of take_spare() */
	end = find_surplus(high, PLACE_SPARE);
	split_spare(end, high);
	discard(end, high);
	/* Another thread took an unused record meanwhile, so these are not the last any more. */
	if (!atomic_compare_exchange_strong(&high_water, &expected, end))
		while (high-- > end)
			push_free(begin_record(high));
}

struct request *request_lookup(request_handle handle)
{
	uint32_t index = (uint32_t)handle - 1u;
	struct request *req;

	if ((uint32_t)handle == 0 || index >= atomic_load(&high_water))
		return NULL;
	req = record_at(index);
	if (!req || request_generation(req) != (uint32_t)(handle >> 32))
		return NULL;
	return req;
}

bool request_is_possible(request_handle handle)
{
	return (uint32_t)handle != 0 && chunk_of((uint32_t)handle - 1u) < CHUNK_NR;
}

void request_set_place(struct request *req, enum request_place place)
{
	enum {
		SUBMITTER = 1u << PLACE_SUBMITTER,
		ISSUED = 1u << PLACE_RING | 1u << PLACE_WORKERS | 1u << PLACE_NO_THREAD,
		ELSEWHERE = 1u << PLACE_HANDED_OVER | 1u << PLACE_DIRECT,
		PERFORMED = 1u << PLACE_PERFORMED,
		LIVE = SUBMITTER | 1u << PLACE_QUEUE | ISSUED | ELSEWHERE,
	};
	static const uint16_t allowed_from[] = {
		[PLACE_FREE] = SUBMITTER | 1u << PLACE_DONE,
		[PLACE_SUBMITTER] = 1u << PLACE_FREE | ELSEWHERE,
		[PLACE_QUEUE] = SUBMITTER,
		[PLACE_RING] = 1u << PLACE_QUEUE | ISSUED,
		[PLACE_WORKERS] = 1u << PLACE_QUEUE | ISSUED | PERFORMED,
		[PLACE_NO_THREAD] = 1u << PLACE_QUEUE | ISSUED,
		[PLACE_HANDED_OVER] = SUBMITTER,
		[PLACE_DIRECT] = SUBMITTER,
		[PLACE_PERFORMED] = 1u << PLACE_ENDED,
		[PLACE_ENDED] = (LIVE & ~ELSEWHERE) | PERFORMED,
		[PLACE_DONE] = SUBMITTER | ELSEWHERE | 1u << PLACE_ENDED,
	};

	assert(allowed_from[place] & (1u << request_place(req)));
	(void)allowed_from;
	atomic_store(&req->place, (uint8_t)place);
}

void request_after_fork(void)
{
	atomic_store(&free_head, 0);
	atomic_store(&high_water, 0);
}

const struct dump_records request_dump = {
	.chunks = chunks,
	.high_water = &high_water,
	.nr_chunks = CHUNK_NR,
	.first_bits = CHUNK_FIRST_BITS,
	.record_size = sizeof(struct request),
	.nr_members = DUMP_NR_MEMBERS,
	.members = {
#define SIZE_OF(path)      sizeof(((struct request *)0)->path)
#define MEMBER(name, path) [DUMP_##name] = { offsetof(struct request, path), SIZE_OF(path) },
		DUMP_MEMBERS(MEMBER) /* NOLINT: some members are pointers */
#undef MEMBER
#undef SIZE_OF
	},
};
