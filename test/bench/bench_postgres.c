// SPDX-License-Identifier: MIT
/*
 * bench_postgres.c - processes that read or write ahead as PostgreSQL does
 *
 * bench_postgres posix|io_uring SECONDS FILE cached|direct read|write PROCESSES
 *
 * As its io_method=posix_aio: each process keeps up to DEPTH blocks of 8 KiB
 * in flight, begins them in batches with lio_listio(LIO_NOWAIT) and without
 * notification, and needs them one after the other.  While the next one is
 * not there it sleeps in aio_suspend on all that are in flight, and takes
 * whichever have completed.
 *
 * io_uring does the same with a ring in each process.
 */
#include "bench.h"

#include <errno.h>
#include <liburing.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE_BYTES    8192
#define BATCH         16
#define DEPTH         64
#define PROCESSES_MAX 16
#define SAMPLES_MAX   (1u << 18)

/* What the parent collects of a process. */
struct result {
	uint64_t nr;
	uint64_t ended_ns;
	uint64_t ns[SAMPLES_MAX]; /* from the call that began a block to its use */
};

/* Block n of the stream is slot n % DEPTH. */
struct slot {
	struct aiocb cb;
	uint64_t began_ns;
	bool is_done;
};

static struct bench_file file;
static struct slot slots[DEPTH];
static struct io_uring ring;
static char *pages;
static uint64_t seed;
static bool is_write;

static void check(ssize_t ret)
{
	if (ret == PAGE_BYTES)
		return;
	errno = ret < 0 ? (int)-ret : 0;
	die("a block returned %zd", ret);
}

/* Prepares the block that is to be the next of the stream in slot @i. */
static struct aiocb *next_block(unsigned i, uint64_t began_ns)
{
	struct aiocb *cb = &slots[i].cb;

	slots[i].is_done = false;
	slots[i].began_ns = began_ns;
	bench_fill(cb, &file, pages + (size_t)i * PAGE_BYTES, &seed);
	cb->aio_nbytes = PAGE_BYTES;
	cb->aio_offset -= cb->aio_offset % PAGE_BYTES;
	cb->aio_lio_opcode = is_write ? LIO_WRITE : LIO_READ;
	return cb;
}

static void posix_begin(uint64_t first)
{
	struct aiocb *list[BATCH];
	uint64_t ns = now_ns();

	for (unsigned i = 0; i < BATCH; i++)
		list[i] = next_block((first + i) % DEPTH, ns);
	if (lio_listio(LIO_NOWAIT, list, BATCH, NULL) < 0)
		die("lio_listio");
}

/* Take what has completed; sleep first if that is nothing. */
static void posix_reap(void)
{
	const struct aiocb *list[DEPTH];
	int nr = 0;

	for (unsigned i = 0; i < DEPTH; i++)
		if (!slots[i].is_done)
			list[nr++] = &slots[i].cb;
	if (aio_suspend(list, nr, NULL) < 0 && errno != EINTR)
		die("aio_suspend");
	for (unsigned i = 0; i < DEPTH; i++) {
		int err = slots[i].is_done ? EINPROGRESS : aio_error(&slots[i].cb);

		if (err == EINPROGRESS)
			continue;
		check(err ? -err : aio_return(&slots[i].cb));
		slots[i].is_done = true;
	}
}

static void uring_begin(uint64_t first)
{
	uint64_t ns = now_ns();
	int ret;

	for (unsigned i = 0; i < BATCH; i++) {
		unsigned slot = (first + i) % DEPTH;
		struct aiocb *cb = next_block(slot, ns);
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

		if (is_write)
			io_uring_prep_write(sqe, file.fd, (const void *)cb->aio_buf, PAGE_BYTES,
					    (uint64_t)cb->aio_offset);
		else
			io_uring_prep_read(sqe, file.fd, (void *)cb->aio_buf, PAGE_BYTES,
					   (uint64_t)cb->aio_offset);
		io_uring_sqe_set_data64(sqe, slot);
	}
	ret = io_uring_submit(&ring);
	errno = ret < 0 ? -ret : 0;
	if (ret != BATCH)
		die("io_uring_submit: %d", ret);
}

