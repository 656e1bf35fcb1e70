// SPDX-License-Identifier: MIT
/*
 * bench_waitcomplete.c - reads that are collected in the order in which they end
 *
 * bench_waitcomplete posix|io_uring SECONDS FILE DEPTH any|suspend
 *
 * 4 KiB at random offsets with O_DIRECT, DEPTH of them in flight.  Each that ends is replaced by
 * another, which is submitted by itself.
 *
 * any collects by aio_waitcomplete, suspend by aio_suspend with a list of all.  glibc lacks the
 * first: it takes the second in either case.  io_uring collects by io_uring_wait_cqe.
 */
#include "bench.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 1024

ssize_t aio_waitcomplete(struct aiocb **iocbp, const struct timespec *timeout)
	__attribute__((weak));

static struct bench_file file;
static struct aiocb cbs[DEPTH_MAX];
static const struct aiocb *list[DEPTH_MAX];
static char *buffers;
static uint64_t seed = 1;
static int depth;

static void check(ssize_t ret, int err)
{
	errno = err;
	if (ret != BLOCK_BYTES)
		die("a read returned %zd", ret);
}

static void submit(int i)
{
	bench_fill(&cbs[i], &file, buffers + (size_t)i * BLOCK_BYTES, &seed);
	if (aio_read(&cbs[i]) < 0)
		die("aio_read");
}

static uint64_t collect_any(void)
{
	struct aiocb *cb;
	ssize_t ret = aio_waitcomplete(&cb, NULL);

	check(ret, errno);
	submit((int)(cb - cbs));
	return 1;
}

static uint64_t collect_by_suspend(void)
{
	uint64_t nr = 0;

	if (aio_suspend(list, depth, NULL) < 0 && errno != EINTR)
		die("aio_suspend");
	for (int i = 0; i < depth; i++) {
		int err = aio_error(&cbs[i]);

		if (err == EINPROGRESS)
			continue;
		check(aio_return(&cbs[i]), err);
		submit(i);
		nr++;
	}
	return nr;
}

/* What is in flight at the end is the end of the process's. */
static uint64_t run_posix(uint64_t end_ns, bool any)
{
	static const struct timespec zero;
	struct aiocb *none;
	uint64_t nr = 0;

	any = any && aio_waitcomplete;
	if (any)
		aio_waitcomplete(&none, &zero);
	for (int i = 0; i < depth; i++) {
		list[i] = &cbs[i];
		submit(i);
	}
	do
		nr += any ? collect_any() : collect_by_suspend();
	while (bench_elapsed_ns() < end_ns);
	return nr;
}

static void prepare_sqe(struct io_uring *ring, int i)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	io_uring_prep_read(sqe, file.fd, buffers + (size_t)i * BLOCK_BYTES, BLOCK_BYTES,
			   (uint64_t)bench_random_offset(&file, &seed));
	io_uring_sqe_set_data64(sqe, (uint64_t)i);
	errno = 0;
	if (io_uring_submit(ring) != 1)
		die("io_uring_submit");
}

static uint64_t run_uring(uint64_t end_ns)
{
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	uint64_t nr = 0;
	int ret = io_uring_queue_init((unsigned)depth, &ring, 0), i;

	errno = -ret;
	if (ret < 0)
		die("io_uring_queue_init");
	for (i = 0; i < depth; i++)
		prepare_sqe(&ring, i);
	do {
		ret = io_uring_wait_cqe(&ring, &cqe);
		errno = -ret;
		if (ret < 0)
			die("io_uring_wait_cqe");
		check(cqe->res, cqe->res < 0 ? -cqe->res : 0);
		i = (int)io_uring_cqe_get_data64(cqe);
		io_uring_cqe_seen(&ring, cqe);
		prepare_sqe(&ring, i);
		nr++;
	} while (bench_elapsed_ns() < end_ns);
	return nr;
}

int main(int argc, char **argv)
{
	uint64_t end_ns, nr = 0;

	if (argc != 6)
		die("usage: bench_waitcomplete posix|io_uring SECONDS FILE DEPTH any|suspend");
	end_ns = bench_duration(argv[2]);
	bench_open(&file, argv[3], "direct");
	depth = atoi(argv[4]);
	errno = 0;
	if (depth < 1 || depth > DEPTH_MAX)
		die("a depth is of 1 to %d", DEPTH_MAX);
	buffers = bench_buffer((size_t)depth * BLOCK_BYTES);
	bench_begin();
	if (!strcmp(argv[1], "posix"))
		nr = run_posix(end_ns, !strcmp(argv[5], "any"));
	else if (!strcmp(argv[1], "io_uring"))
		nr = run_uring(end_ns);
	bench_report_rate(nr);
	return 0;
}
