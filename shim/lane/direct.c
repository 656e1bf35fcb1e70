// SPDX-License-Identifier: MIT
/*
 * direct.c - the direct lane: O_DIRECT through Linux AIO.
 *
 * Which requests may take the lane, and their submission.  event_ring.c finds the completions,
 * bypass.c shows the requests to the engine.
 */
#include "lane/direct.h"

#include <errno.h>
#include <fcntl.h>
#include <libaio.h>
#include <sys/uio.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/refusal.h"
#include "base/stats.h"
#include "base/thread.h"
#include "engine/aio_context.h"
#include "lane/batch.h"
#include "lane/event_ring.h"
#include "lane/fsize_limit.h"
#include "lane/reaper.h"
#include "lane/submit_ahead.h"
#include "order/bypass.h"
#include "order/filter.h"
#include "order/in_flight.h"
#include "request/fd_hints.h"
#include "request/vector.h"

#define BYTES_MAX (1u << 20)
#define SLOW_NS   20000u  /* a longer submission may have slept, and is a costly one */
#define LONG_NS   200000u /* a longer one made the transfer itself, or was stopped */
#define DEEP      8u      /* if a thread has so many requests, the engine submits several at once */

static const struct direct_events *events;

bool direct_accepts(struct request *req)
{
	struct filter_range range;
	enum file_kind kind;
	unsigned class;

	if (config.backend != BACKEND_AUTO && config.backend != BACKEND_LIBAIO)
		return refusal_last == REFUSED_direct ? refuse(REFUSED_backend) : false;
	descriptor_get_flags(req->fd, &req->descriptor);
	if (req->descriptor.err || !(req->descriptor.flags & O_DIRECT))
		return false;
	if (req->offset < 0 || req->nbytes == 0 || req->nbytes > BYTES_MAX)
		return refuse(REFUSED_length);
	/* Only a worker may ask for the kind; before that it is unknown. */
	kind = fd_hints_recall(req->fd, req->descriptor.flags);
	if (kind != FILE_DIRECT && kind != FILE_DIRECT_WAITING)
		return refuse(kind == FILE_UNKNOWN ? REFUSED_first : REFUSED_file_system);
	req->descriptor.mode = S_IFREG; /* or a block device, which is the same here */
	req->descriptor.has_type = true;
	if (!reaper_has_context())
		return refuse(REFUSED_context);
	if (!in_flight_has_room(req->nbytes))
		return refuse(REFUSED_in_flight);
	req->refuses_nowait = kind == FILE_DIRECT_WAITING;
	range = filter_range_of(req);
	class = fd_hints_class(req);
	if (filter_may_conflict_anywhere(&range))
		return refuse(REFUSED_overlap);
	if (fd_hints_withholds(class))
		return refuse(REFUSED_congested);
	if (req->op == OP_WRITE && (req->descriptor.flags & O_APPEND))
		return refuse(REFUSED_file_system);
	if (req->op == OP_WRITE && fsize_limit_is_set(clock_now_ns()))
		return refuse(REFUSED_limit);
	if (submit_ahead_average() < DEEP * submit_ahead_pieces(req->nbytes) ||
	    !fd_hints_prefers_engine(class))
		return true;
	return refuse(REFUSED_batches);
}

/* --- submitting ------------------------------------------------------------ */

/*
 * io_submit may wait for the file system or for a full device.  With RWF_NOWAIT it gives the
 * request back instead.  Devices and file systems that do not know the flag go without.
 */
static void prep(struct iocb *iocb, struct request *req)
{
	if (req->vector && req->op == OP_READ)
		io_prep_preadv(iocb, req->fd, req->buf, req->nr_entries, req->offset);
	else if (req->vector)
		io_prep_pwritev(iocb, req->fd, req->buf, req->nr_entries, req->offset);
	else if (req->op == OP_READ)
		io_prep_pread(iocb, req->fd, req->buf, req->nbytes, req->offset);
	else
		io_prep_pwrite(iocb, req->fd, req->buf, req->nbytes, req->offset);
	if (!req->refuses_nowait)
		iocb->aio_rw_flags = RWF_NOWAIT;
	iocb->data = req;
}

/* How many of @nr the kernel took, or -errno. */
static int submit_batch(struct request **reqs, int nr)
{
	struct iocb iocbs[DIRECT_BATCH_MAX], *list[DIRECT_BATCH_MAX];

	for (int i = 0; i < nr; i++) {
		prep(&iocbs[i], reqs[i]);
		list[i] = &iocbs[i];
	}
	return aio_context_submit(nr, list);
}

/* The file of @req refuses RWF_NOWAIT.  Note it, if the descriptor still means that file. */
static void note_refusal(const struct request *req)
{
	if (fd_hints_recall(req->fd, req->descriptor.flags) == FILE_DIRECT)
		fd_hints_note(req->fd, req->descriptor.flags, FILE_DIRECT_WAITING);
}

