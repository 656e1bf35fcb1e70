// SPDX-License-Identifier: MIT
/*
 * memory.c - control blocks and buffers of requests, with guards around them
 *
 * Blocks hold garbage, as on a stack; some look like a request in progress.
 * Buffers come from one large mapping, all of it free again when the next
 * program begins. Thread- and signal-safe.
 */
#include "history.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ARENA_SIZE ((int64_t)32 << 20)
#define PAGE_SIZE  ((int64_t)sysconf(_SC_PAGESIZE))
#define PAGE_MAX   65536 /* of any kernel */
#define GUARD      0xC5
#define GARBAGE    0xA5
#define UNREAD     0x5C /* what a buffer holds before a read */

struct block {
	unsigned char before[GUARD_SIZE];
	struct aiocb cb;
	unsigned char after[GUARD_SIZE];
};

struct arena {
	struct block blocks[REQUESTS_MAX];
	_Atomic int64_t used;
	_Alignas(PAGE_MAX) unsigned char bytes[ARENA_SIZE];
};

static struct arena *arena;
static unsigned char *protected_page;

void *memory_map(size_t size, bool is_shared)
{
	void *memory =
		mmap(NULL, size, PROT_READ | PROT_WRITE,
		     (is_shared ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		abort();
	return memory;
}

/* What is not shared is copied by a fork, and so is a test of its own. */
void memory_begin(bool is_shared)
{
	static struct arena *arenas[2];

	if (!protected_page) {
		protected_page = memory_map((size_t)PAGE_SIZE, false);
		mprotect(protected_page, (size_t)PAGE_SIZE, PROT_NONE);
	}
	if (!arenas[is_shared])
		arenas[is_shared] = memory_map(sizeof(*arena), is_shared);
	arena = arenas[is_shared];
	mprotect(arena, sizeof(*arena), PROT_READ | PROT_WRITE);
	atomic_store(&arena->used, 0);
}

static unsigned char *arena_take(int64_t length)
{
	int64_t size = (length + 2 * GUARD_SIZE + 2 * PAGE_SIZE) & -PAGE_SIZE;
	int64_t place = atomic_fetch_add(&arena->used, size + PAGE_SIZE);

	return place + size + PAGE_SIZE <= ARENA_SIZE ? arena->bytes + place : NULL;
}

static void make_block(struct record *record)
{
	struct block *block;

	if (record->cb) /* used again, as it is */
		return;
	block = &arena->blocks[record_id(record)];
	memset(block->before, GUARD, GUARD_SIZE);
	memset(block->after, GUARD, GUARD_SIZE);
	memset(&block->cb, record_id(record) % 3 ? GARBAGE : 0, sizeof(block->cb));
	if (record_id(record) % 3 == 1)
		block->cb.__error_code = EINPROGRESS;
	record->cb = &block->cb;
}

/* Ends where a page begins that is not there. */
static bool make_crossing_buffer(struct record *record)
{
	unsigned char *memory = arena_take(PAGE_SIZE);

	if (!memory)
		return false;
	record->nr_good = record->length / 2 > PAGE_SIZE ? PAGE_SIZE : record->length / 2;
	mprotect(memory + PAGE_SIZE, (size_t)PAGE_SIZE, PROT_NONE);
	record->buffer = memory + PAGE_SIZE - record->nr_good;
	return true;
}

static bool make_buffer(struct record *record, bool is_aligned)
{
	unsigned char *memory;

	record->nr_good = 0;
	record->buffer = NULL;
	if (record->buffer_kind == BUFFER_BAD)
		record->buffer = protected_page;
	if (record->buffer_kind == BUFFER_BAD || record->buffer_kind == BUFFER_NULL)
		return true;
	if (record->buffer_kind == BUFFER_CROSSING)
		return make_crossing_buffer(record);
	memory = arena_take(record->length);
	if (!memory)
		return false;
	record->buffer = memory + (is_aligned ? PAGE_SIZE : GUARD_SIZE);
	if (record->buffer_kind == BUFFER_ODD)
		record->buffer++;
	record->nr_good = record->length;
	memset(record->buffer - GUARD_SIZE, GUARD, GUARD_SIZE);
	memset(record->buffer + record->length, GUARD, GUARD_SIZE);
	return true;
}

bool memory_give(struct record *record, bool is_aligned)
{
	bool is_append = record->object && record->object->is_appended;
	int64_t base =
		is_append || (record->object && record->object->is_stream) ? 0 : record->offset;

	if (!record->is_plain)
		make_block(record);
	if (record->verb != VERB_READ && record->verb != VERB_WRITE)
		return true;
	if (!make_buffer(record, is_aligned))
		return false;
	if (record->verb == VERB_WRITE)
		pattern_put(record->buffer, record_id(record), base, record->nr_good);
	else if (record->nr_good > 0)
		memset(record->buffer, UNREAD, (size_t)record->nr_good);
	record->data = record->buffer;
	return true;
}

static bool is_guard(const unsigned char *memory)
{
	for (int i = 0; i < GUARD_SIZE; i++)
		if (memory[i] != GUARD)
			return false;
	return true;
}

bool memory_guards_are_intact(const struct record *record)
{
	const struct block *block;

	if ((record->buffer_kind == BUFFER_GOOD || record->buffer_kind == BUFFER_ODD) &&
	    record->buffer &&
	    (!is_guard(record->buffer - GUARD_SIZE) || !is_guard(record->buffer + record->length)))
		return false;
	if (record->is_plain)
		return true;
	block = (const struct block *)((const char *)record->cb - offsetof(struct block, cb));
	return is_guard(block->before) && is_guard(block->after);
}

void *memory_copy(const void *data, int64_t length)
{
	unsigned char *copy = arena_take(length);

	if (copy)
		memcpy(copy, data, (size_t)length);
	return copy;
}
