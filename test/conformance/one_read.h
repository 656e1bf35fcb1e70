/* SPDX-License-Identifier: MIT */
/*
 * one_read.h - a read that blocks on a pipe, for the tests of aio_suspend to wait for
 */
#ifndef RTAIO_TEST_ONE_READ_H
#define RTAIO_TEST_ONE_READ_H

#include "../support/support.h"

#include <sys/syscall.h>

static struct aiocb cbs[4];
static char bufs[4][8];
static int fds[2];
static pid_t main_tid;

/* A pipe with one read blocked on it, in cbs[0]. */
static inline void block_one_read(void)
{
	main_tid = (pid_t)syscall(SYS_gettid);
	open_pipe(fds);
	aiocb_init(&cbs[0], fds[0], bufs[0], 1, 0);
	check_equal(aio_read(&cbs[0]), 0);
}

static inline void finish_read(void)
{
	write_fully(fds[1], "a", 1);
	check_equal(await_result(&cbs[0]), 1);
	close_pair(fds);
}

static inline int suspend_one(const struct aiocb *cb, const struct timespec *timeout)
{
	const struct aiocb *list[1] = { cb };

	errno = 0;
	return aio_suspend(list, 1, timeout);
}

#endif
