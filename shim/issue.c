// SPDX-License-Identifier: MIT
/*
 * issue.c - which way does a request go that may be issued now?
 *
 *   files        ring; a worker where only the plain call is right, and for
 *                buffered writes while few are in flight
 *   streams      tried on the spot; what would block goes to the ring, or to a
 *                worker where the ring is not like a plain call; drivers and
 *                corners to a worker at once
 *   barriers     a worker while enough of them are free, else ring
 *
 * Without a ring, "ring" means a worker.
 */
#include "issue.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/socket.h>

#include "config.h"
#include "engine.h"
#include "futex.h"
#include "ledger.h"
#include "perform.h"
#include "probes.h"
#include "stats.h"
#include "workers.h"

#define LONE_COPIES_MAX 12u /* buffered writes in flight, up to which a worker is better */
#define LOOKS_SAVED_MAX 15u /* requests issued on one look at what their number means */
#define ATTEMPTS_MAX    8u  /* fruitless submissions to the ring before a worker takes over */

static void issue_to_worker(struct request *req)
{
	ledger.nr_on_workers++;
	if (workers_submit(req) == 0) {
		PROBE_ISSUE(req->cb, PROBE_WORKER);
		stats_inc(lane_worker);
		return;
	}
	ledger.nr_on_workers--;
	/* Not one thread to be had.  A file is served here; reading or writing a stream could block. */
	if (descriptor_is_file(&req->descriptor) || request_is_barrier(req))
		ledger_end(req, perform(req, req->fd));
	else
		TAILQ_INSERT_TAIL(&ledger.stranded, req, list_link);
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
	PROBE_ISSUE(req->cb, PROBE_RING);
	stats_inc(lane_ring);
	req->is_on_ring = true;
	req->cqes_due++;
	if (!req->is_prepared) {
		req->is_prepared = true;
		TAILQ_INSERT_TAIL(&ledger.prepared, req, list_link);
	}
}

/* A socket with SO_RCVTIMEO or SO_SNDTIMEO: read and write give up, a ring does not. */
static bool has_timeout(const struct request *req)
{
	struct timeval timeout = { 0 };
	socklen_t len = sizeof(timeout);
	int option = req->op == OP_WRITE ? SO_SNDTIMEO : SO_RCVTIMEO;

	return RAW_SYSCALL(SYS_getsockopt, req->fd, SOL_SOCKET, option, &timeout, &len) == 0 &&
	       (timeout.tv_sec || timeout.tv_usec);
}

static bool is_pipe_or_socket(const struct request *req)
{
	return S_ISFIFO(req->descriptor.mode) || S_ISSOCK(req->descriptor.mode);
}

/* A ring writes a pipe's worth and calls it done; up to PIPE_BUF it is all or nothing. */
static bool outgrows_pipe(const struct request *req)
{
	return S_ISFIFO(req->descriptor.mode) && req->op == OP_WRITE && req->nbytes > PIPE_BUF;
}

/* Is @res, from a call that does not wait, how the request ends? */
static bool is_final(const struct request *req, ssize_t res, bool is_nonblocking)
{
	if (res == -EOPNOTSUPP || (res == -EAGAIN && !is_nonblocking))
		return false;
	return is_nonblocking || req->op != OP_WRITE || res <= 0 || (size_t)res == req->nbytes;
}

/*
 * Try on the spot, where nothing blocks: with O_NONBLOCK that is all there is
 * to it, and else often enough what comes next in a stream is there already,
 * so that a chain of requests costs a call each and not two turns of the ring.
 */
static void issue_without_waiting(struct request *req, bool is_nonblocking)
{
	ssize_t res = perform_nowait(req);

	if (is_final(req, res, is_nonblocking)) {
		PROBE_ISSUE(req->cb, PROBE_ENGINE);
		stats_inc(lane_engine);
		ledger_end(req, res);
		return;
	}
	if (res > 0)
		request_advance(req, (size_t)res);
	if (outgrows_pipe(req) ||
	    (res == -EOPNOTSUPP && (is_nonblocking || !is_pipe_or_socket(req))))
		issue_to_worker(req);
	else
		issue_to_backend(req);
}

/* Drivers and corners that only the plain system call gets right. */
static bool needs_plain_call(const struct request *req, bool is_nonblocking)
{
	if (S_ISCHR(req->descriptor.mode) || req->nbytes == 0 || req->nbytes > PERFORM_BYTES_MAX)
		return true;
	return !is_nonblocking && S_ISSOCK(req->descriptor.mode) && has_timeout(req);
}

static void issue_stream(struct request *req)
{
	bool is_nonblocking = req->descriptor.flags & O_NONBLOCK;

	if (needs_plain_call(req, is_nonblocking))
		issue_to_worker(req);
	else
		issue_without_waiting(req, is_nonblocking);
}

/*
 * A buffered write that the file system cannot do without waiting takes the
 * ring through one more thread, the kernel's.  While few are in flight a
 * worker is several times faster; deeper, the ring's batches are.
 */
static bool is_lone_copy(const struct request *req)
{
	return req->op == OP_WRITE && !(req->descriptor.flags & O_DIRECT) &&
	       S_ISREG(req->descriptor.mode) && ledger.nr_files_in_flight <= LONE_COPIES_MAX;
}

