// SPDX-License-Identifier: MIT
/*
 * eventfd.c - the program's eventfds that requests are to be announced at.
 *
 * The system calls that are made with the lock do not wait.  On the other side are completing,
 * closing and submitting threads.
 */
#include "request/eventfd.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "base/descriptor.h"
#include "base/raw_syscall.h"
#include "base/signal_lock.h"

#define EVENTFDS_MAX 1024u

struct eventfd {
	int fd;            /* guarded by the lock, as all below */
	unsigned nr_users; /* 0: a free entry */
	bool is_closed;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct eventfd eventfds[EVENTFDS_MAX];
static unsigned nr_entries;      /* that were used at some time */
static _Atomic unsigned nr_used; /* read without the lock by closing threads */

/* With POLLERR the counter has overflowed, and any write waits. */
static bool has_event(int fd, short events)
{
	struct pollfd polled = { .fd = fd, .events = events };
	struct timespec zero = { 0 };

	return RAW_SYSCALL(SYS_ppoll, &polled, 1L, &zero, NULL, 0L) == 1 &&
	       (polled.revents & events) && !(polled.revents & POLLERR);
}

static bool add(int fd, uint64_t value)
{
	return RAW_SYSCALL(SYS_write, fd, &value, sizeof(value)) == sizeof(value);
}

/*
 * Another file without a type refuses such a write.  The counter of an eventfd stays as it is, and
 * the write does not wait, even if the counter is full.
 */
static int check(int fd)
{
	struct descriptor file = { 0 };

	descriptor_get_type(fd, &file);
	if (file.err)
		return -file.err;
	return file.mode == 0 && has_event(fd, POLLIN | POLLOUT) && add(fd, 0) ? 0 : -EINVAL;
}

static struct eventfd *find(int fd)
{
	for (unsigned i = 0; i < nr_entries; i++)
		if (eventfds[i].nr_users > 0 && eventfds[i].fd == fd && !eventfds[i].is_closed)
			return &eventfds[i];
	return NULL;
}

static struct eventfd *find_free(void)
{
	for (unsigned i = 0; i < nr_entries; i++)
		if (eventfds[i].nr_users == 0)
			return &eventfds[i];
	return nr_entries < EVENTFDS_MAX ? &eventfds[nr_entries++] : NULL;
}

/* With the lock. */
static int get(int fd, struct eventfd **out)
{
	int ret;

	*out = find(fd);
	if (!*out) {
		ret = check(fd);
		if (ret < 0)
			return ret;
		*out = find_free();
		if (!*out)
			return -EAGAIN;
		**out = (struct eventfd){ .fd = fd };
		atomic_fetch_add(&nr_used, 1);
	}
	(*out)->nr_users++;
	return 0;
}

int eventfd_get(int fd, struct eventfd **out)
{
	uint64_t mask;
	int ret;

	if (!signal_lock(&lock, &mask))
		return -EAGAIN;
	ret = get(fd, out);
	signal_unlock(&lock, mask);
	return ret;
}

void eventfd_signal(struct eventfd *eventfd)
{
	uint64_t mask;

	if (!signal_lock(&lock, &mask))
		return;
	/* If the counter is full, it can be read already, and the write would wait. */
	if (!eventfd->is_closed && has_event(eventfd->fd, POLLOUT))
		add(eventfd->fd, 1);
	signal_unlock(&lock, mask);
}

void eventfd_put(struct eventfd *eventfd)
{
	uint64_t mask;

	if (!signal_lock(&lock, &mask))
		return;
	if (--eventfd->nr_users == 0)
		atomic_fetch_sub(&nr_used, 1);
	signal_unlock(&lock, mask);
}

bool eventfd_is_used(int first, int last)
{
	bool is_used = false;
	uint64_t mask;

	if (atomic_load(&nr_used) == 0 || !signal_lock(&lock, &mask))
		return false;
	for (unsigned i = 0; i < nr_entries; i++)
		is_used |= eventfds[i].nr_users > 0 && eventfds[i].fd >= first &&
			   eventfds[i].fd <= last;
	signal_unlock(&lock, mask);
	return is_used;
}

void eventfd_close(int first, int last)
{
	uint64_t mask;

	if (!signal_lock(&lock, &mask))
		return;
	for (unsigned i = 0; i < nr_entries; i++)
		eventfds[i].is_closed |= eventfds[i].fd >= first && eventfds[i].fd <= last;
	signal_unlock(&lock, mask);
}

void eventfd_after_fork(void)
{
	pthread_mutex_init(&lock, NULL);
	memset(eventfds, 0, sizeof(eventfds));
	nr_entries = 0;
	atomic_store(&nr_used, 0);
}
