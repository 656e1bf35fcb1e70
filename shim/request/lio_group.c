// SPDX-License-Identifier: MIT
/*
 * lio_group.c - one lio_listio(): a record that is complete when its members are.
 */
#include "request/lio_group.h"

#include <stddef.h>

struct request *lio_group_open(bool has_waiter)
{
	struct request *group = request_alloc();

	if (!group)
		return NULL;
	group->op = OP_GROUP;
	group->message.kind = MESSAGE_GROUP;
	atomic_store(&group->members, 1);
	atomic_store(&group->holders, has_waiter ? 2 : 1);
	request_note_time(group);
	return group;
}

void lio_group_join(struct request *group, struct request *member)
{
	member->group = group;
	atomic_fetch_add(&group->members, 1);
}

void lio_group_note_failure(struct request *group)
{
	atomic_store(&group->has_failed, true);
}

bool lio_group_leave(struct request *group, bool has_failed)
{
	if (has_failed)
		lio_group_note_failure(group);
	/* Releases has_failed to the thread that finds zero and publishes. */
	return atomic_fetch_sub(&group->members, 1) == 1;
}

void lio_group_put(struct request *group)
{
	if (atomic_fetch_sub(&group->holders, 1) == 1)
		request_free(group);
}

bool lio_group_has_failed(const struct request *group)
{
	return atomic_load(&group->has_failed);
}
