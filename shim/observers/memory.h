/* SPDX-License-Identifier: MIT */
/*
 * memory.h - what the observer "check" wants to know about memory that the program gives back.
 */
#ifndef RTAIO_MEMORY_H
#define RTAIO_MEMORY_H

#include <stddef.h>
#include <stdint.h>

struct memory_watcher {
	/* How many requests were submitted so far. */
	uint64_t (*nr_requests)(void);
	/* Memory is given back that only the first @nr_requests can have used before. */
	void (*freed)(const void *address, size_t size, uint64_t nr_requests);
};

#endif
