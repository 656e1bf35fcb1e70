// SPDX-License-Identifier: MIT
/*
 * bench_pingpong.c - one byte to and fro between two threads
 *
 * bench_pingpong posix|psync SECONDS - pipe|socketpair
 *
 * A request is one way: an aio_write, and an aio_read in the other thread,
 * both waited for with aio_suspend.
 */
#include "bench.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BYTE_GO   'g'
#define BYTE_STOP 's'

struct side {
	int in;
	int out;
};

static bool is_posix;

static void put_byte(const struct side *side, char byte)
{
	struct aiocb cb = { .aio_fildes = side->out, .aio_buf = &byte, .aio_nbytes = 1 };

	cb.aio_sigevent.sigev_notify = SIGEV_NONE;
	if (!is_posix) {
		if (write(side->out, &byte, 1) != 1)
			die("write");
		return;
	}
	if (aio_write(&cb) < 0)
		die("aio_write");
	bench_wait(&cb, 1);
}

static char get_byte(const struct side *side)
{
	char byte = 0;
	struct aiocb cb = { .aio_fildes = side->in, .aio_buf = &byte, .aio_nbytes = 1 };

	cb.aio_sigevent.sigev_notify = SIGEV_NONE;
	if (!is_posix) {
		if (read(side->in, &byte, 1) != 1)
			die("read");
		return byte;
	}
	if (aio_read(&cb) < 0)
		die("aio_read");
	bench_wait(&cb, 1);
	return byte;
}

static void *echo(void *arg)
{
	char byte;

	do {
		byte = get_byte(arg);
		put_byte(arg, byte);
	} while (byte != BYTE_STOP);
	return NULL;
}

static void make_sides(struct side sides[2], const char *kind)
{
	int there[2], back[2];

	if (!strcmp(kind, "pipe")) {
		if (pipe(there) < 0 || pipe(back) < 0)
			die("pipe");
		sides[0] = (struct side){ .in = back[0], .out = there[1] };
		sides[1] = (struct side){ .in = there[0], .out = back[1] };
		return;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, there) < 0)
		die("socketpair");
	for (int i = 0; i < 2; i++)
		sides[i] = (struct side){ .in = there[i], .out = there[i] };
}

int main(int argc, char **argv)
{
	struct side sides[2];
	uint64_t end_ns, nr = 0;
	pthread_t thread;

	if (argc != 5)
		die("usage: bench_pingpong posix|psync SECONDS - pipe|socketpair");
	is_posix = !strcmp(argv[1], "posix");
	end_ns = bench_duration(argv[2]);
	make_sides(sides, argv[4]);
	errno = pthread_create(&thread, NULL, echo, &sides[1]);
	if (errno)
		die("pthread_create");
	bench_begin();
	do {
		put_byte(&sides[0], BYTE_GO);
		get_byte(&sides[0]);
		nr += 2;
	} while (bench_elapsed_ns() < end_ns);
	bench_report_rate(nr);
	put_byte(&sides[0], BYTE_STOP);
	get_byte(&sides[0]);
	pthread_join(thread, NULL);
	return 0;
}
