// SPDX-License-Identifier: MIT
/*
 * issue.c - where a request goes that may be issued now.
 *
 *   files        ring; a worker where only the plain call is right, and for
 *                buffered writes while few are in flight
 *   streams      first a call that does not wait; then reads go to the ring, or to
 *                a worker where the ring differs from a plain call; writes go to a
 *                worker; character devices and corner cases at once to a worker
 *   barriers     a worker
 *
 * A request whose descriptor was closed goes to the thread of its pin.  Without a ring, workers
 * serve its part.
 */
#include "dispatch/issue.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/config.h"
#include "base/probes.h"
#include "base/raw_syscall.h"
#include "base/stats.h"
#include "dispatch/engine_state.h"
#include "dispatch/pin.h"
#include "engine/engine.h"
#include "engine/workers.h"
#include "order/fdqueue.h"
#include "order/filter.h"
#include "request/fd_hints.h"
#include "request/fd_kind.h"
#include "request/perform.h"
#include "request/vector.h"

#define LONE_COPIES_MAX 12u /* file requests in flight, beyond which the ring copies faster */
#define ATTEMPTS_MAX    8u  /* resubmissions to the ring before a worker takes over */

/* False: there is no thread, and none can be made. */
static bool try_worker(struct request *req)
{
	request_set_place(req, PLACE_WORKERS);
	if (req->pin)
		pin_submit(req->pin, req);
	else if (workers_submit(req) < 0)
		return false;
	engine_state.nr_on_workers++;
	PROBE_ISSUE(req->cb, PROBE_WORKER);
	stats_inc(engine_workers);
	return true;
}

/* Without a worker, the engine performs file requests.  A stream could block it for ever. */
static void issue_to_worker(struct request *req)
{
	if (try_worker(req))
		return;
	if (descriptor_is_file(&req->descriptor) || request_is_barrier(req)) {
		PROBE_ISSUE(req->cb, PROBE_ENGINE);
		stats_inc(engine_calls);
		engine_state_end(req, perform(req, req->fd));
	} else {
		request_set_place(req, PLACE_NO_THREAD);
		TAILQ_INSERT_TAIL(&engine_state.without_thread, req, list_link);
	}
}

void issue_to_worker_instead(struct request *req)
{
	stats_inc(fallbacks);
	issue_to_worker(req);
}

static void issue_to_backend(struct request *req)
{
	const struct backend *backend = engine_backend();

	if (!backend->submit) {
		issue_to_worker(req);
		return;
	}
	if (backend->submit(req) < 0) {
		issue_to_worker_instead(req);
		return;
	}
	if (req->is_file_data && !(req->descriptor.flags & O_DIRECT))
		engine_state.nr_to_copy += req->nbytes;
	PROBE_ISSUE(req->cb, PROBE_RING);
	stats_inc(engine_ring);
	request_set_place(req, PLACE_RING);
	req->has_cqe = false;
	req->cqes_due++;
}

/* SO_RCVTIMEO ends a plain read; the ring ignores it. */
static bool has_timeout(const struct request *req)
{
	struct timeval timeout = { 0 };
	socklen_t len = sizeof(timeout);

	if (S_ISSOCK(req->descriptor.mode))
		RAW_SYSCALL(SYS_getsockopt, req->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, &len);
	return timeout.tv_sec || timeout.tv_usec;
}

/* Is @res, from a call that does not wait, the final result? */
static bool is_final(const struct request *req, ssize_t res, bool is_nonblocking)
{
	if (res == -EOPNOTSUPP || (res == -EAGAIN && !is_nonblocking))
		return false;
	return is_nonblocking || req->op != OP_WRITE || res <= 0 || (size_t)res == req->nbytes;
}

/* O_NONBLOCK counts as it is now, as for a system call made now. */
static bool is_nonblocking(struct request *req)
{
	descriptor_get_flags(req->fd, &req->descriptor);
	return req->descriptor.flags & O_NONBLOCK;
}

/*
 * A write must be one plain call.  The ring would go on after a partial write and hide an error
 * from the program, and the write could be cancelled halfway.  Where NOWAIT is refused, as by
 * pipes and sockets before Linux 6.5, the ring polls a socket; anything else it would read in a
 * kernel thread, perhaps trying for ever.
 */
