/* SPDX-License-Identifier: MIT */
/*
 * dispatch.h - the life of a request: from the interface to the backends and back.
 *
 * Read the essay at the top of dispatch.c first.
 */
#ifndef RTAIO_DISPATCH_H
#define RTAIO_DISPATCH_H

#include <aio.h>
#include <stdbool.h>

#include "request.h"

/* Connect the layers.  Before the first request. */
void dispatch_start(void);

/*
 * [submitter] Make a record of what @cb asks for; nothing is handed over and
 * @cb is not touched.  NULL when memory is out.
 */
struct request *dispatch_prepare(struct aiocb *cb, enum request_op op,
				 const struct sigevent *event);

/*
 * [submitter] Hand over prepared requests, in their order (through list_link),
 * and mark their aiocbs.  0 or -errno; then none was handed over and all are
 * freed.
 */
int dispatch_submit(struct request_list *list);

/* [submitter] Let go of a group after its members were handed over. */
void dispatch_release_group(struct request *group);

/*
 * [any thread] aio_cancel: one of AIO_CANCELED, AIO_NOTCANCELED, AIO_ALLDONE.
 * @handle 0: everything on @fd.
 */
int dispatch_cancel(int fd, request_handle handle);

/*
 * [any thread] The descriptors @first .. @last are about to be closed: wait
 * until no accepted request depends on their numbers any more.
 */
void dispatch_before_close(int first, int last);

/* Child of a fork: nothing is queued or in flight. */
void dispatch_forget(void);

#endif
