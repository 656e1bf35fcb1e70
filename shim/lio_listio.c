// SPDX-License-Identifier: MIT
/*
 * lio_listio.c - submit a list of requests.
 *
 * The list is handed over whole: nothing in it completes before all of it is
 * in.  There is no limit on its length.
 *
 * Two functions bear the name.  The one of GLIBC_2.2.5 (x86-64) suppresses the
 * notification of each entry and says so in it; glibc 2.34 broke it, glibc
 * 2.31's meaning is kept here.
 */
#include <aio.h>
#include <errno.h>

#include "abi.h"
#include "submit.h"
#include "forward.h"
#include "group.h"
#include "interface.h"
#include "notify.h"
#include "stats.h"
#include "waiter.h"

/* glibc's opcodes beside the public ones, and the flag of its 64-bit entry points. */
enum { LIO_DSYNC = 3, LIO_SYNC = 4, LIO_KNOWN_BITS = 127 };

struct list {
	struct request_list accepted;
	struct request *group;
	bool has_started;  /* any entry is accepted, or complete already */
	int rejection;     /* errno of the last entry that was refused, or 0 */
	bool keeps_silent; /* entries are not notified */
};

static enum request_op op_of(int opcode)
{
	if ((opcode & LIO_KNOWN_BITS) == LIO_READ)
		return OP_READ;
	if ((opcode & LIO_KNOWN_BITS) == LIO_WRITE)
		return OP_WRITE;
	if (opcode == LIO_DSYNC)
		return OP_FDATASYNC;
	if (opcode == LIO_SYNC)
		return OP_FSYNC;
	return OP_INVALID;
}

static void add_entry(struct list *list, struct aiocb *cb)
{
	struct request *req;

	if (list->keeps_silent)
		cb->aio_sigevent.sigev_notify = SIGEV_NONE;
	if (!interface_check_priority(cb)) {
		list->rejection = EINVAL;
		return;
	}
	if (submit_begin(cb, op_of(cb->aio_lio_opcode), &cb->aio_sigevent, &req) < 0) {
		list->rejection = EAGAIN;
		return;
	}
	list->has_started = true;
	if (req) {
		group_join(list->group, req);
		TAILQ_INSERT_TAIL(&list->accepted, req, list_link);
	}
}

/* Until the group is published, or -EINTR. */
static int wait_for_group(request_handle handle)
{
	int ret = 0;

	while (ret == 0 && request_lookup(handle))
		ret = waiter_wait_one(handle, NULL, false);
	return request_lookup(handle) ? ret : 0;
}

/* The waiter's reference, and the members': for a list that has no member. */
static void drop_group(struct request *group)
{
	group_put(group);
	group_put(group);
}

static int submit_and_wait(struct list *list)
{
	request_handle handle = request_handle_of(list->group);
	int ret;

	if (TAILQ_EMPTY(&list->accepted)) {
		drop_group(list->group);
		return list->rejection && list->has_started ? -EIO : -list->rejection;
	}
	ret = submit_list(&list->accepted);
	if (ret < 0) {
		drop_group(list->group);
		return ret;
	}
	submit_release_group(list->group);
	ret = wait_for_group(handle);
	if (ret == 0 && (list->rejection || group_has_failed(list->group)))
		ret = -EIO;
	group_put(list->group);
	return ret;
}

static int submit_and_go(struct list *list, const struct sigevent *event)
{
	int ret = notify_prepare(&list->group->notification, event);

	if (ret == 0 && !TAILQ_EMPTY(&list->accepted))
		ret = submit_list(&list->accepted);
	if (ret < 0) {
		notify_discard(&list->group->notification);
		group_put(list->group);
		return ret;
	}
	submit_release_group(list->group);
	return -list->rejection;
}

static int submit_entries(int mode, struct aiocb *const entries[], int nent, struct sigevent *event,
			  bool keeps_silent)
{
	struct list list = { .keeps_silent = keeps_silent };

	TAILQ_INIT(&list.accepted);
	list.group = group_open(mode == LIO_WAIT);
	if (!list.group)
		return -EAGAIN;
	for (int i = 0; i < nent; i++)
		if (entries[i] && entries[i]->aio_lio_opcode != LIO_NOP)
			add_entry(&list, entries[i]);
	stats_inc(lists);
	return mode == LIO_WAIT ? submit_and_wait(&list) : submit_and_go(&list, event);
}

static int checked_submit(int mode, struct aiocb *const entries[], int nent, struct sigevent *event,
			  bool is_old)
{
	int ret;

	if ((mode != LIO_WAIT && mode != LIO_NOWAIT) || nent < 0)
		return interface_fail(EINVAL);
	ret = interface_enter();
	if (ret < 0)
		return interface_fail(-ret);
	if (forward_is_on())
		return (is_old ? forward.lio_listio_old : forward.lio_listio)(mode, entries, nent,
									      event);
	ret = submit_entries(mode, entries, nent, event, is_old);
	return ret < 0 ? interface_fail(-ret) : 0;
}

EXPORT int rtaio_lio_listio(int mode, struct aiocb *const entries[], int nent,
			    struct sigevent *event);
EXPORT int rtaio_lio_listio_old(int mode, struct aiocb *const entries[], int nent,
				struct sigevent *event);

int rtaio_lio_listio(int mode, struct aiocb *const entries[], int nent, struct sigevent *event)
{
	return checked_submit(mode, entries, nent, event, false);
}

int rtaio_lio_listio_old(int mode, struct aiocb *const entries[], int nent, struct sigevent *event)
{
	return checked_submit(mode, entries, nent, event, true);
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