/*
 * The ring gives a sync to the kernel's worker threads.  Ours do it with a
 * hop less, which is worth it while that leaves enough of them to others.
 */
static void issue_barrier(struct request *req)
{
	if (descriptor_is_file(&req->descriptor) && ledger.nr_on_workers < config.threads_max / 2)
		issue_to_worker(req);
	else
		issue_to_backend(req);
}

static void issue_file(struct request *req)
{
	bool is_direct_append = req->op == OP_WRITE && (req->descriptor.flags & O_APPEND) &&
				(req->descriptor.flags & O_DIRECT);

	req->is_file_data = true;
	ledger.nr_files_in_flight++;
	/*
	 * Asynchronous O_DIRECT appends lose data on xfs when another append,
	 * through whatever descriptor, is under way; the plain call does not.
	 * Lengths beyond what a ring's 32 bits hold: the plain call checks them.
	 */
	if (is_direct_append || req->nbytes > PERFORM_BYTES_MAX || is_lone_copy(req))
		issue_to_worker(req);
	else
		issue_to_backend(req);
}

/*
 * What the number means, asked once for a few requests between two sleeps of
 * the engine: those that had been taken from the inbox, and so were submitted,
 * before that look.
 */
static const struct descriptor *look_for(const struct request *req)
{
	struct fdqueue *queue = req->queue;

	if (queue->looked_in != ledger.round || req->batch > queue->looked_after ||
	    queue->nr_looks_saved++ == LOOKS_SAVED_MAX) {
		descriptor_identify(queue->fd, &queue->seen);
		queue->looked_in = ledger.round;
		queue->looked_after = ledger.batch;
		queue->nr_looks_saved = 0;
	}
	return &queue->seen;
}

/*
 * Was the number still the file that it was at submit, when it was looked at?
 * Blocking mode is what it was then, as for a system call made then.
 */
static bool is_what_was_meant(struct request *req, const struct descriptor *now)
{
	if (!descriptor_same(now, &req->descriptor))
		return false;
	/* O_APPEND decides over the range in the queue: that stays as it was. */
	req->descriptor.flags = (now->flags & ~O_APPEND) | (req->descriptor.flags & O_APPEND);
	return true;
}

/* A look of its own, for what comes back between two batches. */
static bool is_same_file(struct request *req)
{
	struct descriptor now;

	descriptor_identify(req->fd, &now);
	return is_what_was_meant(req, &now);
}

void issue(struct request *req)
{
	request_set_state(req, REQ_IN_FLIGHT);
	if (!is_what_was_meant(req, look_for(req)))
		ledger_end(req, -ECANCELED);
	else if (request_is_barrier(req))
		issue_barrier(req);
	else if (descriptor_is_file(&req->descriptor))
		issue_file(req);
	else
		issue_stream(req);
}

/* Again, if the number still means the file; on a worker when it led nowhere often enough. */
void issue_again(struct request *req)
{
	stats_inc(resubmissions);
	request_hold_descriptor(req);
	if (!is_same_file(req))
		ledger_end(req, -ECANCELED);
	else if (req->attempts++ < ATTEMPTS_MAX)
		issue_to_backend(req);
	else
		issue_to_worker_instead(req);
}

void issue_leave_prepared(struct request *req)
{
	if (req->is_prepared) {
		req->is_prepared = false;
		TAILQ_REMOVE(&ledger.prepared, req, list_link);
	}
}

/*
 * The kernel took all that was prepared: it holds the files now.  But that of
 * an fsync it looks up as late as in its own worker thread (io_fsync_prep()
 * forces it there), so the number must stay what it is until that is done.
 */
void issue_submitted(void)
{
	struct request *req;

	while ((req = TAILQ_FIRST(&ledger.prepared))) {
		issue_leave_prepared(req);
		if (!request_is_barrier(req))
			request_release_descriptor(req);
	}
}

/* A thread at last, or what can be done without one. */
static void retry_stranded(struct request *req)
{
	ssize_t res;

	request_hold_descriptor(req);
	if (!is_same_file(req)) {
		ledger_end(req, -ECANCELED);
		return;
	}
	issue_to_worker(req);
	if (TAILQ_LAST(&ledger.stranded, request_list) != req)
		return;
	res = perform_nowait(req);
	request_release_descriptor(req); /* it may take long: closing the number must not */
	if (res == -EAGAIN || res == -EOPNOTSUPP)
		return;
	if (res > 0 && (size_t)res < req->nbytes && req->op == OP_WRITE) {
		request_advance(req, (size_t)res);
		return;
	}
	TAILQ_REMOVE(&ledger.stranded, req, list_link);
	ledger_end(req, res);
}

void issue_stranded(void)
{
	struct request_list list = TAILQ_HEAD_INITIALIZER(list);
	struct request *req;

	TAILQ_CONCAT(&list, &ledger.stranded, list_link);
	while ((req = TAILQ_FIRST(&list))) {
		TAILQ_REMOVE(&list, req, list_link);
		retry_stranded(req);
	}
}

void issue_without_ring(struct request *req)
{
	issue_leave_prepared(req);
	req->is_on_ring = false;
	req->cqes_due = 0;
	request_hold_descriptor(req);
	if (is_same_file(req))
		issue_to_worker_instead(req);
	else
		ledger_end(req, -ECANCELED);
}
