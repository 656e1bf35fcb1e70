// SPDX-License-Identifier: MIT
/*
 * workers.c - threads that execute requests by plain system calls.
 */
#include "workers.h"

#include <errno.h>

#include "config.h"
#include "inbox.h"
#include "perform.h"
#include "pool.h"

#define STREAM_WORKERS_MAX 32768u /* one each for what blocks; the system's limits come first */

static void execute(struct request *req);

static struct pool file_workers = POOL_INIT(file_workers, "rtaio-file", execute);
static struct pool stream_workers = POOL_INIT(stream_workers, "rtaio-stream", execute);

/* On a worker thread. */
static void execute(struct request *req)
{
	bool is_right = descriptor_means(req->fd, &req->descriptor);

	/*
	 * A stream may block for ever, and closing its number must not wait
	 * that long: the number counts as resolved from here on.
	 */
	if (!descriptor_is_file(&req->descriptor) && atomic_exchange(&req->is_held, false))
		descriptor_release(req->fd);
	req->res = is_right ? perform(req) : -ECANCELED;
	req->message.kind = MESSAGE_EXECUTED;
	/* The engine stays while requests are in flight: the inbox is open. */
	inbox_push(&req->message, &req->message);
}

int workers_submit(struct request *req)
{
	return pool_submit(descriptor_is_file(&req->descriptor) ? &file_workers : &stream_workers,
			   req);
}

bool workers_are_waiting(void)
{
	return pool_is_waiting(&file_workers) || pool_is_waiting(&stream_workers);
}

void workers_tick(void)
{
	pool_tick(&file_workers);
	pool_tick(&stream_workers);
}

void workers_start(void)
{
	file_workers.nr_eager = file_workers.nr_max = config.threads_max;
	stream_workers.nr_eager = stream_workers.nr_max = STREAM_WORKERS_MAX;
}

void workers_forget(void)
{
	pool_forget(&file_workers);
	pool_forget(&stream_workers);
}