static void uring_reap(void)
{
	struct io_uring_cqe *cqe;
	unsigned head, nr = 0;
	int ret = io_uring_wait_cqe(&ring, &cqe);

	errno = -ret;
	if (ret < 0 && ret != -EINTR)
		die("io_uring_wait_cqe");
	io_uring_for_each_cqe(&ring, head, cqe)
	{
		check(cqe->res);
		slots[io_uring_cqe_get_data64(cqe)].is_done = true;
		nr++;
	}
	io_uring_cq_advance(&ring, nr);
}

static const struct method {
	const char *name;
	void (*begin)(uint64_t first);
	void (*reap)(void);
} methods[] = {
	{ "posix", posix_begin, posix_reap },
	{ "io_uring", uring_begin, uring_reap },
};

/* A process: a stream of blocks until the time is over, and then what is in flight. */
static void run(const struct method *method, uint64_t end_ns, struct result *result)
{
	uint64_t begun = 0, used = 0;

	while (used < begun || bench_elapsed_ns() < end_ns) {
		struct slot *slot = &slots[used % DEPTH];

		while (begun - used <= DEPTH - BATCH && bench_elapsed_ns() < end_ns) {
			method->begin(begun);
			begun += BATCH;
		}
		if (used == begun)
			break;
		while (!slot->is_done)
			method->reap();
		if (used < SAMPLES_MAX)
			result->ns[used] = now_ns() - slot->began_ns;
		used++;
	}
	result->nr = used;
	result->ended_ns = bench_elapsed_ns();
}

static const struct method *find_method(const char *name)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (!strcmp(methods[i].name, name))
			return &methods[i];
	errno = 0;
	die("no method %s", name);
}

/* Each process has what it would have if it had been started for itself. */
__attribute__((noreturn)) static void process(const struct method *method, const char *path,
					      const char *mode, uint64_t end_ns,
					      struct result *result)
{
	int ret;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	bench_open(&file, path, mode);
	pages = bench_buffer((size_t)DEPTH * PAGE_BYTES);
	seed = (uint64_t)getpid();
	for (unsigned i = 0; i < DEPTH; i++)
		slots[i].is_done = true;
	if (method->begin == uring_begin) {
		ret = io_uring_queue_init(DEPTH, &ring, 0);
		errno = -ret;
		if (ret < 0)
			die("io_uring_queue_init");
	}
	run(method, end_ns, result);
	_exit(0);
}

/* The clock stops at the last block of all: how long a process takes to exit is not measured. */
static void report(struct result *results, int nr_processes)
{
	static uint64_t ns[PROCESSES_MAX * SAMPLES_MAX];
	uint64_t nr = 0, ended_ns = 0;
	size_t nr_ns = 0;

	for (int i = 0; i < nr_processes; i++) {
		size_t n = results[i].nr < SAMPLES_MAX ? results[i].nr : SAMPLES_MAX;

		memcpy(ns + nr_ns, results[i].ns, n * sizeof(*ns));
		nr_ns += n;
		nr += results[i].nr;
		if (results[i].ended_ns > ended_ns)
			ended_ns = results[i].ended_ns;
	}
	bench_end_at(ended_ns);
	bench_report_latency(nr, ns, nr_ns);
}

int main(int argc, char **argv)
{
	const struct method *method;
	struct result *results;
	uint64_t end_ns;
	int nr_processes, status;

	if (argc != 7)
		die("usage: bench_postgres posix|io_uring SECONDS FILE cached|direct read|write "
		    "PROCESSES");
	method = find_method(argv[1]);
	end_ns = bench_duration(argv[2]);
	is_write = !strcmp(argv[5], "write");
	nr_processes = atoi(argv[6]);
	errno = 0;
	if (nr_processes < 1 || nr_processes > PROCESSES_MAX)
		die("1 to %d processes", PROCESSES_MAX);
	results = mmap(NULL, (size_t)nr_processes * sizeof(*results), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (results == MAP_FAILED)
		die("memory for results");
	bench_begin();
	for (int i = 0; i < nr_processes; i++) {
		pid_t child = fork();

		if (child < 0)
			die("fork");
		if (child == 0)
			process(method, argv[3], argv[4], end_ns, &results[i]);
	}
	for (int i = 0; i < nr_processes; i++)
		if (wait(&status) < 0 || status != 0)
			die("a process failed: %d", status);
	report(results, nr_processes);
	return 0;
}
