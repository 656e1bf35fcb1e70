// SPDX-License-Identifier: MIT
/*
 * memory.c - tells the observer "check" which memory the program gives back.
 *
 * A library of its own, to be preloaded as well: only then do these functions come before libc's.
 * Memory that libc itself gives back is not seen.
 */
#include "observers/memory.h"

#include <dlfcn.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

#define EXPORT __attribute__((visibility("default")))

extern EXPORT const struct memory_watcher *rtaio_memory_watcher;
const struct memory_watcher *rtaio_memory_watcher;

static struct {
	void (*free)(void *block);
	void *(*realloc)(void *block, size_t size);
	size_t (*malloc_usable_size)(void *block);
	int (*munmap)(void *address, size_t size);
} next;

#define NEXT(name) ((__typeof__(next.name))(uintptr_t)dlsym(RTLD_NEXT, #name))

static bool are_of_one_object(const void *function, const void *other)
{
	Dl_info object, other_object;

	return dladdr(function, &object) && dladdr(other, &other_object) &&
	       object.dli_fbase == other_object.dli_fbase;
}

__attribute__((constructor)) static void find_next(void)
{
	next.munmap = NEXT(munmap);
	next.malloc_usable_size = NEXT(malloc_usable_size);
	next.realloc = NEXT(realloc);
	next.free = NEXT(free);
	/*
	 * A program's own allocator need not have this function, and libc's does not know its
	 * blocks.
	 */
	if (!are_of_one_object((void *)(uintptr_t)next.free,
			       (void *)(uintptr_t)next.malloc_usable_size))
		next.malloc_usable_size = NULL;
}

/* Of a block whose size nobody knows, the first byte counts. */
static size_t size_of(void *block)
{
	return next.malloc_usable_size ? next.malloc_usable_size(block) : 1;
}

EXPORT void free(void *block)
{
	if (!next.free)
		find_next();
	if (rtaio_memory_watcher && block)
		rtaio_memory_watcher->freed(block, size_of(block),
					    rtaio_memory_watcher->nr_requests());
	next.free(block);
}

/*
 * A block that stays where it is was not given back.  Another thread may have it before this is
 * known.
 */
EXPORT void *realloc(void *block, size_t size)
{
	const struct memory_watcher *watcher = block ? rtaio_memory_watcher : NULL;
	uint64_t nr_requests = watcher ? watcher->nr_requests() : 0;
	uintptr_t before = (uintptr_t)block;
	size_t old_size;
	void *now;

	if (!next.realloc)
		find_next();
	old_size = watcher ? size_of(block) : 0;
	now = next.realloc(block, size);
	if (watcher && (uintptr_t)now != before && (now || size == 0))
		watcher->freed((const void *)before, old_size, nr_requests);
	return now;
}

EXPORT int munmap(void *address, size_t size)
{
	if (!next.munmap)
		find_next();
	if (rtaio_memory_watcher)
		rtaio_memory_watcher->freed(address, size, rtaio_memory_watcher->nr_requests());
	return next.munmap(address, size);
}
