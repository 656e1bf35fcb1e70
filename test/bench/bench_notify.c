// SPDX-License-Identifier: MIT
/*
 * bench_notify.c - 32 reads in flight, each tells its end by SIGEV_SIGNAL or SIGEV_THREAD
 *
 * bench_notify posix SECONDS FILE signal|thread cached|direct
 *
 * 4 KiB at random offsets.  With signals one thread takes them with
 * sigtimedwait and submits the next read; with threads the callback does.
 */
#include "bench.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#define DEPTH 32

static struct slot {
	struct aiocb cb;
	char *buf;
	uint64_t seed;
	uint64_t nr;
} slots[DEPTH];

static struct bench_file file;
static struct sigevent event;
static uint64_t end_ns;
static sem_t ended;

static void submit(struct slot *slot)
{
	bench_fill(&slot->cb, &file, slot->buf, &slot->seed);
	slot->cb.aio_sigevent = event;
	slot->cb.aio_sigevent.sigev_value.sival_ptr = slot;
	if (aio_read(&slot->cb) < 0)
		die("aio_read");
}

/* The next read, until the time is over.  False: that was the last one of this slot. */
static bool take_and_submit(struct slot *slot)
{
	errno = aio_error(&slot->cb);
	if (aio_return(&slot->cb) != BLOCK_BYTES)
		die("a read failed");
	slot->nr++;
	if (bench_elapsed_ns() >= end_ns)
		return false;
	submit(slot);
	return true;
}

static void run_signal(void)
{
	struct timespec patience = { .tv_sec = 10 };
	int nr_left = DEPTH;
	siginfo_t info;
	sigset_t set;

	event.sigev_notify = SIGEV_SIGNAL;
	event.sigev_signo = SIGRTMIN;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	bench_begin();
	for (int i = 0; i < DEPTH; i++)
		submit(&slots[i]);
	while (nr_left > 0) {
		if (sigtimedwait(&set, &info, &patience) < 0) {
			if (errno != EINTR)
				die("no signal came");
			continue;
		}
		nr_left -= !take_and_submit(info.si_value.sival_ptr);
	}
}

static void on_end(union sigval value)
{
	if (!take_and_submit(value.sival_ptr))
		sem_post(&ended);
}

static void run_thread(void)
{
	event.sigev_notify = SIGEV_THREAD;
	event.sigev_notify_function = on_end;
	bench_begin();
	for (int i = 0; i < DEPTH; i++)
		submit(&slots[i]);
	for (int i = 0; i < DEPTH; i++)
		while (sem_wait(&ended) < 0)
			continue;
}

int main(int argc, char **argv)
{
	uint64_t nr = 0;

	if (argc != 6)
		die("usage: bench_notify posix SECONDS FILE signal|thread cached|direct");
	end_ns = bench_duration(argv[2]);
	bench_open(&file, argv[3], argv[5]);
	sem_init(&ended, 0, 0);
	for (int i = 0; i < DEPTH; i++) {
		slots[i].buf = bench_buffer(BLOCK_BYTES);
		slots[i].seed = (uint64_t)i + 1;
	}
	if (!strcmp(argv[4], "signal"))
		run_signal();
	else
		run_thread();
	for (int i = 0; i < DEPTH; i++)
		nr += slots[i].nr;
	bench_report_rate(nr);
	return 0;
}
