/* SPDX-License-Identifier: MIT */
/*
 * rtaio.h - what the rtaio library has beyond <aio.h>.
 *
 * Programs use rtaio by <aio.h>, without this header.  A program that is linked with -lrtaio
 * may submit vectored requests, and ask for the version, the backend and the counters of the
 * library.  All functions are thread-safe, and all but rtaio_backend() are also
 * async-signal-safe.
 */
#ifndef RTAIO_H
#define RTAIO_H

#include <aio.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Vectored requests, with FreeBSD's names and meaning: as aio_read() and aio_write(), but the
 * data are in several buffers, one after the other, as with preadv() and pwritev().
 *
 *	cb.aio_iov = iov;   an array of struct iovec; the call copies it, so that the program may
 *	                    change or free it as soon as the call has returned
 *	cb.aio_iovcnt = nr; its entries, 0 to IOV_MAX; entries may be empty
 *
 * The block and the buffers belong to the request until it is complete.  aio_error(),
 * aio_return(), aio_suspend(), aio_cancel(), aio_fsync() and notifications are the same for all
 * requests.  The order among requests is that of a plain request of as many bytes.
 *
 * 0, or -1 with errno, and aio_error() gives the same error: EINVAL (more than IOV_MAX entries,
 * or more than SSIZE_MAX bytes), EFAULT (the array cannot be read), ENOSYS
 * (RTAIO_BACKEND=glibc), and the errors of aio_read().  All else, such as buffers that are not
 * there, is the result of the request, as that of preadv() and pwritev().
 */
#define aio_iov    aio_buf
#define aio_iovcnt aio_nbytes

int aio_readv(struct aiocb *cb);
int aio_writev(struct aiocb *cb);
#ifdef __USE_LARGEFILE64
int aio_readv64(struct aiocb64 *cb);
int aio_writev64(struct aiocb64 *cb);
#endif

/* The same as entries of lio_listio().  Without the library, such an entry fails with EINVAL. */
#define LIO_VECTORED 16
#define LIO_READV    (LIO_VECTORED | LIO_READ)
#define LIO_WRITEV   (LIO_VECTORED | LIO_WRITE)

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
 * goes to one call, in the order in which they end: those of lists, failed and cancelled ones as
 * well.
 *
 * Requests are kept for this function if they have SIGEV_EVENTFD, or were submitted after the
 * process's first call of it: make one with a zero timeout before anything is submitted.  From then
 * on an aiocb must live until it was collected, here or by aio_return().
 *
 * @iocbp    receives the aiocb, or NULL if none was collected
 * @timeout  how long to wait; NULL: for ever; zero: only look
 *
 * Returns what aio_return() would: the bytes, or -1 with the error of the request in errno and its
 * aiocb in *@iocbp.  With NULL there, errno is EAGAIN (the same as EWOULDBLOCK: nothing ended in
 * time), EINTR (a signal handler), EINVAL (a bad timeout) or ENOSYS (RTAIO_BACKEND=glibc).  A
 * thread may wait before anything is submitted.  Async-signal-safe; a cancellation point.
 *
 * From FreeBSD's aio_waitcomplete(2).
 */
ssize_t aio_waitcomplete(struct aiocb **iocbp, const struct timespec *timeout);

/*
 * For aiocb.aio_sigevent.sigev_notify, and for that of a list: add one to the counter of the
 * eventfd aiocb.aio_sigevent.sigev_notify_eventfd when the request has ended and its result can be
 * seen.  The submission fails with EBADF or EINVAL if that is no eventfd, and with EAGAIN while
 * requests use 1,024 others.  Nothing is written once the descriptor was closed.  With a full
 * counter nothing is lost: read it, then collect until EAGAIN.
 *
 * glibc takes any value of sigev_notify that it does not know for SIGEV_NONE.  So ask for
 * rtaio_version first where the library may be absent.
 */
#define SIGEV_EVENTFD        0x5245
#define sigev_notify_eventfd sigev_signo

#ifdef __cplusplus
}
#endif

#endif
