/* SPDX-License-Identifier: MIT */
/*
 * rtaio.h - what a program may ask the rtaio library about itself.
 *
 * Nobody needs this header to use rtaio: POSIX AIO is in <aio.h>.  A program
 * that is linked with -lrtaio may learn here which library serves it, by what
 * means, and how busy it is.  All functions are thread-safe; rtaio_version()
 * and rtaio_stats() are async-signal-safe, too.
 */
#ifndef RTAIO_H
#define RTAIO_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Version of this header: "major.minor.patch". */
#define RTAIO_HEADER_VERSION "0.1.0"

/* Version of the library, a static string. */
const char *rtaio_version(void);

/*
 * What serves the requests that cannot be done at once, in this process now:
 * "io_uring", "threads", "glibc" (standing aside), or "none" while no request
 * needed the engine.  A static string.
 */
const char *rtaio_backend(void);

/*
 * Counters of this process; a child of fork starts at zero.  Later versions
 * append members.
 */
struct rtaio_stats {
	uint64_t reads; /* requests accepted, by kind */
	uint64_t writes;
	uint64_t fsyncs;
	uint64_t lists;         /* calls of lio_listio */
	uint64_t completions;   /* requests that ended, in whatever way */
	uint64_t errors;        /* of these, with an error */
	uint64_t cancellations; /* of these, cancelled */
	uint64_t lane_inline;   /* requests by the way they were executed */
	uint64_t lane_direct;
	uint64_t lane_ring;
	uint64_t lane_worker;   /* by worker threads, which the engine or the call fed */
	uint64_t lane_engine;   /* answered or tried on the engine thread itself */
	uint64_t fallbacks;     /* requests a cheaper way refused */
	uint64_t resubmissions; /* short, interrupted or refused by the ring */
	uint64_t deepest_queue; /* most requests outstanding at once */
};

/*
 * Fill the first @size bytes of @stats, sizeof(struct rtaio_stats) as the
 * program was compiled: a newer library fills no more, an older one zeroes the
 * rest.
 */
void rtaio_stats(struct rtaio_stats *stats, size_t size);

#ifdef __cplusplus
}
#endif

#endif
