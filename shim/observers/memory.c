// SPDX-License-Identifier: MIT
/*
 * memory.c - tells the observer "check" which memory the program gives back.
 *
 * A library of its own, to be preloaded as well: only then do these functions come before libc's.  Memory
 * that libc itself gives back is not seen.
 */
#include <dlfcn.h>
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define EXPORT __attribute__((visibility("default")))

extern EXPORT void (*rtaio_memory_freed)(const void *address, size_t size);
void (*rtaio_memory_freed)(const void *address, size_t size);

static struct {
	void (*free)(void *block);
	void *(*realloc)(void *block, size_t size);
	int (*munmap)(void *address, size_t size);
} next;

#define NEXT(name) ((__typeof__(next.name))(uintptr_t)dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void find_next(void)
{
	next.munmap = NEXT(munmap);
	next.realloc = NEXT(realloc);
	next.free = NEXT(free);
}

static void tell(const void *address, size_t size)
{
	if (rtaio_memory_freed && address)
		rtaio_memory_freed(address, size);
}

EXPORT void free(void *block)
{
	if (rtaio_memory_freed && block)
		tell(block, malloc_usable_size(block));
	if (!next.free)
		find_next();
	next.free(block);
}

/* A block that stays where it is was not given back. */
EXPORT void *realloc(void *block, size_t size)
{
	uintptr_t before = (uintptr_t)block;
	size_t old_size = rtaio_memory_freed && block ? malloc_usable_size(block) : 0;
	void *now;

	if (!next.realloc)
		find_next();
	now = next.realloc(block, size);
	if (old_size && (uintptr_t)now != before && (now || size == 0))
		tell((const void *)before, old_size);
	return now;
}

EXPORT int munmap(void *address, size_t size)
{
	tell(address, size);
	if (!next.munmap)
		find_next();
	return next.munmap(address, size);
}
