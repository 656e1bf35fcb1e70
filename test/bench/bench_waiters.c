// SPDX-License-Identifier: MIT
/*
 * bench_waiters.c - 64 threads, each waits for its own request
 *
 * bench_waiters posix|psync SECONDS FILE pipes|one|own
 *
 * pipes: the threads stand in a circle and hand on tokens, one byte each,
 * through pipes; each waits in aio_suspend for its read, 8 tokens are about.
 * one, own: each reads 4 KiB with O_DIRECT at random offsets, all through one
 * descriptor or each through its own.
 */
#include "bench.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define NR_THREADS 64
#define NR_TOKENS  8

static struct worker {
	_Alignas(64) uint64_t nr;
	pthread_t thread;
	int index;
	int pipe[2];
	struct bench_file file;
} workers[NR_THREADS];

static bool is_posix;
static atomic_bool is_over;

static void transfer(const struct bench_file *file, void *buf, size_t bytes, off_t offset)
{
	struct aiocb cb = {
		.aio_fildes = file->fd, .aio_buf = buf, .aio_nbytes = bytes, .aio_offset = offset
	};

	cb.aio_sigevent.sigev_notify = SIGEV_NONE;
	if (!is_posix) {
		if ((file->nr_blocks ? pread(file->fd, buf, bytes, offset)
				     : read(file->fd, buf, bytes)) != (ssize_t)bytes)
			die("read");
		return;
	}
	if (aio_read(&cb) < 0)
		die("aio_read");
	bench_wait(&cb, (ssize_t)bytes);
}

/* When it is over each token still visits every thread that waits, and ends it. */
static void *pass_tokens(void *arg)
{
	struct worker *worker = arg;
	struct worker *next = &workers[(worker->index + 1) % NR_THREADS];
	bool was_over;
	char token;

	do {
		transfer(&worker->file, &token, 1, 0);
		was_over = atomic_load(&is_over);
		worker->nr++;
		if (write(next->pipe[1], &token, 1) != 1)
			die("write");
	} while (!was_over);
	return NULL;
}

static void *read_file(void *arg)
{
	struct worker *worker = arg;
	void *buf = bench_buffer(BLOCK_BYTES);
	uint64_t seed = (uint64_t)worker->index + 1;

	while (!atomic_load(&is_over)) {
		transfer(&worker->file, buf, BLOCK_BYTES,
			 bench_random_offset(&worker->file, &seed));
		worker->nr++;
	}
	return NULL;
}

static void open_pipe(struct worker *worker)
{
	if (pipe(worker->pipe) < 0)
		die("pipe");
	worker->file.fd = worker->pipe[0];
}

static void sleep_until(uint64_t end_ns)
{
	while (bench_elapsed_ns() < end_ns)
		usleep((useconds_t)((end_ns - bench_elapsed_ns()) / 1000 + 1));
}

static uint64_t run(void *(*body)(void *), uint64_t end_ns)
{
	uint64_t nr = 0;

	bench_begin();
	for (int i = 0; i < NR_THREADS; i++) {
		errno = pthread_create(&workers[i].thread, NULL, body, &workers[i]);
		if (errno)
			die("pthread_create");
	}
	for (int i = 0; body == pass_tokens && i < NR_TOKENS; i++)
		if (write(workers[i * NR_THREADS / NR_TOKENS].pipe[1], "t", 1) != 1)
			die("write");
	sleep_until(end_ns);
	atomic_store(&is_over, true);
	for (int i = 0; i < NR_THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		nr += workers[i].nr;
	}
	return nr;
}

int main(int argc, char **argv)
{
	/* glibc blocks a thread of its pool in each read, and makes 20 unless told. */
	struct aioinit init = { .aio_threads = NR_THREADS + 8, .aio_num = NR_THREADS };
	bool is_pipes;
	uint64_t end_ns;

	if (argc != 5)
		die("usage: bench_waiters posix|psync SECONDS FILE pipes|one|own");
	is_posix = !strcmp(argv[1], "posix");
	is_pipes = !strcmp(argv[4], "pipes");
	end_ns = bench_duration(argv[2]);
	if (is_pipes && is_posix)
		aio_init(&init);
	for (int i = 0; i < NR_THREADS; i++) {
		workers[i].index = i;
		if (is_pipes)
			open_pipe(&workers[i]);
		else if (i == 0 || !strcmp(argv[4], "own"))
			bench_open(&workers[i].file, argv[3], "direct");
		else
			workers[i].file = workers[0].file;
	}
	bench_report_rate(run(is_pipes ? pass_tokens : read_file, end_ns));
	return 0;
}
