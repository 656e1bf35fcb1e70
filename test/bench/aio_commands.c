// SPDX-License-Identifier: MIT
/*
 * aio_commands.c - would Linux AIO's other commands beat a worker thread?
 *
 * IOCB_CMD_FDSYNC against fdatasync in a thread that is woken for it, and
 * IOCB_CMD_POLL, followed by the read it waits for, against a thread that
 * blocks in that read.  Run by hand:
 *
 *	cc -O2 -o /tmp/aio_commands test/bench/aio_commands.c -laio -lpthread
 *	/tmp/aio_commands FILE
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <libaio.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 500

static int file, ends[2];
static io_context_t context;
static sem_t wanted, done;
static void (*job)(void);

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void *work(void *unused)
{
	for (;;) {
		sem_wait(&wanted);
		job();
		sem_post(&done);
	}
	return unused;
}

static void sync_file(void)
{
	if (fdatasync(file) < 0)
		die("fdatasync");
}

static void read_byte(void)
{
	char byte;

	if (read(ends[0], &byte, 1) != 1)
		die("read");
}

static void write_byte(void)
{
	if (write(ends[1], "", 1) != 1)
		die("write");
}

static void submit(struct iocb *iocb)
{
	if (io_submit(context, 1, &iocb) != 1)
		die("io_submit");
}

static void await_event(void)
{
	struct io_event event;

	if (io_getevents(context, 1, 1, &event, NULL) != 1 || (long)event.res < 0)
		die("io_getevents");
}

static void sync_by_aio(void)
{
	struct iocb iocb;

	io_prep_fdsync(&iocb, file);
	submit(&iocb);
	await_event();
}

static void sync_by_worker(void)
{
	job = sync_file;
	sem_post(&wanted);
	sem_wait(&done);
}

static void read_by_aio(void)
{
	struct iocb iocb;

	io_prep_poll(&iocb, ends[0], POLLIN);
	submit(&iocb);
	write_byte();
	await_event();
	read_byte();
}

static void read_by_worker(void)
{
	job = read_byte;
	sem_post(&wanted);
	write_byte();
	sem_wait(&done);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} methods[] = {
		{ "fdatasync", sync_file },
		{ "IOCB_CMD_FDSYNC", sync_by_aio },
		{ "worker, fdatasync", sync_by_worker },
		{ "IOCB_CMD_POLL, read", read_by_aio },
		{ "worker, read", read_by_worker },
	};
	enum { NR = sizeof(methods) / sizeof(methods[0]) };
	static double taken[NR][ROUNDS];
	static const char block[4096];
	pthread_t thread;

	if (argc != 2 || (file = open(argv[1], O_RDWR | O_CREAT | O_CLOEXEC, 0600)) < 0)
		die("usage: aio_commands FILE");
	if (pipe(ends) < 0 || io_setup(1, &context) < 0)
		die("io_setup");
	sem_init(&wanted, 0, 0);
	sem_init(&done, 0, 0);
	pthread_create(&thread, NULL, work, NULL);
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < NR; i++) {
			double began;

			if (pwrite(file, block, sizeof(block), round % 64 * 4096) < 0)
				die("pwrite");
			began = now_us();
			methods[i].run();
			taken[i][round] = now_us() - began;
		}
	}
	for (int i = 0; i < NR; i++) {
		qsort(taken[i], ROUNDS, sizeof(double), compare);
		printf("%-20s %8.1f us\n", methods[i].name, taken[i][ROUNDS / 2]);
	}
	return 0;
}
