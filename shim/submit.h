/* SPDX-License-Identifier: MIT */
/*
 * submit.h - from the program's aiocb to the lane that serves it.
 *
 * All of it runs in the submitting thread, also in signal handlers.
 */
#ifndef RTAIO_SUBMIT_H
#define RTAIO_SUBMIT_H

#include <aio.h>
#include <stdbool.h>

#include "request.h"

/*
 * Begin what @cb asks for.  *out is NULL when it is complete already (the
 * inline lane) or under way (beside), or the prepared record, to be given to
 * submit_list(), which marks @cb.  What is not complete is a member of @group,
 * unless that is NULL.  @may_go_outside: nobody is to be told of the list it is part
 * of.  0, 1 when it is under way, or -EAGAIN when memory is out.
 */
int submit_begin(struct aiocb *cb, enum request_op op, const struct sigevent *event,
		 bool may_go_outside, struct request *group, struct request **out);

/*
 * Submit those of @list that the direct lane serves, and leave the others in
 * it, in their order, what the lane did not take first.  True: any is under way.
 */
bool submit_direct(struct request_list *list);

/*
 * Hand over prepared requests, in their order (through list_link), and mark
 * their aiocbs.  0 or -errno; then none was handed to the engine and those are
 * freed, while what the direct lane took is
 * under way.  *has_started becomes true when anything is.
 */
int submit_list(struct request_list *list, bool *has_started);

/*
 * [any thread] Lanes that act at once leave what overlaps @req to the engine,
 * until its effect is there.
 */
void submit_raise_filter(struct request *req);
void submit_lower_filter(struct request *req);

/* Let go of a group after its members were handed over. */
void submit_release_group(struct request *group);

#endif
