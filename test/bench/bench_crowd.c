// SPDX-License-Identifier: MIT
/*
 * bench_crowd.c - more processes than processors, each with its own AIO
 *
 * bench_crowd posix|psync SECONDS FILE direct|cached|pipe
 *
 * Like the ranks of an MPI program on a full node: eight processes for each
 * processor, each with one request at a time.  direct, cached: random reads of 4 KiB.
 * pipe: pairs of processes send a byte to and fro; a request is one way.
 */
#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PER_CPU    8
#define BYTE_GO    'g'
#define BYTE_STOP  's'
#define WATCHDOG_S 60

static struct bench_file file;
static bool is_posix;
static uint64_t end_ns;

static uint64_t read_file(int rank)
{
	struct aiocb cb;
	void *buf = bench_buffer(BLOCK_BYTES);
	uint64_t seed = (uint64_t)rank + 1, nr = 0;

	do {
		bench_fill(&cb, &file, buf, &seed);
		if (is_posix ? aio_read(&cb) < 0
			     : pread(file.fd, buf, BLOCK_BYTES, cb.aio_offset) < 0)
			die("a read");
		if (is_posix)
			bench_wait(&cb, BLOCK_BYTES);
		nr++;
	} while (bench_elapsed_ns() < end_ns);
	return nr;
}

static void put_byte(int fd, char byte)
{
	struct aiocb cb = { .aio_fildes = fd, .aio_buf = &byte, .aio_nbytes = 1 };

	cb.aio_sigevent.sigev_notify = SIGEV_NONE;
	if (is_posix ? aio_write(&cb) < 0 : write(fd, &byte, 1) < 0)
		die("a write");
	if (is_posix)
		bench_wait(&cb, 1);
}

static char get_byte(int fd)
{
	char byte = 0;
	struct aiocb cb = { .aio_fildes = fd, .aio_buf = &byte, .aio_nbytes = 1 };

	cb.aio_sigevent.sigev_notify = SIGEV_NONE;
	if (is_posix ? aio_read(&cb) < 0 : read(fd, &byte, 1) < 0)
		die("a read");
	if (is_posix)
		bench_wait(&cb, 1);
	return byte;
}

static uint64_t begin_game(int in, int out)
{
	uint64_t nr = 0;

	do {
		put_byte(out, BYTE_GO);
		get_byte(in);
		nr += 2;
	} while (bench_elapsed_ns() < end_ns);
	put_byte(out, BYTE_STOP);
	return nr;
}

static uint64_t join_game(int in, int out)
{
	while (get_byte(in) == BYTE_GO)
		put_byte(out, BYTE_GO);
	return 0;
}

/* @pipes are there and back, of this pair of processes. */
static uint64_t run(int rank, int pipes[2][2])
{
	if (file.fd >= 0)
		return read_file(rank);
	return rank % 2 ? join_game(pipes[0][0], pipes[1][1])
			: begin_game(pipes[1][0], pipes[0][1]);
}

static void fork_rank(int rank, int pipes[2][2], uint64_t *nr)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid > 0)
		return;
	alarm(WATCHDOG_S); /* the parent's is not inherited */
	*nr = run(rank, pipes);
	exit(0);
}

/* How many requests all of them made. */
static uint64_t run_crowd(int nr_ranks, uint64_t *counts)
{
	int pipes[2][2] = { { -1, -1 }, { -1, -1 } }, status;
	uint64_t nr = 0;

	for (int i = 0; i < nr_ranks; i++) {
		if (file.fd < 0 && i % 2 == 0 && (pipe(pipes[0]) < 0 || pipe(pipes[1]) < 0))
			die("pipe");
		fork_rank(i, pipes, &counts[i]);
	}
	for (int i = 0; i < nr_ranks; i++)
		if (wait(&status) < 0 || status != 0)
			die("a process ended with status %d", status);
	for (int i = 0; i < nr_ranks; i++)
		nr += counts[i];
	return nr;
}

int main(int argc, char **argv)
{
	int nr_ranks = (int)sysconf(_SC_NPROCESSORS_ONLN) * PER_CPU;
	uint64_t *counts;

	if (argc != 5)
		die("usage: bench_crowd posix|psync SECONDS FILE direct|cached|pipe");
	is_posix = !strcmp(argv[1], "posix");
	end_ns = bench_duration(argv[2]);
	file.fd = -1;
	if (strcmp(argv[4], "pipe") != 0)
		bench_open(&file, argv[3], argv[4]);
	counts = mmap(NULL, (size_t)nr_ranks * sizeof(*counts), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (counts == MAP_FAILED)
		die("shared memory");
	bench_begin();
	bench_report_rate(run_crowd(nr_ranks, counts));
	return 0;
}
