/* SPDX-License-Identifier: MIT */
/*
 * bench.h - what the measuring programs share
 *
 * Each of them measures one thing that fio cannot, for one implementation.  Its
 * arguments are METHOD SECONDS FILE and words of its own; FILE is "-" where none
 * is needed.  It prints lines of
 *
 *	SUFFIX VALUE UNIT CPU NR [P50 P99]
 *
 * for scripts/bench: SUFFIX is "-" or extends the name of the workload, UNIT
 * is "rate" (requests in a second, more is better) or "ns" (less is better),
 * CPU is the processor time of the whole process in us for each request, "-"
 * where it was not measured, NR is how many requests there were, P50 and P99
 * are the percentiles of how long one took, in ns.
 *
 * The programs know only <aio.h>: glibc serves them, or the library that is
 * preloaded.  What the kernel could do is written out as well, as other methods:
 * psync, io_uring, libaio.
 *
 * Nothing waits for ever: a watchdog ends the program with SIGALRM.
 */
#ifndef RTAIO_BENCH_H
#define RTAIO_BENCH_H

#include <aio.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define BLOCK_BYTES 4096

struct bench_file {
	int fd;
	off_t nr_blocks;
};

/* Print the message, and errno unless it is 0; exit status 1. */
__attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...);

uint64_t now_ns(void);

/* Seconds as text such as "0.5" to ns; starts the watchdog, too. */
uint64_t bench_duration(const char *seconds);

/* @mode is cached or direct; dies if the file is shorter than a block. */
void bench_open(struct bench_file *file, const char *path, const char *mode);

/* Memory fit for O_DIRECT, filled with noise. */
void *bench_buffer(size_t bytes);

/* Offset of some block of the file; each thread brings a seed of its own, not 0. */
off_t bench_random_offset(const struct bench_file *file, uint64_t *seed);

/* Prepare @cb for one block at a random offset, without notification. */
void bench_fill(struct aiocb *cb, const struct bench_file *file, void *buf, uint64_t *seed);

/* Sleep until @cb is complete, check that it transferred @bytes. */
void bench_wait(struct aiocb *cb, ssize_t bytes);

/* Begin to count time and processor time; then print what @nr requests took. */
void bench_begin(void);
uint64_t bench_elapsed_ns(void);
/* The work ended at that time, before its report; what came after it does not count. */
void bench_end_at(uint64_t elapsed_ns);
void bench_report_rate(uint64_t nr);
void bench_report_cost(uint64_t nr);

/* The rate of @nr requests, and percentiles of the @nr_ns that were timed; sorts @ns. */
void bench_report_latency(uint64_t nr, uint64_t *ns, size_t nr_ns);

/* Print the percentiles 50, 99 and 99.9; sorts @ns. */
void bench_report_percentiles(uint64_t *ns, size_t nr);

#endif
