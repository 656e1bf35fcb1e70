/* SPDX-License-Identifier: MIT */
/*
 * offload.h - what the test_offload programs share
 *
 * A test that runs both ways, and work on a file: requests under way on a part
 * of it, and what must come of them.
 */
#ifndef RTAIO_TEST_OFFLOAD_H
#define RTAIO_TEST_OFFLOAD_H

#include "transparency.h"

/*
 * A test which is one function run in two children: once with the choice left
 * to the library, and once with RTAIO_TEST_COPIER, by which rtaio takes every
 * program for a deep one.  It returns 0, or CHILD_SKIPPED.
 */
#define TEST_OFFLOAD(test, function, deadline_ms)                                              \
	static void test(void **state)                                                         \
	{                                                                                      \
		(void)state;                                                                   \
		support_check_both_ways(function, deadline_ms, #function, __FILE__, __LINE__); \
	}

void support_check_both_ways(int (*function)(void), unsigned int deadline_ms, const char *name,
			     const char *file, int line);

/*
 * Run this program again with "--role" @role, and return the sum of those counters,
 * with spaces between their names, at its end; -1 if none were left, as on glibc.
 */
long count_in_role(const char *role, bool is_forced, const char *counters);

#define BLOCK     4096
#define NR_BLOCKS 512
#define FILE_SIZE (NR_BLOCKS * BLOCK)
#define LONG_SIZE (1 << 20)
#define DEPTH     16
#define DEPTH_MAX 32

/* ---- a part of a file, requests under way on it, and what must come of them ---- */

struct place {
	struct aiocb cb;
	char *buf;
	char *expected; /* by a read */
	size_t size;
	bool is_used, is_read;
};

struct work {
	struct place places[DEPTH_MAX];
	unsigned int depth, nr;
	uint32_t stamp; /* no two writes have the same data */
	int fd;
	off_t begin;
	size_t size;
	char *image; /* what the part will hold when all that is submitted is done */
	char *found;
};

/* The part is from @begin on and empty, or full of zeros; no request is larger than @room. */
void work_open(struct work *work, int fd, off_t begin, size_t size, size_t room,
	       unsigned int depth);

/* The same with data in the part, in the page cache. */
void work_open_filled(struct work *work, int fd, off_t begin, size_t size, size_t room,
		      unsigned int depth);

/* Submit one; the one that was submitted @depth before it is collected first. */
void work_write(struct work *work, size_t offset, size_t size);
void work_read(struct work *work, size_t offset, size_t size);
void work_transfer(struct work *work, bool is_read, size_t offset, size_t size);

/* @skew bytes into a page of memory. */
void work_write_from(struct work *work, size_t offset, size_t size, size_t skew);
void work_read_to(struct work *work, size_t offset, size_t size, size_t skew);

/* One block, two, or something in between, read or written, anywhere. */
void work_do_any(struct work *work, size_t nr_blocks, unsigned int *seed);

/* All end, and the part of the file holds what was written last. */
void work_check(struct work *work);

/* The same at last; the file stays open. */
void work_close(struct work *work);

#endif
