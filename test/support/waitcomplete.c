// SPDX-License-Identifier: MIT
/*
 * waitcomplete.c - aio_waitcomplete(), looked up by name
 *
 * The contracts are in waitcomplete.h.
 */
#include "waitcomplete.h"

#include <dlfcn.h>

const struct timespec at_once;

static ssize_t (*waitcomplete)(struct aiocb **iocbp, const struct timespec *timeout);

bool has_waitcomplete(void)
{
	void *symbol = dlsym(RTLD_DEFAULT, "aio_waitcomplete");

	memcpy(&waitcomplete, &symbol, sizeof(waitcomplete));
	if (!waitcomplete)
		printf("the implementation has no aio_waitcomplete");
	return waitcomplete != NULL;
}

struct aiocb *collect(ssize_t *res, const struct timespec *timeout)
{
	struct aiocb *cb = (struct aiocb *)res; /* any value that the call has to change */

	*res = waitcomplete(&cb, timeout);
	if (*res < 0) {
		check_equal(*res, -1);
		*res = -errno;
	}
	return cb;
}

struct aiocb *collect_next(ssize_t *res)
{
	struct timespec timeout = { .tv_sec = default_deadline_ms() / 1000 };

	return collect(res, &timeout);
}

ssize_t collect_this(const struct aiocb *cb)
{
	ssize_t res;
	const struct aiocb *found = collect_next(&res);

	if (!found)
		check_failed("nothing came: %s", strerror((int)-res));
	check(found == cb);
	check_equal(aio_error(cb), res < 0 ? -res : 0);
	return res;
}

void check_nothing_left(void)
{
	ssize_t res;

	check(collect(&res, &at_once) == NULL);
	check_equal(res, -EAGAIN);
}

void read_byte(struct aiocb *cb)
{
	static char byte;
	static int fd;

	if (fd == 0)
		fd = temp_file_filled(1);
	submit_read(cb, fd, &byte, 1, 0);
}

static void *wait_once(void *arg)
{
	struct waiter *waiter = arg;

	waiter->tid = gettid();
	waiter->cb = collect(&waiter->res, NULL);
	return NULL;
}

void begin_wait(struct waiter *waiter)
{
	/* Requests are kept from the first call on, and the thread must not sleep in first use. */
	check_nothing_left();
	waiter->tid = 0;
	waiter->thread = start_thread(wait_once, waiter);
	eventually(waiter->tid != 0 && thread_sleeps(waiter->tid));
}

ssize_t end_wait(struct waiter *waiter, const struct aiocb *cb)
{
	join_thread(waiter->thread);
	check(waiter->cb == cb);
	return waiter->res;
}
