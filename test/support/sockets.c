// SPDX-License-Identifier: MIT
/*
 * sockets.c - connected sockets, and their options
 *
 * The contracts are in sockets.h.
 */
#include "sockets.h"
#include "support.h"

#define LONG_MS 600000

void set_option(int fd, int level, int option, int value)
{
	check_equal(setsockopt(fd, level, option, &value, sizeof(value)), 0);
}

void set_timeout(int fd, int option, unsigned int ms)
{
	struct timeval timeout = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	check_equal(setsockopt(fd, SOL_SOCKET, option, &timeout, sizeof(timeout)), 0);
}

int open_bound(int type, struct sockaddr_in *address)
{
	socklen_t size = sizeof(*address);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	*address = (struct sockaddr_in){ .sin_family = AF_INET,
					 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	check_equal(bind(fd, (struct sockaddr *)address, size), 0);
	check_equal(getsockname(fd, (struct sockaddr *)address, &size), 0);
	return fd;
}

void open_unix(int fds[2])
{
	open_socketpair(fds, SOCK_STREAM);
}

/* The kernel chooses the buffers if @size is 0. */
static void connect_tcp(int fds[2], int size)
{
	struct sockaddr_in address;
	int listener = open_bound(SOCK_STREAM, &address);

	fds[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (size) {
		set_option(listener, SOL_SOCKET, SO_RCVBUF, size);
		set_option(fds[1], SOL_SOCKET, SO_SNDBUF, size);
	}
	check_equal(listen(listener, 1), 0);
	check_equal(connect(fds[1], (struct sockaddr *)&address, sizeof(address)), 0);
	fds[0] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	check(fds[0] >= 0);
	close(listener);
}

void open_tcp(int fds[2])
{
	connect_tcp(fds, 0);
}

void open_small_tcp(int fds[2], int size)
{
	connect_tcp(fds, size);
}

void open_timed_socket(int fds[2])
{
	open_unix(fds);
	set_timeout(fds[0], SO_RCVTIMEO, LONG_MS);
}
