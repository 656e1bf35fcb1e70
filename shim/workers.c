// SPDX-License-Identifier: MIT
/*
 * workers.c - threads that execute requests by plain system calls.
 */
#include "workers.h"

#include <errno.h>
#include <fcntl.h>

#include "config.h"
#include "engine.h"
#include "futex.h"
#include "perform.h"
#include "pool.h"

#define DUPLICATE_MIN      1000   /* out of the way of the program's numbers */
#define STREAM_WORKERS_MAX 32768u /* one each for what blocks; the system's limits come first */

static void execute(struct request *req);

static void (*executed)(struct request *req);
static struct pool file_workers = POOL_INIT(file_workers, "rtaio-file", execute);
static struct pool stream_workers = POOL_INIT(stream_workers, "rtaio-stream", execute);

static void release_number(struct request *req)
{
	if (atomic_exchange(&req->is_held, false))
		descriptor_release(req->fd);
}

/*
 * A stream may block for ever, and closing its number must not wait that long:
 * work on a duplicate, which means what the number meant.  Closing a duplicate
 * drops record locks, but those belong to files.  Without a free number the
 * number itself stays held.
 */
static ssize_t perform_on_duplicate(struct request *req)
{
	int fd = (int)RAW_SYSCALL(SYS_fcntl, req->fd, F_DUPFD_CLOEXEC, DUPLICATE_MIN);
	ssize_t res = -ECANCELED;

	if (fd < 0)
		return descriptor_means(req->fd, &req->descriptor) ? perform(req, req->fd) : res;
	if (descriptor_means(fd, &req->descriptor)) {
		release_number(req);
		res = perform(req, fd);
	}
	/* Unless the program has closed it, too, and opened something else there. */
	if (descriptor_means(fd, &req->descriptor))
		RAW_SYSCALL(SYS_close, fd);
	return res;
}

/* On a worker thread. */
static void execute(struct request *req)
{
	if (!descriptor_is_file(&req->descriptor))
		req->res = perform_on_duplicate(req);
	else if (descriptor_means(req->fd, &req->descriptor))
		req->res = perform(req, req->fd);
	else
		req->res = -ECANCELED;
	req->message.kind = MESSAGE_EXECUTED;
	executed(req);
	/* The engine stays while requests are in flight: the inbox is open. */
	inbox_push(&engine_inbox, &req->message, &req->message);
}

/*
 * The kernel lets one buffered write at a time into an inode; others spin for
 * its lock, on processors that the program could use.
 */
static uint64_t inode_of_copy(const struct request *req)
{
	if (req->op != OP_WRITE || !S_ISREG(req->descriptor.mode) ||
	    (req->descriptor.flags & O_DIRECT))
		return 0;
	return descriptor_inode_key(&req->descriptor);
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

void workers_start(void (*executed_)(struct request *req))
{
	executed = executed_;
	file_workers.key_of = inode_of_copy;
	file_workers.nr_eager = file_workers.nr_max = config.threads_max;
	stream_workers.nr_eager = stream_workers.nr_max = STREAM_WORKERS_MAX;
}

void workers_forget(void)
{
	pool_forget(&file_workers);
	pool_forget(&stream_workers);
}
