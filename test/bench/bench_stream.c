// SPDX-License-Identifier: MIT
/*
 * bench_stream.c - one thread writes a stream as fast as another one reads it
 *
 * bench_stream posix|psync SECONDS - pipe|socketpair BYTES
 *
 * With posix each side has 4 requests of BYTES in flight and waits for the
 * oldest.  A request in the report is BYTES that arrived, in however many
 * pieces.
 */
#include "bench.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEPTH 4

struct side {
	int fd;
	bool is_write;
	struct aiocb cbs[DEPTH];
	char *bufs[DEPTH];
};

static bool is_posix;
static size_t bytes;
static uint64_t end_ns;

static void submit(struct side *side, int i)
{
	struct aiocb *cb = &side->cbs[i];

	memset(cb, 0, sizeof(*cb));
	cb->aio_fildes = side->fd;
	cb->aio_buf = side->bufs[i];
	cb->aio_nbytes = bytes;
	cb->aio_sigevent.sigev_notify = SIGEV_NONE;
	if ((side->is_write ? aio_write(cb) : aio_read(cb)) < 0)
		die("submitting");
}

static size_t finish(struct aiocb *cb)
{
	const struct aiocb *list[1] = { cb };
	ssize_t ret;

	while (aio_error(cb) == EINPROGRESS)
		if (aio_suspend(list, 1, NULL) < 0 && errno != EINTR)
			die("aio_suspend");
	errno = aio_error(cb);
	ret = aio_return(cb);
	if (ret < 0)
		die("a transfer failed");
	return (size_t)ret;
}

/* Until the time is over; the end of the stream tells the reader. */
static void *write_all(void *arg)
{
	struct side *side = arg;

	for (int i = 0; is_posix && i < DEPTH; i++)
		submit(side, i);
	for (int i = 0; bench_elapsed_ns() < end_ns; i = (i + 1) % DEPTH) {
		if (!is_posix) {
			if (write(side->fd, side->bufs[0], bytes) != (ssize_t)bytes)
				die("write");
			continue;
		}
		finish(&side->cbs[i]);
		submit(side, i);
	}
	for (int i = 0; is_posix && i < DEPTH; i++)
		finish(&side->cbs[i]);
	close(side->fd);
	return NULL;
}

static uint64_t read_all(struct side *side)
{
	uint64_t total = 0;
	size_t ret;

	if (!is_posix) {
		ssize_t nr;

		while ((nr = read(side->fd, side->bufs[0], bytes)) > 0)
			total += (uint64_t)nr;
		if (nr < 0)
			die("read");
		return total;
	}
	for (int i = 0; i < DEPTH; i++)
		submit(side, i);
	for (int i = 0;; i = (i + 1) % DEPTH) {
		ret = finish(&side->cbs[i]);
		if (ret == 0)
			break;
		total += ret;
		submit(side, i);
	}
	return total;
}

static void prepare(struct side *side, int fd, bool is_write)
{
	side->fd = fd;
	side->is_write = is_write;
	for (int i = 0; i < DEPTH; i++)
		side->bufs[i] = bench_buffer(bytes);
}

int main(int argc, char **argv)
{
	static struct side sides[2];
	pthread_t thread;
	int fds[2];

	if (argc != 6)
		die("usage: bench_stream posix|psync SECONDS - pipe|socketpair BYTES");
	is_posix = !strcmp(argv[1], "posix");
	end_ns = bench_duration(argv[2]);
	bytes = strtoul(argv[5], NULL, 10);
	if (bytes == 0 || bytes % BLOCK_BYTES)
		die("BYTES is a multiple of %d", BLOCK_BYTES);
	if ((!strcmp(argv[4], "pipe") ? pipe(fds) : socketpair(AF_UNIX, SOCK_STREAM, 0, fds)) < 0)
		die("%s", argv[4]);
	prepare(&sides[0], fds[0], false);
	prepare(&sides[1], fds[1], true);
	bench_begin();
	errno = pthread_create(&thread, NULL, write_all, &sides[1]);
	if (errno)
		die("pthread_create");
	bench_report_rate(read_all(&sides[0]) / bytes);
	pthread_join(thread, NULL);
	return 0;
}
