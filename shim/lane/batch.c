// SPDX-License-Identifier: MIT
/*
 * batch.c - reads of a list that one io_submit completes.
 *
 * The thread holds the claim on the event ring meanwhile, so it finds its events there itself, and
 * no request is in progress after the call.  While another thread is at the ring, nothing is read.
 */
#include "lane/batch.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/uio.h>

#include "base/config.h"
#include "base/stats.h"
#include "engine/aio_context.h"
#include "lane/event_ring.h"
#include "lane/inline.h"
#include "lane/reaper.h"
#include "order/filter.h"

#define BYTES_MAX   262144u /* in one call, which has all signals blocked */
#define IN_PROGRESS (-(ssize_t)EINPROGRESS)
#define ENTRY_FLAG  ((uintptr_t)1) /* in the data of an event, where records have none */

/*
 * A process with a context of Linux AIO takes some 30 ms longer to exit (Linux 6.18): the kernel
 * waits until no CPU uses it (RCU).  So one that has none does without for so many reads of lists.
 */
#define READS_MIN 4096u

static _Atomic unsigned nr_reads;

bool batch_open(struct batch *batch, int nr)
{
	batch->fd = -1;
	batch->nr = 0;
	batch->nbytes = 0;
	return nr > (int)BATCH_MIN && !aio_context_is_refused() && config.inline_lane &&
	       (config.backend == BACKEND_AUTO || config.backend == BACKEND_LIBAIO);
}

/* There is a context already, or the process has read so much that it will probably go on. */
static bool is_worth_a_context(void)
{
	return aio_context() || config.is_always_ahead ||
	       atomic_fetch_add_explicit(&nr_reads, 1, memory_order_relaxed) >= READS_MIN;
}

void batch_begin(struct batch *batch, int fd, enum file_kind kind)
{
	if (fd != batch->fd && is_worth_a_context() && reaper_has_context()) {
		batch->fd = fd;
		batch->kind = kind;
	}
}

static bool may_add(const struct batch *batch, const struct aiocb *cb)
{
	struct filter_range range = { .fd = batch->fd, .start = cb->aio_offset };

	return cb->aio_fildes == batch->fd && cb->aio_nbytes > 0 &&
	       cb->aio_nbytes <= INLINE_BYTES_MAX && cb->aio_offset >= 0 &&
	       batch->nbytes + cb->aio_nbytes <= BYTES_MAX && batch->nr < BATCH_MAX &&
	       !__builtin_add_overflow(cb->aio_offset, cb->aio_nbytes, &range.end) &&
	       !filter_may_conflict_anywhere(&range);
}

bool batch_add(struct batch *batch, struct aiocb *cb)
{
	struct batch_entry *entry = &batch->entries[batch->nr];

	if (!may_add(batch, cb))
		return false;
	entry->cb = cb;
	io_prep_pread(&entry->iocb, batch->fd, (void *)(uintptr_t)cb->aio_buf, cb->aio_nbytes,
		      cb->aio_offset);
	if (batch->kind != FILE_MEMORY)
		entry->iocb.aio_rw_flags = RWF_NOWAIT;
	entry->iocb.data = (void *)((uintptr_t)entry | ENTRY_FLAG);
	batch->nbytes += cb->aio_nbytes;
	batch->nr++;
	return true;
}

static void submit(void *arg)
{
	struct batch *batch = arg;
	struct iocb *iocbs[BATCH_MAX];
	int nr;

	for (unsigned i = 0; i < batch->nr; i++) {
		batch->entries[i].res = IN_PROGRESS;
		iocbs[i] = &batch->entries[i].iocb;
	}
	nr = aio_context_submit((int)batch->nr, iocbs);
	for (unsigned i = nr > 0 ? (unsigned)nr : 0; i < batch->nr; i++)
		batch->entries[i].res = -EAGAIN;
}

/* All reads are over at once, unless the file was switched to O_DIRECT meanwhile. */
static bool is_over(const void *arg)
{
	const struct batch *batch = arg;

	for (unsigned i = 0; i < batch->nr; i++)
		if (batch->entries[i].res == IN_PROGRESS)
			return false;
	return true;
}

bool batch_read(struct batch *batch)
{
	if (batch->nr < BATCH_MIN || !event_ring_submit(submit, is_over, batch))
		return false;
	stats_inc(inline_batches);
	return true;
}

bool batch_note(void *data, ssize_t res)
{
	struct batch_entry *entry = (struct batch_entry *)((uintptr_t)data & ~ENTRY_FLAG);

	if (!((uintptr_t)data & ENTRY_FLAG))
		return false;
	entry->res = res;
	fd_hints_note_read((int)entry->iocb.aio_fildes, batch_has_read(entry));
	return true;
}

void batch_after_fork(void)
{
	atomic_store(&nr_reads, 0);
}
