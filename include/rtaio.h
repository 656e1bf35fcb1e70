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

#include <aio.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

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

/* ---- beyond POSIX: wait for whatever ends, and a descriptor that an event loop can watch ---- */

/*
 * Wait for any request of the process, and collect it as aio_return() does.  Each request that ends
 * goes to one call, in the order in which they end: those of lists, failed and cancelled ones as well.
 *
 * Requests are kept for this function if they have SIGEV_EVENTFD, or were submitted after the process's
 * first call of it: make one with a zero timeout before anything is submitted.  From then on an aiocb
 * must live until it was collected, here or by aio_return().
 *
 * @iocbp    receives the aiocb, or NULL if none was collected
 * @timeout  how long to wait; NULL: for ever; zero: only look
 *
 * Returns what aio_return() would: the bytes, or -1 with the error of the request in errno and its aiocb
 * in *@iocbp.  With NULL there, errno is EAGAIN (the same as EWOULDBLOCK: nothing ended in time), EINTR
 * (a signal handler), EINVAL (a bad timeout) or ENOSYS (RTAIO_BACKEND=glibc).  A thread may wait before
 * anything is submitted.  Async-signal-safe; a cancellation point.
 *
 * From FreeBSD's aio_waitcomplete(2).
 */
ssize_t aio_waitcomplete(struct aiocb **iocbp, const struct timespec *timeout);

/*
 * For aiocb.aio_sigevent.sigev_notify, and for that of a list: add one to the counter of the eventfd
 * aiocb.aio_sigevent.sigev_notify_eventfd when the request has ended and its result can be seen.  The
 * submission fails with EBADF or EINVAL if that is no eventfd.  Nothing is written once the descriptor
 * was closed.  With a full counter nothing is lost: read it, then collect until EAGAIN.
 *
 * glibc takes any value of sigev_notify that it does not know for SIGEV_NONE.  So ask for rtaio_version
 * first where the library may be absent.
 */
#define SIGEV_EVENTFD        0x5245
#define sigev_notify_eventfd sigev_signo

#ifdef __cplusplus
}
#endif

#endif
