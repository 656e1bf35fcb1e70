// SPDX-License-Identifier: MIT
/*
 * bench_queued.c - what a request costs when many are queued on one pipe
 *
 * bench_queued posix SECONDS - NR
 *
 * NR reads of one byte are queued on an empty pipe, then NR bytes are written
 * and all reads complete.  The cost is the time of both over NR; small numbers
 * are repeated, so that all of them are measured for a while.  An
 * implementation whose queue grows dear stops to queue after SECONDS: the cost
 * is then that of fewer requests, which flatters it.
 */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LOOK_EVERY 256
#define NR_MIN     100000

static size_t queue_reads(struct aiocb *cbs, char *bytes, size_t nr, int fd, uint64_t end_ns)
{
	for (size_t i = 0; i < nr; i++) {
		cbs[i].aio_fildes = fd;
		cbs[i].aio_buf = &bytes[i];
		cbs[i].aio_nbytes = 1;
		cbs[i].aio_sigevent.sigev_notify = SIGEV_NONE;
		if (aio_read(&cbs[i]) < 0)
			die("aio_read number %zu", i);
		if (i % LOOK_EVERY == 0 && bench_elapsed_ns() > end_ns)
			return i + 1;
	}
	return nr;
}

static void feed(int fd, const char *bytes, size_t nr)
{
	while (nr > 0) {
		ssize_t ret = write(fd, bytes, nr);

		if (ret < 0)
			die("write");
		bytes += ret;
		nr -= (size_t)ret;
	}
}

int main(int argc, char **argv)
{
	size_t nr, queued;
	struct aiocb *cbs;
	uint64_t end_ns, total = 0;
	char *bytes;
	int fds[2];

	if (argc != 5)
		die("usage: bench_queued posix SECONDS - NR");
	end_ns = bench_duration(argv[2]);
	nr = strtoul(argv[4], NULL, 10);
	cbs = calloc(nr, sizeof(*cbs));
	bytes = calloc(nr, 1);
	if (nr == 0 || !cbs || !bytes || pipe(fds) < 0)
		die("cannot prepare %zu requests", nr);
	/* The first request starts what serves the others. */
	queue_reads(cbs, bytes, 1, fds[0], end_ns);
	feed(fds[1], bytes, 1);
	bench_wait(&cbs[0], 1);
	bench_begin();
	do {
		queued = queue_reads(cbs, bytes, nr, fds[0], end_ns);
		feed(fds[1], bytes, queued);
		/* A pipe is served in order, so the last one waits for all. */
		bench_wait(&cbs[queued - 1], 1);
		total += queued;
	} while (queued == nr && total < NR_MIN && bench_elapsed_ns() < end_ns);
	bench_report_cost(total);
	if (queued < nr)
		fprintf(stderr, "queued %zu of %zu in %s s\n", queued, nr, argv[2]);
	return 0;
}
