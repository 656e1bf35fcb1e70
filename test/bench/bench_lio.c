// SPDX-License-Identifier: MIT
/*
 * bench_lio.c - batches of reads: lio_listio and its peers
 *
 * bench_lio posix|psync|io_uring|libaio SECONDS FILE cached|direct BATCH wait|nowait
 *
 * 4 KiB at random offsets.  With nowait each request is waited for by itself,
 * by aio_suspend.  io_uring and libaio submit the batch with one system call
 * and wait for all of it with another, or the same, in either case.
 */
#include "bench.h"

#include <errno.h>
#include <libaio.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH_MAX 64

static struct bench_file file;
static char *buffers;
static uint64_t seed = 1;
static int batch;
static int lio_mode;

static void run_posix(uint64_t end_ns, uint64_t *nr)
{
	static struct aiocb cbs[BATCH_MAX];
	struct aiocb *list[BATCH_MAX];

	do {
		for (int i = 0; i < batch; i++) {
			list[i] = &cbs[i];
			bench_fill(&cbs[i], &file, buffers + i * BLOCK_BYTES, &seed);
			cbs[i].aio_lio_opcode = LIO_READ;
		}
		if (lio_listio(lio_mode, list, batch, NULL) < 0)
			die("lio_listio");
		for (int i = 0; i < batch; i++)
			bench_wait(&cbs[i], BLOCK_BYTES);
		*nr += (uint64_t)batch;
	} while (bench_elapsed_ns() < end_ns);
}

static void run_psync(uint64_t end_ns, uint64_t *nr)
{
	do {
		for (int i = 0; i < batch; i++)
			if (pread(file.fd, buffers + i * BLOCK_BYTES, BLOCK_BYTES,
				  bench_random_offset(&file, &seed)) != BLOCK_BYTES)
				die("pread");
		*nr += (uint64_t)batch;
	} while (bench_elapsed_ns() < end_ns);
}

static void reap_uring_batch(struct io_uring *ring)
{
	struct io_uring_cqe *cqe;
	unsigned head, nr = 0;

	io_uring_for_each_cqe(ring, head, cqe)
	{
		errno = 0;
		if (cqe->res != BLOCK_BYTES)
			die("io_uring read returned %d", cqe->res);
		nr++;
	}
	io_uring_cq_advance(ring, nr);
}

static void run_uring(uint64_t end_ns, uint64_t *nr)
{
	struct io_uring ring;
	int ret = io_uring_queue_init((unsigned)batch, &ring, 0);

	errno = -ret;
	if (ret < 0)
		die("io_uring_queue_init");
	do {
		for (int i = 0; i < batch; i++)
			io_uring_prep_read(io_uring_get_sqe(&ring), file.fd,
					   buffers + i * BLOCK_BYTES, BLOCK_BYTES,
					   (uint64_t)bench_random_offset(&file, &seed));
		ret = io_uring_submit_and_wait(&ring, (unsigned)batch);
		errno = ret < 0 ? -ret : 0;
		if (ret != batch)
			die("io_uring_submit_and_wait: %d", ret);
		reap_uring_batch(&ring);
		*nr += (uint64_t)batch;
	} while (bench_elapsed_ns() < end_ns);
}

static void run_libaio(uint64_t end_ns, uint64_t *nr)
{
	static struct iocb iocbs[BATCH_MAX];
	static struct io_event events[BATCH_MAX];
	struct iocb *list[BATCH_MAX];
	io_context_t context = NULL;
	int ret = io_setup(batch, &context);

	errno = -ret;
	if (ret < 0)
		die("io_setup");
	do {
		for (int i = 0; i < batch; i++) {
			list[i] = &iocbs[i];
			io_prep_pread(&iocbs[i], file.fd, buffers + i * BLOCK_BYTES, BLOCK_BYTES,
				      bench_random_offset(&file, &seed));
		}
		errno = 0;
		if (io_submit(context, batch, list) != batch ||
		    io_getevents(context, batch, batch, events, NULL) != batch)
			die("a batch was not served whole");
		for (int i = 0; i < batch; i++)
			if (events[i].res != BLOCK_BYTES)
				die("libaio read returned %ld", (long)events[i].res);
		*nr += (uint64_t)batch;
	} while (bench_elapsed_ns() < end_ns);
}

int main(int argc, char **argv)
{
	uint64_t end_ns, nr = 0;

	if (argc != 7)
		die("usage: bench_lio posix|psync|io_uring|libaio SECONDS FILE cached|direct "
		    "BATCH wait|nowait");
	end_ns = bench_duration(argv[2]);
	bench_open(&file, argv[3], argv[4]);
	batch = atoi(argv[5]);
	lio_mode = strcmp(argv[6], "wait") ? LIO_NOWAIT : LIO_WAIT;
	errno = 0;
	if (batch < 1 || batch > BATCH_MAX)
		die("a batch is of 1 to %d", BATCH_MAX);
	buffers = bench_buffer((size_t)batch * BLOCK_BYTES);
	bench_begin();
	if (!strcmp(argv[1], "posix"))
		run_posix(end_ns, &nr);
	else if (!strcmp(argv[1], "psync"))
		run_psync(end_ns, &nr);
	else if (!strcmp(argv[1], "io_uring"))
		run_uring(end_ns, &nr);
	else if (!strcmp(argv[1], "libaio"))
		run_libaio(end_ns, &nr);
	bench_report_rate(nr);
	return 0;
}
