// SPDX-License-Identifier: MIT
/*
 * bench_log.c - a log: records are appended and made durable
 *
 * bench_log posix|psync|io_uring SECONDS FILE BATCH
 *
 * A commit is BATCH buffered writes of 4 KiB, one behind the other, and a data
 * sync that covers them; the next one begins when it is durable.  posix hands
 * over the writes and an aio_fsync(O_DSYNC) at once, as it may; io_uring waits
 * for the writes before it submits the sync, as it must.  The log is a new
 * file beside FILE, which grows up to 64 MiB and begins again.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH_MAX 64
#define LOG_BYTES (64 << 20)

static int log_fd;
static int batch;
static char *buffer;
static off_t end;
static struct io_uring ring;

static void open_log(const char *beside)
{
	char *name;

	if (asprintf(&name, "%s.log", beside) < 0)
		die("memory for a name");
	log_fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (log_fd < 0)
		die("%s", name);
	unlink(name);
}

static off_t next_offset(void)
{
	off_t offset = end;

	end = (end + BLOCK_BYTES) % LOG_BYTES;
	return offset;
}

static void commit_posix(void)
{
	static struct aiocb cbs[BATCH_MAX], sync_cb;

	for (int i = 0; i < batch; i++) {
		memset(&cbs[i], 0, sizeof(cbs[i]));
		cbs[i].aio_fildes = log_fd;
		cbs[i].aio_buf = buffer;
		cbs[i].aio_nbytes = BLOCK_BYTES;
		cbs[i].aio_offset = next_offset();
		cbs[i].aio_sigevent.sigev_notify = SIGEV_NONE;
		if (aio_write(&cbs[i]) < 0)
			die("aio_write");
	}
	memset(&sync_cb, 0, sizeof(sync_cb));
	sync_cb.aio_fildes = log_fd;
	sync_cb.aio_sigevent.sigev_notify = SIGEV_NONE;
	if (aio_fsync(O_DSYNC, &sync_cb) < 0)
		die("aio_fsync");
	bench_wait(&sync_cb, 0);
	for (int i = 0; i < batch; i++)
		bench_wait(&cbs[i], BLOCK_BYTES);
}

static void commit_psync(void)
{
	for (int i = 0; i < batch; i++)
		if (pwrite(log_fd, buffer, BLOCK_BYTES, next_offset()) != BLOCK_BYTES)
			die("pwrite");
	if (fdatasync(log_fd) < 0)
		die("fdatasync");
}

static void wait_uring(unsigned nr, int expected)
{
	struct io_uring_cqe *cqe;
	unsigned head;
	int ret = io_uring_submit_and_wait(&ring, nr);

	errno = ret < 0 ? -ret : 0;
	if (ret != (int)nr)
		die("io_uring_submit_and_wait: %d", ret);
	io_uring_for_each_cqe(&ring, head, cqe)
	{
		errno = 0;
		if (cqe->res != expected)
			die("io_uring returned %d", cqe->res);
	}
	io_uring_cq_advance(&ring, nr);
}

static void commit_uring(void)
{
	for (int i = 0; i < batch; i++)
		io_uring_prep_write(io_uring_get_sqe(&ring), log_fd, buffer, BLOCK_BYTES,
				    (uint64_t)next_offset());
	wait_uring((unsigned)batch, BLOCK_BYTES);
	io_uring_prep_fsync(io_uring_get_sqe(&ring), log_fd, IORING_FSYNC_DATASYNC);
	wait_uring(1, 0);
}

int main(int argc, char **argv)
{
	void (*commit)(void) = commit_posix;
	uint64_t end_ns, nr = 0;

	if (argc != 5)
		die("usage: bench_log posix|psync|io_uring SECONDS FILE BATCH");
	end_ns = bench_duration(argv[2]);
	batch = atoi(argv[4]);
	if (batch < 1 || batch > BATCH_MAX)
		die("a batch is of 1 to %d", BATCH_MAX);
	open_log(argv[3]);
	buffer = bench_buffer(BLOCK_BYTES);
	if (!strcmp(argv[1], "psync"))
		commit = commit_psync;
	if (!strcmp(argv[1], "io_uring")) {
		commit = commit_uring;
		errno = -io_uring_queue_init(BATCH_MAX, &ring, 0);
		if (errno)
			die("io_uring_queue_init");
	}
	commit(); /* The first request starts what serves the others. */
	bench_begin();
	do {
		commit();
		nr++;
	} while (bench_elapsed_ns() < end_ns);
	bench_report_rate(nr);
	return 0;
}
