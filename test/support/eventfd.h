/* SPDX-License-Identifier: MIT */
/*
 * eventfd.h - requests with SIGEV_EVENTFD, and the counters to which they add one
 */
#ifndef RTAIO_TEST_EVENTFD_H
#define RTAIO_TEST_EVENTFD_H

#include "waitcomplete.h"

#include "../../include/rtaio.h"

int new_eventfd(int flags);

void notify_by_eventfd(struct sigevent *event, int fd);

bool can_be_read(int fd);

/* The counter, which becomes 0; it is 0 already if nothing was added. */
uint64_t take_counter(int fd);

/* Take it until @expected have been added, and no more. */
void await_counter(int fd, uint64_t expected);

/*
 * Submit a read of the first @nbytes of a file, which @eventfd announces; what aio_read() returns.
 */
int try_read(struct aiocb *cb, int eventfd, int fd, void *buf, size_t nbytes);

/* The same, which must be accepted. */
void read_to(struct aiocb *cb, int eventfd, int fd, void *buf, size_t nbytes);

/* The request that was submitted last ends with @res, is announced once and is collected. */
void check_announced(const struct aiocb *cb, int eventfd, ssize_t res);

#endif
