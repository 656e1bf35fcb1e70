// SPDX-License-Identifier: MIT
/*
 * check_requests.c - the program's requests, as far as the program knows about them.
 */
#include "observers/check_requests.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "base/clock.h"
#include "base/futex.h"
#include "base/page.h"
#include "base/raw_syscall.h"
#include "base/signal_mask.h"

#define NS_PER_MS   1000000u
#define BUCKETS     16384u /* a power of two */
#define CHUNK_NR    1024u  /* records that are allocated together */
#define CHUNKS_MAX  1024u
#define UNLOCKED    0u
#define LOCKED      1u
#define HAS_WAITERS 2u

struct records requests_in_flight = TAILQ_HEAD_INITIALIZER(requests_in_flight);
_Atomic unsigned requests_nr_on_stack;
_Atomic unsigned requests_nr_in_flight;
_Atomic uint64_t requests_nr_calls;
_Atomic uint64_t requests_nr;

static struct record *buckets[BUCKETS];
static struct record *chunks[CHUNKS_MAX]; /* kept by a child of fork, which begins anew */
static unsigned nr_records;
static _Atomic uint32_t lock;

void requests_start(void)
{
	atomic_store(&lock, UNLOCKED);
	memset(buckets, 0, sizeof(buckets));
	TAILQ_INIT(&requests_in_flight);
	nr_records = 0;
	atomic_store(&requests_nr_on_stack, 0);
	atomic_store(&requests_nr_in_flight, 0);
	atomic_store(&requests_nr_calls, 0);
	atomic_store(&requests_nr, 0);
}

uint64_t requests_lock(void)
{
	uint64_t mask = signals_block(ALL_SIGNALS);
	uint32_t expected = UNLOCKED;

	if (atomic_compare_exchange_strong(&lock, &expected, LOCKED))
		return mask;
	while (atomic_exchange(&lock, HAS_WAITERS) != UNLOCKED)
		futex_wait(&lock, HAS_WAITERS, NULL);
	return mask;
}

void requests_unlock(uint64_t mask)
{
	if (atomic_exchange(&lock, UNLOCKED) == HAS_WAITERS)
		futex_wake(&lock, 1);
	signals_set(mask);
}

static struct record **bucket_of(const struct aiocb *cb)
{
	/* The multiplier is 2^64 divided by the golden ratio. */
	return &buckets[((uintptr_t)cb * UINT64_C(0x9e3779b97f4a7c15)) >> 50 & (BUCKETS - 1)];
}

static struct record *find_any(const struct aiocb *cb)
{
	struct record *record = *bucket_of(cb);

	while (record && record->submitted.cb != cb)
		record = record->next;
	return record;
}

struct record *requests_find(const struct aiocb *cb)
{
	struct record *record = find_any(cb);

	return record && (record->nr_in_flight || record->has_ended) ? record : NULL;
}

static struct record *allocate(void)
{
	unsigned chunk = nr_records / CHUNK_NR;
	long address;

	if (chunk == CHUNKS_MAX)
		return NULL;
	if (!chunks[chunk]) {
		address = RAW_SYSCALL(SYS_mmap, NULL, CHUNK_NR * sizeof(struct record),
				      PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (raw_is_error(address))
			return NULL;
		chunks[chunk] = (struct record *)address;
	}
	return &chunks[chunk][nr_records++ % CHUNK_NR];
}

struct record *requests_add(const struct aiocb *cb)
{
	struct record *record = find_any(cb), **bucket = bucket_of(cb), *next;

	if (record) {
		next = record->next;
	} else {
		record = allocate();
		if (!record)
			return NULL;
		next = *bucket;
		*bucket = record;
	}
	memset(record, 0, sizeof(*record));
	record->submitted.cb = cb;
	record->next = next;
	return record;
}

static bool is_on_stack(const struct record *record)
{
	const struct on_stack *on_stack = &record->on_stack;

	return on_stack->cb.end || on_stack->buffer.end || on_stack->list.end;
}

void requests_begin(struct record *record)
{
	if (record->nr_in_flight++ > 0)
		return;
	record->has_ended = false;
	TAILQ_INSERT_TAIL(&requests_in_flight, record, in_flight);
	atomic_fetch_add(&requests_nr_in_flight, 1);
	if (is_on_stack(record))
		atomic_fetch_add(&requests_nr_on_stack, 1);
}

void requests_end(struct record *record)
{
	if (record->nr_in_flight == 0 || --record->nr_in_flight > 0)
		return;
	record->has_ended = true;
	record->ended_at = record->is_being_submitted ? 0 : atomic_load(&requests_nr_calls);
	record->ended_ms = clock_now_ns() / NS_PER_MS;
	TAILQ_REMOVE(&requests_in_flight, record, in_flight);
	atomic_fetch_sub(&requests_nr_in_flight, 1);
	if (is_on_stack(record))
		atomic_fetch_sub(&requests_nr_on_stack, 1);
}

void requests_drop(struct record *record)
{
	requests_end(record);
	if (record->nr_in_flight == 0)
		record->has_ended = false;
}

struct record *requests_next(unsigned *index)
{
	while (*index < nr_records) {
		struct record *record = &chunks[*index / CHUNK_NR][*index % CHUNK_NR];

		++*index;
		if (record->nr_in_flight || record->has_ended)
			return record;
	}
	return NULL;
}

bool requests_note(struct record *record, unsigned kind, struct submitted *copy)
{
	if (record->reported & 1u << kind)
		return false;
	record->reported |= 1u << kind;
	record->is_excused = true;
	*copy = record->submitted;
	return true;
}

bool memory_is_mapped(const volatile void *address, size_t size)
{
	uintptr_t begin = page_round_down((uintptr_t)address);

	if (size == 0)
		return true;
	/* MS_ASYNC only checks that all pages are mapped. */
	return RAW_SYSCALL(SYS_msync, begin, (uintptr_t)address + size - begin, MS_ASYNC) !=
	       -ENOMEM;
}

bool memory_read(void *to, const volatile void *from, size_t size)
{
	struct iovec local = { to, size }, remote = { (void *)(uintptr_t)from, size };
	/* By this thread's number: the main thread may have ended, and has no memory then. */
	long ret = RAW_SYSCALL(SYS_process_vm_readv, RAW_SYSCALL(SYS_gettid), &local, 1, &remote, 1,
			       0);

	if (ret == (long)size)
		return true;
	if (ret != -EPERM && ret != -ENOSYS)
		return false;
	/* A filter refuses it. */
	if (!memory_is_mapped(from, size))
		return false;
	memcpy(to, (const void *)(uintptr_t)from, size);
	return true;
}
