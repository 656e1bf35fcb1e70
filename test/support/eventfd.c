// SPDX-License-Identifier: MIT
/*
 * eventfd.c - requests with SIGEV_EVENTFD
 *
 * The contracts are in eventfd.h.
 */
#include "eventfd.h"

#include <poll.h>
#include <sys/eventfd.h>

int new_eventfd(int flags)
{
	int fd = eventfd(0, flags | EFD_CLOEXEC);

	check(fd >= 0);
	return fd;
}

void notify_by_eventfd(struct sigevent *event, int fd)
{
	memset(event, 0x5a, sizeof(*event));
	event->sigev_notify = SIGEV_EVENTFD;
	event->sigev_notify_eventfd = fd;
}

bool can_be_read(int fd)
{
	struct pollfd polled = { .fd = fd, .events = POLLIN };

	return poll(&polled, 1, 0) == 1;
}

uint64_t take_counter(int fd)
{
	uint64_t value = 0;

	if (can_be_read(fd))
		check_equal(read(fd, &value, sizeof(value)), sizeof(value));
	return value;
}

void await_counter(int fd, uint64_t expected)
{
	uint64_t value = 0;

	eventually((value += take_counter(fd)) >= expected);
	check_equal(value, expected);
}

int try_read(struct aiocb *cb, int eventfd, int fd, void *buf, size_t nbytes)
{
	aiocb_init(cb, fd, buf, nbytes, 0);
	notify_by_eventfd(&cb->aio_sigevent, eventfd);
	return aio_read(cb);
}

void read_to(struct aiocb *cb, int eventfd, int fd, void *buf, size_t nbytes)
{
	check_equal(try_read(cb, eventfd, fd, buf, nbytes), 0);
}

void check_announced(const struct aiocb *cb, int eventfd, ssize_t res)
{
	await_counter(eventfd, 1);
	check_equal(aio_error(cb), res < 0 ? -res : 0);
	check_equal(collect_this(cb), res);
	check_nothing_left();
	check_equal(take_counter(eventfd), 0);
}
