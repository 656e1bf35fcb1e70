// SPDX-License-Identifier: MIT
/*
 * bench.c - what the measuring programs share
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A program that has not ended so long after its time hangs. */
#define WATCHDOG_S 30

static uint64_t began_ns;
static uint64_t began_cpu_ns;
static uint64_t ended_ns; /* 0: the work ends with its report */

void die(const char *format, ...)
{
	int err = errno;
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, err ? ": %s\n" : "\n", strerror(err));
	exit(1);
}

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t bench_duration(const char *seconds)
{
	double value = atof(seconds);

	errno = 0;
	if (value <= 0 || value > 3600)
		die("not a number of seconds: %s", seconds);
	alarm((unsigned)value + WATCHDOG_S);
	return (uint64_t)(value * 1e9);
}

void bench_open(struct bench_file *file, const char *path, const char *mode)
{
	struct stat st;

	file->fd = open(path, O_RDWR | O_CLOEXEC | (strcmp(mode, "direct") ? 0 : O_DIRECT));
	if (file->fd < 0 || fstat(file->fd, &st) < 0)
		die("%s", path);
	file->nr_blocks = st.st_size / BLOCK_BYTES;
	errno = 0;
	if (file->nr_blocks == 0)
		die("%s is too short", path);
}

void *bench_buffer(size_t bytes)
{
	uint64_t seed = 88172645463325252u;
	uint64_t *words;

	errno = posix_memalign((void **)&words, BLOCK_BYTES, bytes);
	if (errno)
		die("memory for buffers");
	for (size_t i = 0; i < bytes / sizeof(*words); i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		words[i] = seed;
	}
	return words;
}

off_t bench_random_offset(const struct bench_file *file, uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (off_t)(*seed % (uint64_t)file->nr_blocks) * BLOCK_BYTES;
}

void bench_fill(struct aiocb *cb, const struct bench_file *file, void *buf, uint64_t *seed)
{
	memset(cb, 0, sizeof(*cb));
	cb->aio_fildes = file->fd;
	cb->aio_buf = buf;
	cb->aio_nbytes = BLOCK_BYTES;
	cb->aio_offset = bench_random_offset(file, seed);
	cb->aio_sigevent.sigev_notify = SIGEV_NONE;
}

void bench_wait(struct aiocb *cb, ssize_t bytes)
{
	const struct aiocb *list[1] = { cb };
	ssize_t ret;

	while (aio_error(cb) == EINPROGRESS)
		if (aio_suspend(list, 1, NULL) < 0 && errno != EINTR)
			die("aio_suspend");
	errno = aio_error(cb);
	ret = aio_return(cb);
	if (ret != bytes)
		die("a request returned %zd, not %zd", ret, bytes);
}

static uint64_t cpu_ns_of(int who)
{
	struct rusage usage;

	getrusage(who, &usage);
	return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000u +
	       (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000u;
}

/* All threads of the process, those of the kernel that work for it included, and children. */
static uint64_t cpu_ns(void)
{
	return cpu_ns_of(RUSAGE_SELF) + cpu_ns_of(RUSAGE_CHILDREN);
}

void bench_begin(void)
{
	began_cpu_ns = cpu_ns();
	began_ns = now_ns();
}

uint64_t bench_elapsed_ns(void)
{
	return now_ns() - began_ns;
}

static double cpu_us_per_request(uint64_t nr)
{
	return (double)(cpu_ns() - began_cpu_ns) / 1e3 / (double)nr;
}

static void check_count(uint64_t nr)
{
	errno = 0;
	if (nr == 0)
		die("no request was completed");
}

void bench_end_at(uint64_t elapsed_ns)
{
	ended_ns = elapsed_ns;
}

static void report_rate(uint64_t nr)
{
	uint64_t ns = ended_ns ? ended_ns : bench_elapsed_ns();

	check_count(nr);
	printf("- %.1f rate %.3f %llu", (double)nr * 1e9 / (double)ns, cpu_us_per_request(nr),
	       (unsigned long long)nr);
}

void bench_report_rate(uint64_t nr)
{
	report_rate(nr);
	printf("\n");
}

void bench_report_cost(uint64_t nr)
{
	uint64_t ns = bench_elapsed_ns();

	check_count(nr);
	printf("- %.1f ns %.3f %llu\n", (double)ns / (double)nr, cpu_us_per_request(nr),
	       (unsigned long long)nr);
}

static int compare_ns(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static unsigned long long percentile(const uint64_t *ns, size_t nr, double part)
{
	return ns[(size_t)((double)(nr - 1) * part)];
}

void bench_report_latency(uint64_t nr, uint64_t *ns, size_t nr_ns)
{
	report_rate(nr);
	qsort(ns, nr_ns, sizeof(*ns), compare_ns);
	printf(" %llu %llu\n", percentile(ns, nr_ns, 0.5), percentile(ns, nr_ns, 0.99));
}

void bench_report_percentiles(uint64_t *ns, size_t nr)
{
	static const struct {
		const char *name;
		double part;
	} points[] = { { "p50", 0.5 }, { "p99", 0.99 }, { "p99.9", 0.999 } };

	check_count(nr);
	qsort(ns, nr, sizeof(*ns), compare_ns);
	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++)
		printf("%s %llu ns - %zu\n", points[i].name, percentile(ns, nr, points[i].part),
		       nr);
}