/* The file of the first request refuses RWF_NOWAIT. */
static void learn_refusal(struct request **reqs, int nr)
{
	for (int i = 0; i < nr; i++)
		if (reqs[i]->fd == reqs[0]->fd)
			reqs[i]->refuses_nowait = true;
	note_refusal(reqs[0]);
}

/* A call of io_submit.  Its first request stands for the others. */
struct attempt {
	unsigned class;
	bool is_watched;
	uint64_t began_ns;
	struct thread_switches switches;
};

static struct attempt begin_attempt(const struct request *first)
{
	unsigned class = fd_hints_class(first);
	struct attempt attempt = {
		.class = class,
		.is_watched = fd_hints_is_watched(class),
		.began_ns = clock_now_ns(),
	};

	if (attempt.is_watched)
		attempt.switches = thread_switches();
	return attempt;
}

/* A slow call may only have been preempted.  So the first one only has the next calls watched. */
static void end_attempt(const struct attempt *attempt, int nr)
{
	uint64_t took_ns = clock_now_ns() - attempt->began_ns;
	struct thread_switches now = attempt->switches;
	unsigned signs = 0;

	if (took_ns > SLOW_NS)
		signs |= SUBMISSION_SLOW;
	if (took_ns > SLOW_NS * (uint64_t)nr)
		signs |= SUBMISSION_COSTLY;
	if (attempt->is_watched) {
		now = thread_switches();
		if (took_ns > LONG_NS && now.nr_preemptions == attempt->switches.nr_preemptions)
			signs |= SUBMISSION_LONG;
	}
	if (now.nr_sleeps != attempt->switches.nr_sleeps)
		fd_hints_note_refused(attempt->class);
	else
		fd_hints_note_taken(attempt->class, signs);
}

/* False: the kernel refused the first request. */
static bool submit_some(struct request_list *list)
{
	struct request *reqs[DIRECT_BATCH_MAX], *req = TAILQ_FIRST(list);
	uint32_t generations[DIRECT_BATCH_MAX];
	struct attempt attempt;
	int nr = 0, ret;

	do {
		generations[nr] = request_generation(req);
		reqs[nr++] = req;
	} while (nr < DIRECT_BATCH_MAX && (req = TAILQ_NEXT(req, list_link)));
	/* Once submitted, another thread may complete a request and recycle its record. */
	for (int i = 0; i < nr; i++)
		TAILQ_REMOVE(list, reqs[i], list_link);
	attempt = begin_attempt(reqs[0]);
	ret = submit_batch(reqs, nr);
	if (ret == -EOPNOTSUPP) {
		learn_refusal(reqs, nr);
		ret = submit_batch(reqs, nr);
	}
	end_attempt(&attempt, nr);
	for (int i = 0; i < ret; i++)
		bypass_return(reqs[i], generations[i]); /* NOLINT: it is at most @nr */
	for (int i = nr - 1; i >= (ret > 0 ? ret : 0); i--)
		TAILQ_INSERT_HEAD(list, reqs[i], list_link);
	return ret > 0;
}

size_t direct_submit(struct request_list *list)
{
	struct request *req;
	size_t nr_left = 0;

	while (!TAILQ_EMPTY(list) && reaper_notice() && submit_some(list))
		continue;
	TAILQ_FOREACH(req, list, list_link)
		nr_left++;
	/*
	 * Requests that would wait come back at once, as events with EAGAIN.  Take them now, so
	 * that the engine performs them without waiting for the next poll.
	 */
	if (aio_context_shows(-EAGAIN))
		event_ring_poll();
	return nr_left;
}

/*
 * Does a plain call go on where this one ended?  With RWF_NOWAIT a transfer may end at an extent
 * (XFS before Linux 5.11, Btrfs before 5.18).  If another thread has switched O_DIRECT off, a read
 * ends at what is not in memory.
 */
static bool is_cut_short(const struct request *req, ssize_t res)
{
	if (res < 0 || (size_t)res >= req->nbytes)
		return false;
	return req->op == OP_WRITE || !descriptor_ends_at(req->fd, req->offset + res);
}

static uint64_t give_back(struct request *req)
{
	stats_inc(fallbacks);
	return events->bounce(req);
}

static uint64_t on_event(void *data, ssize_t res)
{
	struct request *req = data;

	if (batch_note(data, res))
		return 0;
	/* Some files refuse RWF_NOWAIT only while they write (zram on Linux 6.1, f2fs). */
	if (res == -EOPNOTSUPP)
		note_refusal(req);
	if (res == -EAGAIN)
		fd_hints_note_refused(fd_hints_class(req));
	if (res == -EAGAIN || res == -EINTR || res == -EOPNOTSUPP)
		return give_back(req);
	if (is_cut_short(req, res)) {
		/* Repeat a read as a whole: a write could come between two parts. */
		if (req->op == OP_WRITE)
			request_advance(req, (size_t)res);
		return give_back(req);
	}
	return events->complete(req, res);
}

void direct_init(const struct direct_events *events_)
{
	events = events_;
	event_ring_init(on_event);
}
