/* SPDX-License-Identifier: MIT */
/*
 * blocked.h - a write to a file that blocks, since the memory of the program does (gate.h)
 */
#ifndef RTAIO_TEST_BLOCKED_H
#define RTAIO_TEST_BLOCKED_H

#include "gate.h"

#include <aio.h>
#include <linux/filter.h>

#define SIZE (128 * 1024)

/* A file, and a write of SIZE bytes to it that goes on until the gate opens. */
struct blocked {
	struct gate gate;
	struct aiocb cb;
	int fd, kept;
};

/* False: this machine does not allow it, and the reason is printed. */
bool block_at(struct blocked *blocked, int fd, off_t offset);
void unblock(struct blocked *blocked, int value);

/* Of SIZE bytes, for a write behind it. */
char *filled_buffer(int value);
void check_file_is(int fd, int value, off_t offset, size_t size);

/* Make the calls that @filter allows, in this thread and in those that begin later. */
void filter_calls(struct sock_filter *filter, size_t nr);

/* The same for one call, which fails with EPERM. */
void forbid_call(unsigned int nr);

/*
 * A test is made twice: in a process that has just begun to use AIO, and in one with threads of the
 * library that have had work and have none now.
 */
int run_with_idle_helpers(void *arg);

#define TEST_BLOCKED(test, function)                                                           \
	static void test(void **state)                                                         \
	{                                                                                      \
		int (*run)(void) = (function);                                                 \
                                                                                               \
		(void)state;                                                                   \
		check_or_skip_in_child(run, 20000);                                            \
		support_check_or_skip_child(in_child_with(run_with_idle_helpers, &run, 20000), \
					    #function, __FILE__, __LINE__);                    \
	}

#endif
