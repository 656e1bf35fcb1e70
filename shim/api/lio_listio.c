// SPDX-License-Identifier: MIT
/*
 * lio_listio.c - submit a list of requests.
 *
 * The engine gets its part of a list at once, the direct lane a batch at a time.  Entries that need
 * no wait may complete before later ones are examined.
 * A list may have any length; a negative length means an empty list, as -1 does in glibc.
 *
 * The name has two versions.  That of GLIBC_2.2.5 (x86-64) suppresses the notification of each
 * entry and stores SIGEV_NONE in it.  glibc 2.34 broke this; here it is as in glibc 2.31.
 */
#include <aio.h>
#include <errno.h>

#include "api/calls.h"
#include "api/entry.h"
#include "api/submit.h"
#include "base/process.h"
#include "base/stats.h"
#include "base/symver.h"
#include "lane/batch.h"
#include "lane/event_ring.h"
#include "lane/submit_ahead.h"
#include "request/lio_group.h"
#include "request/notify.h"
#include "request/waiter.h"
#include "rtaio.h"

/* glibc's private opcodes, and a mask for the flag (128) of its 64-bit entry points. */
enum { LIO_DSYNC = 3, LIO_SYNC = 4, LIO_KNOWN_BITS = 127 };

struct list {
	struct submission submission;
	struct request *group;
	uint32_t process;  /* process_generation when the group was opened */
	int rejection;     /* errno of the last entry that was refused, or 0 */
	bool keeps_silent; /* entries send no notification */
};

static enum request_op op_of(int opcode)
{
	switch (opcode & LIO_KNOWN_BITS) {
	case LIO_READ:
	case LIO_READV:
		return OP_READ;
	case LIO_WRITE:
	case LIO_WRITEV:
		return OP_WRITE;
	}
	if (opcode == LIO_DSYNC)
		return OP_FDATASYNC;
	if (opcode == LIO_SYNC)
		return OP_FSYNC;
	return OP_INVALID;
}

static void add_entry(struct list *list, struct aiocb *cb)
{
	enum request_op op = op_of(cb->aio_lio_opcode);
	int ret;

	if (list->keeps_silent)
		cb->aio_sigevent.sigev_notify = SIGEV_NONE;
	if (op == OP_FSYNC || op == OP_FDATASYNC)
		cb->aio_reqprio = 0; /* as in aio_fsync: any value is accepted */
	if (!entry_check_priority(cb)) {
		list->rejection = EINVAL;
		return;
	}
	ret = submit_begin(&list->submission, cb, op,
			   op != OP_INVALID && cb->aio_lio_opcode & LIO_VECTORED);
	if (ret < 0)
		list->rejection = -ret;
}

static bool has_left_direct(const void *arg)
{
	const struct request *group = arg;

	return atomic_load(&group->nr_direct) == 0;
}

/* Wait at the event ring while members are on the direct lane, unless another thread is there. */
static int wait_once(struct request *group, request_handle handle)
{
	int ret;

	if (has_left_direct(group))
		return waiter_wait_one(handle, NULL, false);
	ret = event_ring_wait(has_left_direct, group, NULL, false);
	if (ret != -EBUSY)
		return entry_restart(ret);
	event_ring_begin_wait();
	ret = waiter_wait_one(handle, NULL, false);
	event_ring_end_wait();
	return ret;
}

/* 0 when the group is published, or -EINTR. */
static int wait_for_group(struct request *group, request_handle handle)
{
	int ret = 0;

	while (ret == 0 && request_lookup(handle))
		ret = wait_once(group, handle);
	return request_lookup(handle) ? ret : 0;
}

static void submit_prepared(struct list *list)
{
	int ret = submit_close(&list->submission);

	if (ret < 0)
		list->rejection = -ret;
}

static int submit_and_wait(struct list *list)
{
	request_handle handle = request_handle_of(list->group);
	int ret;

	if (!process_is_still(list->process))
		return -EINTR; /* a handler has forked: the child has lost the group */
	submit_prepared(list);
	submit_release_group(list->group, false);
	ret = wait_for_group(list->group, handle);
	if (!process_is_still(list->process))
		return -EINTR;
	if (ret == 0 && list->rejection)
		ret = list->submission.has_started ? -EIO : -list->rejection;
	else if (ret == 0 && lio_group_has_failed(list->group))
		ret = -EIO;
	lio_group_put(list->group);
	return ret;
}

static int submit_and_go(struct list *list)
{
	bool is_empty;
	int ret;

	submit_prepared(list);
	is_empty = !list->submission.has_started && !list->rejection;
	ret = submit_release_group(list->group, is_empty);
	return list->rejection ? -list->rejection : ret;
}

