/* SPDX-License-Identifier: MIT */
/*
 * sockets.h - connected sockets, and their options
 */
#ifndef RTAIO_TEST_SOCKETS_H
#define RTAIO_TEST_SOCKETS_H

#include <netinet/in.h>
#include <sys/socket.h>

void set_option(int fd, int level, int option, int value);

/* SO_RCVTIMEO or SO_SNDTIMEO. */
void set_timeout(int fd, int option, unsigned int ms);

/* Bound to a port of its own on the loopback interface. */
int open_bound(int type, struct sockaddr_in *address);

/* Streams: [0] is the end to read, or the peer's, as of open_pipe(). */
void open_unix(int fds[2]);
void open_tcp(int fds[2]);

/* With buffers of @size bytes on the way from [1] to [0]. */
void open_small_tcp(int fds[2], int size);

/*
 * A read of [0] gives up long after the test.  No library can leave such a read
 * to the kernel: it blocks in a thread of its own.
 */
void open_timed_socket(int fds[2]);

#endif
