/* SPDX-License-Identifier: MIT */
/*
 * lio_group.h - one lio_listio(): a record that is complete when its members are.
 *
 * A group is a request record (OP_GROUP), so its waiter and its notification work like those
 * of a request.
 *
 * It has two counters.  members: requests not yet complete, plus one for the submitter until
 * the list is handed over.  holders: references, one for all members together and one for a
 * LIO_WAIT caller.  The last holder frees the record, so an interrupted waiter leaves nothing
 * behind.  Model: test/model/lio_group.pml.
 */
#ifndef RTAIO_LIO_GROUP_H
#define RTAIO_LIO_GROUP_H

#include "request/request.h"

/* [submitter] A group; @has_waiter: with a reference for a LIO_WAIT caller.  NULL: no memory. */
struct request *lio_group_open(bool has_waiter);

void lio_group_join(struct request *group, struct request *member);

/* [submitter] An entry that needed no member ended with an error. */
void lio_group_note_failure(struct request *group);

/* [any thread] A member is complete, or the submitter is done.  True: the caller publishes it. */
bool lio_group_leave(struct request *group, bool has_failed);

/* [any thread] Drop a reference. */
void lio_group_put(struct request *group);

/* [waiter, before lio_group_put()] Did any member end with an error? */
bool lio_group_has_failed(const struct request *group);

#endif