/* Make the group, for LIO_NOWAIT with its notification. */
static int open_list(struct list *list, int mode, const struct sigevent *event)
{
	int ret = 0;

	list->process = atomic_load(&process_generation);
	list->group = lio_group_open(mode == LIO_WAIT);
	if (!list->group)
		return -EAGAIN;
	if (mode == LIO_NOWAIT)
		ret = notify_prepare(&list->group->notification, event);
	if (ret < 0) {
		lio_group_put(list->group);
		return ret;
	}
	submit_open(&list->submission, list->group, !notify_is_wanted(&list->group->notification));
	return 0;
}

static bool is_to_be_done(const struct aiocb *cb)
{
	return cb && cb->aio_lio_opcode != LIO_NOP;
}

/* No entry begins; record @err in each. */
static int refuse_entries(struct aiocb *const entries[], int nent, int err)
{
	for (int i = 0; i < nent; i++) {
		if (is_to_be_done(entries[i]))
			entry_refuse(entries[i], err);
	}
	return -err;
}

static int submit_entries(int mode, struct aiocb *const entries[], int nent, struct sigevent *event,
			  bool keeps_silent)
{
	struct list list = { .keeps_silent = keeps_silent };
	struct batch batch; /* not zeroed: it is large */
	int ret = open_list(&list, mode, event);

	if (ret < 0)
		return refuse_entries(entries, nent, -ret);
	if (batch_open(&batch, nent))
		list.submission.batch = &batch;
	for (int i = 0; i < nent; i++) {
		if (!is_to_be_done(entries[i]))
			continue;
		if (mode == LIO_WAIT)
			submit_ahead_note_wait(); /* the call need not be short */
		add_entry(&list, entries[i]);
	}
	stats_inc(lists);
	return mode == LIO_WAIT ? submit_and_wait(&list) : submit_and_go(&list);
}

int own_lio_listio(int mode, struct aiocb *const entries[], int nent, struct sigevent *event)
{
	int ret = submit_entries(mode, entries, nent, event, false);

	return ret < 0 ? entry_fail(-ret) : 0;
}

int own_lio_listio_old(int mode, struct aiocb *const entries[], int nent, struct sigevent *event)
{
	int ret = submit_entries(mode, entries, nent, event, true);

	return ret < 0 ? entry_fail(-ret) : 0;
}

/* False, with errno. */
static bool check_and_enter(int mode, struct aiocb *const entries[], int nent)
{
	if (mode != LIO_WAIT && mode != LIO_NOWAIT)
		errno = EINVAL;
	else if (!entry_enter())
		errno = -refuse_entries(entries, nent, errno);
	else
		return true;
	return false;
}

EXPORT int rtaio_lio_listio(int mode, struct aiocb *const entries[], int nent,
			    struct sigevent *event);
EXPORT int rtaio_lio_listio_old(int mode, struct aiocb *const entries[], int nent,
				struct sigevent *event);

int rtaio_lio_listio(int mode, struct aiocb *const entries[], int nent, struct sigevent *event)
{
	const struct aio_calls *detour;

	if (!check_and_enter(mode, entries, nent))
		return -1;
	detour = calls_find_detour();
	return (detour ? detour->lio_listio : own_lio_listio)(mode, entries, nent, event);
}

int rtaio_lio_listio_old(int mode, struct aiocb *const entries[], int nent, struct sigevent *event)
{
	const struct aio_calls *detour;

	if (!check_and_enter(mode, entries, nent))
		return -1;
	detour = calls_find_detour();
	return (detour ? detour->lio_listio_old : own_lio_listio_old)(mode, entries, nent, event);
}

SYMVER(rtaio_lio_listio, lio_listio, "@@", GLIBC_LIBC);
SYMVER(rtaio_lio_listio, lio_listio64, "@@", GLIBC_LIBC);
#if defined(__x86_64__)
SYMVER(rtaio_lio_listio, lio_listio, "@", "GLIBC_2.4");
SYMVER(rtaio_lio_listio, lio_listio64, "@", "GLIBC_2.4");
SYMVER(rtaio_lio_listio_old, lio_listio, "@", GLIBC_BASE);
SYMVER(rtaio_lio_listio_old, lio_listio64, "@", GLIBC_BASE);
#else
SYMVER(rtaio_lio_listio, lio_listio, "@", GLIBC_BASE);
SYMVER(rtaio_lio_listio, lio_listio64, "@", GLIBC_BASE);
#endif
