// SPDX-License-Identifier: MIT
/*
 * completion.c - results that other threads than the engine publish.
 *
 * A worker that executed a request, and whoever reaps the direct lane.  The
 * engine is on the other side: it gets messages, and does what is left.
 */
#include "completion.h"

#include <errno.h>
#include <signal.h>

#include "desk.h"
#include "direct.h"
#include "engine.h"
#include "epoch.h"
#include "futex.h"
#include "group.h"
#include "notify.h"
#include "outside.h"
#include "perform.h"
#include "publish.h"
#include "reaper.h"
#include "stats.h"
#include "submit.h"
#include "waiter.h"
#include "workers.h"

/* --- on a worker ------------------------------------------------------ */

/*
 * A waiter need not wait for the engine, too, which has the queue and the rest
 * to see to.  Unless a notification is due: no program shall see the result
 * long before it.
 */
static void on_executed(struct request *req)
{
	uint64_t interest;

	if (notify_is_wanted(&req->notification))
		return;
	req->res = publish_final_result(req);
	req->done = 0;
	if (!request_is_barrier(req))
		submit_lower_filter(req);
	/* Partner: is_out_of_reach() in cancel.c. */
	atomic_store(&req->publication, PUBLICATION_BEGUN);
	interest = publish_result(req, req->res);
	submit_lower_filter(req); /* of a sync, which a later one must not seem to overtake */
	atomic_store(&req->publication, PUBLICATION_DONE);
	waiter_wake_slots(waiter_wake(req, interest));
}

/* --- the direct lane, in whatever thread reaps ------------------------- */

static struct message drained_message = { .kind = MESSAGE_DRAINED };
static _Atomic bool is_drained_posted; /* the message lies in the inbox: one at a time */

static struct message reaper_message = { .kind = MESSAGE_REAPER };
static _Atomic bool is_reaper_posted; /* likewise */

/*
 * What does not notify, nor its list.  Until it is published its lane's marks
 * stay: aio_cancel looks at them.  Then it counts no longer: a barrier that this
 * lets through finds the effect, and who is woken may submit one at once.
 * Returns wait slots to wake.
 */
static uint64_t complete_outside(struct request *req, ssize_t res)
{
	struct request *group = req->group;
	uint64_t interest, slots;

	interest = publish_result(req, res);
	epoch_leave(req->fd, req->epoch);
	slots = waiter_wake(req, interest);
	if (group && group_leave(group, res < 0))
		slots |= publish_silent_group(group);
	return slots;
}

static uint64_t on_direct_complete(struct request *req, ssize_t res)
{
	struct request *group = req->group;
	uint64_t slots;

	if (group)
		atomic_fetch_sub(&group->nr_direct, 1);
	if (req->op == OP_READ)
		stats_inc(direct_reads);
	else
		stats_inc(direct_writes);
	slots = complete_outside(req, res);
	request_free(req);
	return slots;
}

/* From the push on the engine may do anything with it: the list is told before. */
static bool push_bounced(struct request *req)
{
	struct request *group = req->group;

	atomic_store(&req->is_direct, false);
	if (group)
		atomic_fetch_sub(&group->nr_direct, 1);
	if (inbox_push(&engine_inbox, &req->message, &req->message))
		return true;
	if (group)
		atomic_fetch_add(&group->nr_direct, 1);
	return false;
}

/*
 * To the engine, if there is one: none is started here, where the thread may
 * be in a handler.  Then it waits for the file system after all.
 */
static uint64_t on_direct_bounce(struct request *req)
{
	ssize_t res = -ECANCELED;

	atomic_store(&req->is_bounced, true);
	request_set_state(req, REQ_QUEUED);
	request_hold_descriptor(req);
	descriptor_get_inode(req->fd, &req->descriptor);
	/* In this order: what a close has not marked yet was looked at before it. */
	if (outside_is_disowned(req))
		req->descriptor.err = ECANCELED;
	if (push_bounced(req))
		return 0;
	if (descriptor_means(req->fd, &req->descriptor))
		res = perform(req, req->fd);
	request_release_descriptor(req);
	outside_leave_range(req);
	return on_direct_complete(req, res);
}

static void on_direct_drained(void)
{
	if (!atomic_exchange(&is_drained_posted, true) &&
	    !inbox_push(&engine_inbox, &drained_message, &drained_message))
		atomic_store(&is_drained_posted, false);
}

bool completion_ask_for_reaper(void)
{
	if (reaper_want(true) || atomic_exchange(&is_reaper_posted, true))
		return true;
	if (inbox_push(&engine_inbox, &reaper_message, &reaper_message))
		return true;
	atomic_store(&is_reaper_posted, false);
	return false;
}

static const struct direct_events direct_client = {
	.complete = on_direct_complete,
	.bounce = on_direct_bounce,
	.drained = on_direct_drained,
};

static uint64_t on_beside_complete(struct request *req, ssize_t res)
{
	if (req->op == OP_READ)
		stats_inc(beside_reads);
	else if (req->op == OP_WRITE)
		stats_inc(beside_writes);
	else
		stats_inc(beside_syncs);
	return complete_outside(req, res);
}

static void on_beside_bounce(struct request *req)
{
	atomic_store(&req->is_bounced, true);
	request_set_state(req, REQ_QUEUED);
	descriptor_get_inode(req->fd, &req->descriptor);
	/* Before the next one is looked at, which may follow it. */
	submit_raise_filter(req);
	if (engine_hand_over(&req->message, &req->message) == 0)
		return;
	submit_lower_filter(req);
	desk_end(req, perform(req, req->fd));
}

static struct message beside_message = { .kind = MESSAGE_BESIDE };
static _Atomic bool is_beside_posted;

/* A handler that jumped out in between would leave the mark for ever. */
static void on_beside_want(void)
{
	uint64_t all = UINT64_MAX, old;

	RAW_SYSCALL(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, sizeof(all));
	if (!atomic_exchange(&is_beside_posted, true) &&
	    engine_hand_over(&beside_message, &beside_message) < 0)
		atomic_store(&is_beside_posted, false);
	RAW_SYSCALL(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, sizeof(old));
}

static const struct desk_events beside_client = {
	.complete = on_beside_complete,
	.bounce = on_beside_bounce,
	.want = on_beside_want,
};

void completion_beside_refused(void)
{
	atomic_store(&is_beside_posted, false);
}

void completion_beside_received(void)
{
	atomic_store(&is_beside_posted, false);
	desk_start();
}

void completion_reaper_received(void)
{
	reaper_start();
	atomic_store(&is_reaper_posted, false);
}

void completion_drained_received(void)
{
	atomic_store(&is_drained_posted, false);
}

void completion_start(void)
{
	workers_start(on_executed);
	direct_init(&direct_client);
	desk_init(&beside_client);
	atomic_store(&is_beside_posted, false);
	atomic_store(&is_drained_posted, false);
	atomic_store(&is_reaper_posted, false);
}
