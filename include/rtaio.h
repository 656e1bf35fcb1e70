/* SPDX-License-Identifier: MIT */
/*
 * rtaio.h - functions by which a program asks about the rtaio library.
 *
 * Programs use rtaio by <aio.h>, without this header.  A program that is linked with -lrtaio
 * may ask for the version, the backend and the counters of the library.  All functions are
 * thread-safe; rtaio_version() and rtaio_stats() are also async-signal-safe.
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
 * The backend that performs this process's requests unless another lane does: "io_uring",
 * "threads", "glibc" (rtaio passes all calls on), or "none" while no request has needed the
 * engine.  A static string.
 */
const char *rtaio_backend(void);

/*
 * Counters of this process, as RTAIO_STATS prints them.  A child of fork starts at zero.
 * Later versions append members.
 */
struct rtaio_stats {
	/* Completed requests by kind, ... */
	uint64_t reads;
	uint64_t writes;
	uint64_t fsyncs;
	/* ... and by the lane that completed them.  Both sums are equal. */
	uint64_t lane_inline;  /* by the call that submitted them */
	uint64_t lane_direct;  /* by Linux AIO */
	uint64_t lane_copier;  /* by the thread that copies */
	uint64_t lane_offload; /* by a worker, without the engine */
	uint64_t lane_engine;  /* by the engine, its ring or its workers */

	uint64_t errors;         /* of all these, those that completed with an error */
	uint64_t cancellations;  /* of the errors, ECANCELED */
	uint64_t lists;          /* lists accepted by lio_listio */
	uint64_t fallbacks;      /* requests that a lane or the ring refused */
	uint64_t resubmissions;  /* submissions repeated: short, interrupted or refused */
	uint64_t engine_depth;   /* most requests that the engine had at once */
	uint64_t engine_ring;    /* submissions by the engine to io_uring */
	uint64_t engine_workers; /* requests given to workers by the engine */
	uint64_t engine_calls;   /* requests done or answered at once by the engine's thread */
};

/*
 * Fill @stats.  @size is sizeof(struct rtaio_stats), so that program and library may differ in
 * version: a newer library fills no more than @size bytes, an older one zeroes the rest.
 */
void rtaio_stats(struct rtaio_stats *stats, size_t size);

#ifdef __cplusplus
}
#endif

#endif
