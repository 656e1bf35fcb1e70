/* SPDX-License-Identifier: MIT */
/*
 * lio_group.h - one lio_listio(): a record that is complete when its members are.
 *
 * A group is a request record of its own (OP_GROUP): a waiter sleeps on its
 * generation, its notification goes the way of every notification.
 *
 * Two counts.  members: requests not yet complete, plus one that the submitter
 * holds until the list is handed over.  holders: the members together hold
 * one reference, a LIO_WAIT caller one; the last to let go frees.  So an
 * interrupted waiter leaves nothing behind.  test/model/lio_group.pml is the model.
 */
#ifndef RTAIO_LIO_GROUP_H
#define RTAIO_LIO_GROUP_H

#include "request/request.h"

/* [submitter] A group held by its submitter; @has_waiter: and by a waiter.  NULL: no memory. */
struct request *lio_group_open(bool has_waiter);

/* [submitter] One more member. */
void lio_group_join(struct request *group, struct request *member);

/*
 * [any thread] A member is complete (or the submitter lets go).  True for the
 * last: the caller publishes the group.
 */
bool lio_group_leave(struct request *group, bool has_failed);

/* [any thread] Drop a holder; the last frees the record. */
void lio_group_put(struct request *group);

/* [waiter, while it holds] Did any member end with an error? */
bool lio_group_has_failed(const struct request *group);

#endif