static bool is_for_worker(struct request *req, ssize_t res)
{
	if (req->op == OP_WRITE || has_timeout(req))
		return true;
	return res == -EOPNOTSUPP && (!S_ISSOCK(req->descriptor.mode) || is_nonblocking(req));
}

/*
 * Try a call that does not wait.  With O_NONBLOCK its result is final.  Otherwise the next data
 * of a stream are often there already: one call is cheaper than two trips through the ring.
 */
static void issue_without_waiting(struct request *req)
{
	ssize_t res = perform_nowait(req, 0);

	if (is_final(req, res, false) || (is_nonblocking(req) && is_final(req, res, true))) {
		PROBE_ISSUE(req->cb, PROBE_ENGINE);
		stats_inc(engine_calls);
		engine_state_end(req, res);
		return;
	}
	if (res > 0)
		request_advance(req, (size_t)res);
	if (is_for_worker(req, res))
		issue_to_worker(req);
	else
		issue_to_backend(req);
}

/*
 * Character devices and corner cases need the plain call.  F_GETFL is a system call, so it is made
 * only where O_NONBLOCK decides.
 */
static void issue_stream(struct request *req)
{
	bool is_odd = S_ISCHR(req->descriptor.mode) || req->nbytes == 0 ||
		      req->nbytes > PERFORM_BYTES_MAX;

	req->descriptor.has_flags = false;
	if (is_odd || !(perform_nowait_is_plain(req) || is_nonblocking(req)))
		issue_to_worker(req);
	else
		issue_without_waiting(req);
}

/*
 * The ring uses a kernel thread for a buffered write that the file system cannot do without
 * waiting.  A worker is several times faster while few requests are in flight, the ring deeper.
 */
static bool is_lone_copy(const struct request *req)
{
	return req->op == OP_WRITE && !(req->descriptor.flags & O_DIRECT) &&
	       S_ISREG(req->descriptor.mode) && engine_state.nr_files_in_flight <= LONE_COPIES_MAX;
}

/*
 * The ring first tries NOWAIT if the file system takes it.  It finishes a partial transfer by a
 * second call, and other processes see the parts.  IOSQE_ASYNC makes it one call, but then the
 * kernel looks the descriptor up after the submission (6.18).
 */
static bool could_be_split(const struct request *req, enum file_kind kind)
{
	if (req->descriptor.flags & O_DIRECT)
		return false;
	if (req->op == OP_WRITE && kind == FILE_NOWAIT)
		return true; /* until a worker has found out more: fd_kind_learn() */
	if (request_is_in_one_page(req))
		return false;
	if (req->op == OP_WRITE)
		return file_takes_nowait_writes(kind);
	return S_ISREG(req->descriptor.mode) && fd_kind_locks_reads(req->fd);
}

/* The ring gets files whose submission never waits.  A worker finds out about unknown ones. */
static bool is_for_ring(struct request *req)
{
	enum file_kind kind;
	int flags;

	descriptor_get_flags(req->fd, &req->descriptor); /* unknown if it comes from the copier */
	flags = req->descriptor.flags;
	kind = fd_hints_recall(req->fd, flags);
	if (kind == FILE_UNKNOWN && !(flags & O_DIRECT)) {
		kind = fd_kind_find(req->fd, req->op == OP_READ);
		fd_hints_note(req->fd, flags, kind);
	}
	/* Btrfs allocates for each write, and the ring would have a kernel thread do that. */
	if (kind == FILE_DIRECT_RING && req->op == OP_WRITE)
		return false;
	return file_is_for_ring(kind) && !could_be_split(req, kind);
}

static void issue_file(struct request *req)
{
	bool is_direct_append = req->op == OP_WRITE && (req->descriptor.flags & O_APPEND) &&
				(req->descriptor.flags & O_DIRECT);

	req->is_file_data = true;
	engine_state.nr_files_in_flight++;
	/*
	 * Asynchronous O_DIRECT appends lose data on XFS while another append is in flight,
	 * through any descriptor; plain calls do not.  A length beyond PERFORM_BYTES_MAX may not
	 * fit the ring's 32 bits; the plain call checks it.
	 */
	if (is_direct_append || req->nbytes > PERFORM_BYTES_MAX || is_lone_copy(req) ||
	    !is_for_ring(req))
		issue_to_worker(req);
	else
		issue_to_backend(req);
}

