// SPDX-License-Identifier: MIT
/*
 * direct.c - the direct lane: O_DIRECT through Linux AIO, from thread to thread.
 *
 * What may go this way, and how it gets there.  How completions are found is
 * event_ring.c's business, how barriers take notice epoch.c's.
 */
#include "direct.h"

#include <errno.h>
#include <fcntl.h>
#include <libaio.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

#include "aio_context.h"
#include "config.h"
#include "epoch.h"
#include "event_ring.h"
#include "filesize.h"
#include "filter.h"
#include "outside.h"
#include "perform.h"
#include "reaper.h"
#include "stats.h"
#include "steering.h"

static const struct direct_events *events;

/* Without a device it is a network or stacked file system, where io_submit may wait. */
static enum file_kind classify(struct request *req)
{
	const struct descriptor *d = &req->descriptor;

	descriptor_get_inode(req->fd, &req->descriptor);
	if (d->err == 0 && (S_ISBLK(d->mode) || (S_ISREG(d->mode) && major(d->dev) != 0)))
		return FILE_DIRECT;
	return FILE_OTHER;
}

/* Only the flags are asked for each time: the rest costs more than the submission itself. */
static enum file_kind kind_of(struct request *req)
{
	enum file_kind kind = steering_recall(req->fd, req->descriptor.flags);

	if (kind == FILE_UNKNOWN) {
		kind = classify(req);
		steering_note(req->fd, req->descriptor.flags, kind);
	}
	return kind;
}

bool direct_accepts(struct request *req)
{
	struct filter_range range;
	enum file_kind kind;

	if (config.backend != BACKEND_AUTO && config.backend != BACKEND_LIBAIO)
		return false;
	descriptor_get_flags(req->fd, &req->descriptor);
	if (req->descriptor.err || !(req->descriptor.flags & O_DIRECT))
		return false;
	if (req->offset < 0 || req->nbytes == 0 || req->nbytes > PERFORM_BYTES_MAX)
		return false;
	if (req->done > 0) /* half of it inline, before the file was switched to O_DIRECT */
		return false;
	if (req->op == OP_WRITE && ((req->descriptor.flags & O_APPEND) || filesize_is_limited()))
		return false;
	kind = kind_of(req);
	if (kind != FILE_DIRECT && kind != FILE_DIRECT_WAITING)
		return false;
	req->refuses_nowait = kind == FILE_DIRECT_WAITING;
	range = filter_range_of(req);
	if (filter_may_conflict_anywhere(&range))
		return false;
	return aio_context_open() == 0;
}

void direct_enter(struct request *req)
{
	outside_enter(req);
	req->is_direct = true;
}

/* --- submitting ------------------------------------------------------------ */

/*
 * A write may have to wait for the file system; with RWF_NOWAIT it is given
 * back instead.  Devices and file systems that do not know the flag get none.
 */
static void prep(struct iocb *iocb, struct request *req)
{
	if (req->op == OP_READ)
		io_prep_pread(iocb, req->fd, req->buf, req->nbytes, req->offset);
	else
		io_prep_pwrite(iocb, req->fd, req->buf, req->nbytes, req->offset);
	if (req->op == OP_WRITE && !req->refuses_nowait)
		iocb->aio_rw_flags = RWF_NOWAIT;
	iocb->data = req;
}

/* How many of @nr the kernel took. */
static int submit_batch(struct request **reqs, int nr)
{
	struct iocb iocbs[DIRECT_BATCH_MAX], *list[DIRECT_BATCH_MAX];

	for (int i = 0; i < nr; i++) {
		prep(&iocbs[i], reqs[i]);
		list[i] = &iocbs[i];
	}
	return aio_context_submit(nr, list);
}

/* The file of the first of them does not know NOWAIT writes. */
static void learn_refusal(struct request **reqs, int nr)
{
	for (int i = 0; i < nr; i++)
		if (reqs[i]->fd == reqs[0]->fd)
			reqs[i]->refuses_nowait = true;
	steering_note(reqs[0]->fd, reqs[0]->descriptor.flags, FILE_DIRECT_WAITING);
}

/* False: the kernel refused the first of them. */
static bool submit_some(struct request_list *list)
{
	struct request *reqs[DIRECT_BATCH_MAX], *req = TAILQ_FIRST(list);
	uint32_t generations[DIRECT_BATCH_MAX];
	unsigned tail = aio_context_tail();
	int fd = req->fd, last_fd, nr = 0, ret;

	do {
		generations[nr] = atomic_load_explicit(&req->generation, memory_order_relaxed);
		reqs[nr++] = req;
	} while (nr < DIRECT_BATCH_MAX && (req = TAILQ_NEXT(req, list_link)));
	/* Once it is submitted, another thread may complete and recycle it. */
	for (int i = 0; i < nr; i++)
		TAILQ_REMOVE(list, reqs[i], list_link);
	last_fd = reqs[nr - 1]->fd;
	ret = submit_batch(reqs, nr);
	if (ret == -EOPNOTSUPP) {
		learn_refusal(reqs, nr);
		ret = submit_batch(reqs, nr);
	}
	if (ret == nr && last_fd == fd)
		steering_note_submission(fd, aio_context_has_since(tail, reqs[nr - 1]));
	for (int i = 0; i < ret; i++)
		outside_return(reqs[i], generations[i]);
	for (int i = nr - 1; i >= (ret > 0 ? ret : 0); i--)
		TAILQ_INSERT_HEAD(list, reqs[i], list_link);
	return ret > 0;
}

size_t direct_submit(struct request_list *list)
{
	struct request *req;
	size_t nr_left = 0;

	while (!TAILQ_EMPTY(list) && submit_some(list))
		continue;
	TAILQ_FOREACH(req, list, list_link)
		nr_left++;
	/*
	 * A write that is given back is so at once.  It is to begin now, not when
	 * somebody happens to look, and from here on it holds its number.
	 */
	if (aio_context_shows(-EAGAIN))
		event_ring_poll();
	return nr_left;
}

static uint64_t on_event(void *data, ssize_t res)
{
	struct request *req = data;

	if (res == -EAGAIN || res == -EINTR) {
		stats_inc(fallbacks);
		return events->bounce(req);
	}
	outside_leave_range(req);
	return events->complete(req, res);
}

void direct_init(const struct direct_events *events_)
{
	events = events_;
	event_ring_init(on_event);
	epoch_init(events->drained);
}

void direct_forget(void)
{
	event_ring_forget();
	aio_context_forget();
	epoch_forget();
	reaper_forget();
}
