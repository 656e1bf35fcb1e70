/* SPDX-License-Identifier: MIT */
/*
 * submit.h - from the program's aiocb to the lane that serves it.
 *
 * All of it runs in the submitting thread, also in signal handlers.
 */
#ifndef RTAIO_SUBMIT_H
#define RTAIO_SUBMIT_H

#include <aio.h>

#include "request.h"

/*
 * Make a record of what @cb asks for; nothing is handed over and @cb is not
 * touched.  NULL when memory is out.
 */
struct request *submit_prepare(struct aiocb *cb, enum request_op op, const struct sigevent *event);

/*
 * Hand over prepared requests, in their order (through list_link), and mark
 * their aiocbs.  0 or -errno; then none was handed over and all are freed.
 */
int submit_list(struct request_list *list);

/* Let go of a group after its members were handed over. */
void submit_release_group(struct request *group);

#endif