/*
 * The submitter assumed a stream.  Ask the kernel now, once for all requests that were submitted
 * before: if the program closed the descriptor without our hooks, it may be a file.
 */
static void confirm_type(struct request *req)
{
	struct descriptor *asked = &engine_state.asked;

	if (engine_state.asked_fd != req->fd && !descriptor_get_stream(req->fd, asked))
		descriptor_get_type(req->fd, asked);
	engine_state.asked_fd = req->fd;
	if (!descriptor_is_file(asked)) {
		req->descriptor = *asked;
		return;
	}
	filter_leave(req);
	req->descriptor = *asked;
	filter_enter(req);
}

void issue(struct request *req)
{
	if (req->descriptor.is_assumed && !req->pin)
		confirm_type(req);
	/* The ring would hand a sync to a kernel thread, which is one hop more. */
	if (req->pin || request_is_barrier(req))
		issue_to_worker(req);
	else if (descriptor_is_file(&req->descriptor))
		issue_file(req);
	else
		issue_stream(req);
}

/* May @req be issued again?  If its descriptor was closed meanwhile, it needs a pin. */
static bool has_file(struct request *req)
{
	if (req->pin)
		return true;
	if (req->queue->detached) {
		engine_state_end(req, -ECANCELED);
		return false;
	}
	request_hold_descriptor(req);
	return true;
}

void issue_to_worker_again(struct request *req)
{
	if (has_file(req))
		issue_to_worker_instead(req);
}

void issue_again(struct request *req)
{
	if (!has_file(req))
		return;
	stats_inc(resubmissions);
	if (!req->pin && req->attempts++ < ATTEMPTS_MAX)
		issue_to_backend(req);
	else
		issue_to_worker_instead(req);
}

/* If another reader takes the bytes first, the engine's read blocks until there are more. */
static bool has_bytes(const struct request *req)
{
	struct pollfd fd = { .fd = req->fd, .events = POLLIN };
	struct timespec zero = { 0 };

	return req->op == OP_READ && S_ISFIFO(req->descriptor.mode) &&
	       RAW_SYSCALL(SYS_ppoll, &fd, 1L, &zero, NULL, 0L) == 1;
}

/* Use a worker if there is one by now; otherwise try without waiting. */
static void retry_without_thread(struct request *req)
{
	ssize_t res;

	if (try_worker(req))
		return;
	request_set_place(req, PLACE_NO_THREAD);
	res = perform_nowait(req, 0);
	if (res == -EOPNOTSUPP && has_bytes(req))
		res = perform(req, req->fd);
	if (res > 0 && (size_t)res < req->nbytes && req->op == OP_WRITE)
		request_advance(req, (size_t)res);
	else if (res != -EAGAIN && res != -EOPNOTSUPP) {
		engine_state_end(req, res);
		return;
	}
	TAILQ_INSERT_TAIL(&engine_state.without_thread, req, list_link);
}

void issue_without_thread(void)
{
	struct request_list list = TAILQ_HEAD_INITIALIZER(list);
	struct request *req;

	TAILQ_CONCAT(&list, &engine_state.without_thread, list_link);
	while ((req = TAILQ_FIRST(&list))) {
		TAILQ_REMOVE(&list, req, list_link);
		retry_without_thread(req);
	}
}

void issue_without_ring(struct request *req)
{
	req->cqes_due = 0;
	issue_to_worker_again(req);
}

bool issue_withdraw(struct request *req)
{
	switch (request_place(req)) {
	case PLACE_QUEUE:
		fdqueue_withdraw(req);
		return true;
	case PLACE_NO_THREAD:
		TAILQ_REMOVE(&engine_state.without_thread, req, list_link);
		return true;
	case PLACE_WORKERS:
		if (!workers_withdraw(req, request_generation(req)))
			return false;
		engine_state.nr_on_workers--;
		return true;
	default:
		return false;
	}
}
