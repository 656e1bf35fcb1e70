// SPDX-License-Identifier: MIT
/*
 * notify.c - tell the program that a request, or a list, is complete.
 *
 * The engine queues signals by rt_sigqueueinfo; for a request that completes in the
 * submitting call, the submitter does.  While the signal queue of the process is full
 * (RLIMIT_SIGPENDING), signals wait in a list, in order, and are tried again.
 *
 * Each callback of SIGEV_THREAD gets a new thread from the engine, so what it does to its
 * thread ends with it.  While RTAIO_CALLBACKS of them run, or no thread can be made, callbacks
 * wait in the same list.
 */
#include "request/notify.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/config.h"
#include "base/observer.h"
#include "base/process.h"
#include "base/raw_syscall.h"
#include "base/signal_mask.h"
#include "base/stats.h"
#include "base/thread.h"
#include "request/eventfd.h"
#include "rtaio.h"

static struct request_list undelivered = TAILQ_HEAD_INITIALIZER(undelivered); /* engine only */
static _Atomic unsigned nr_callbacks; /* running: the engine counts up, their threads down */

/*
 * A copy, since the program may destroy its attributes as soon as it sees the result.  The
 * getters cover all attributes of POSIX and glibc but the signal mask, which is emptied before
 * the callback anyway.  They do not fail in glibc.
 */
static pthread_attr_t *copy_attributes(const pthread_attr_t *from)
{
	pthread_attr_t *to = malloc(sizeof(*to));
	struct sched_param param;
	cpu_set_t cpus[2];
	void *stack;
	size_t size;
	int value;

	if (!to)
		return NULL;
	pthread_attr_init(to);
	pthread_attr_getdetachstate(from, &value);
	pthread_attr_setdetachstate(to, value);
	pthread_attr_getguardsize(from, &size);
	pthread_attr_setguardsize(to, size);
	pthread_attr_getschedpolicy(from, &value);
	pthread_attr_setschedpolicy(to, value);
	pthread_attr_getschedparam(from, &param);
	pthread_attr_setschedparam(to, &param);
	pthread_attr_getinheritsched(from, &value);
	pthread_attr_setinheritsched(to, value);
	pthread_attr_getscope(from, &value);
	pthread_attr_setscope(to, value);
	/* glibc reports the low end.  If no stack was set, that is 0 minus the size. */
	pthread_attr_getstack(from, &stack, &size);
	if ((uintptr_t)stack + size != 0)
		pthread_attr_setstack(to, stack, size);
	else
		pthread_attr_setstacksize(to, size);
	/* If none was set, glibc returns all bits set, and the thread inherits its processors. */
	if (pthread_attr_getaffinity_np(from, sizeof(cpus), cpus) == 0 &&
	    CPU_COUNT(&cpus[1]) < CPU_SETSIZE &&
	    pthread_attr_setaffinity_np(to, sizeof(cpus), cpus) != 0) {
		/* They take memory of their own. */
		pthread_attr_destroy(to);
		free(to);
		return NULL;
	}
	return to;
}

int notify_prepare(struct notification *notification, const struct sigevent *event)
{
	*notification = (struct notification){ .notify = SIGEV_NONE };
	if (!event)
		return 0;
	if (event->sigev_notify == SIGEV_SIGNAL) {
		notification->signo = event->sigev_signo;
		notification->value = event->sigev_value;
	} else if (event->sigev_notify == SIGEV_THREAD) {
		notification->function = event->sigev_notify_function;
		notification->value = event->sigev_value;
		if (event->sigev_notify_attributes) {
			notification->attributes = copy_attributes(event->sigev_notify_attributes);
			if (!notification->attributes)
				return -EAGAIN;
		}
	} else if (event->sigev_notify == SIGEV_EVENTFD) {
		int ret = eventfd_get(event->sigev_notify_eventfd, &notification->eventfd);

		if (ret < 0)
			return ret;
	} else {
		return 0;
	}
	notification->notify = event->sigev_notify;
	return 0;
}

void notify_discard(struct notification *notification)
{
	if (notification->attributes) {
		pthread_attr_destroy(notification->attributes);
		free(notification->attributes);
		notification->attributes = NULL;
	}
	if (notification->eventfd) {
		eventfd_put(notification->eventfd);
		notification->eventfd = NULL;
	}
}

bool notify_is_wanted(const struct notification *notification)
{
	if (notification->notify == SIGEV_SIGNAL)
		return notification->signo != 0; /* a zeroed sigevent asks for signal 0: none */
	return notification->notify == SIGEV_THREAD || notification->notify == SIGEV_EVENTFD;
}

static void finish(struct request *req)
{
	notify_discard(&req->notification);
	request_free(req);
}

int notify_signal(const struct notification *notification)
{
	siginfo_t info;
	long ret;

	memset(&info, 0, sizeof(info));
	info.si_signo = notification->signo;
	info.si_code = SI_ASYNCIO;
	info.si_pid = atomic_load(&process_pid);
	info.si_uid = (uid_t)RAW_SYSCALL(SYS_getuid);
	info.si_value = notification->value;
	ret = RAW_SYSCALL(SYS_rt_sigqueueinfo, info.si_pid, notification->signo, &info);
	if (ret == -EAGAIN)
		return -EAGAIN;
	if (ret == 0)
		stats_inc(notify_signals);
	return 0;
}

void notify_signal_now(const struct notification *notification)
{
	if (notify_signal(notification) < 0)
		RAW_SYSCALL(SYS_kill, atomic_load(&process_pid), notification->signo);
}

/* The callback has returned or ended its thread.  In a forked child the count begins anew. */
static void end_callback(void *generation)
{
#if !__GLIBC_PREREQ(2, 35)
	/*
	 * While the thread ends, it takes signals though it has a lock that pthread_create needs.
	 */
	signals_set(ALL_BUT_LIBC);
#endif
	OBSERVE(callback, NULL);
	if (process_is_still((uint32_t)(uintptr_t)generation))
		atomic_fetch_sub(&nr_callbacks, 1);
}

#if !__GLIBC_PREREQ(2, 34)
/*
 * A thread that has never used malloc may free the stacks of others at its end.  Then it leaks the
 * memory that malloc keeps for a thread.  Other threads of the library must not use malloc: a
 * handler that has interrupted it may wait for them.
 */
static void use_malloc(void)
{
	void *volatile memory = malloc(1);

	free(memory);
}
#endif

static void *run_callback(void *arg)
{
	struct request *req = arg;
	void (*function)(union sigval) = req->notification.function;
	union sigval value = req->notification.value;
	uintptr_t generation = atomic_load(&process_generation);

	request_free(req);
	stats_inc(notify_callbacks);
	thread_begin_callback();
#if !__GLIBC_PREREQ(2, 34)
	use_malloc();
#endif
	pthread_cleanup_push(end_callback, (void *)generation);
	OBSERVE(callback, function);
	signals_set(0);
	function(value);
	pthread_cleanup_pop(1);
	return NULL;
}

/* 0, or -errno: the caller keeps @req. */
static int start_callback(struct request *req)
{
	/* The new thread frees the record while pthread_create still reads the attributes. */
	struct notification own = req->notification;
	pthread_attr_t detached;
	pthread_t thread;
	int ret;

	if (atomic_load(&nr_callbacks) >= config.callbacks_max)
		return -EAGAIN;
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	atomic_fetch_add(&nr_callbacks, 1);
	ret = -pthread_create(&thread, own.attributes ? own.attributes : &detached, run_callback,
			      req);
	pthread_attr_destroy(&detached);
	if (ret < 0)
		atomic_fetch_sub(&nr_callbacks, 1);
	else
		notify_discard(&own);
	return ret;
}

/* 0: delivered or on its way; -EAGAIN: try later. */
static int deliver(struct request *req)
{
	int ret;

	if (req->notification.notify == SIGEV_SIGNAL) {
		ret = notify_signal(&req->notification);
		if (ret == 0)
			finish(req);
		return ret;
	}
	ret = start_callback(req);
	if (ret == -EINVAL || ret == -EPERM) {
		/* No thread can have these attributes: run the callback without them. */
		notify_discard(&req->notification);
		ret = start_callback(req);
	}
	return ret == 0 ? 0 : -EAGAIN;
}

/* Signals of one number are delivered in order, and so are callbacks, which are kind 0. */
#define NR_KINDS (NSIG + 1)

static unsigned nr_undelivered[NR_KINDS]; /* engine only */

static unsigned kind_of(const struct notification *notification)
{
	unsigned signo = (unsigned)notification->signo;

	return notification->notify == SIGEV_SIGNAL && signo < NR_KINDS ? signo : 0;
}

static void put_off(struct request *req)
{
	nr_undelivered[kind_of(&req->notification)]++;
	TAILQ_INSERT_TAIL(&undelivered, req, list_link);
}

void notify_deliver(struct request *req)
{
	if (!notify_is_wanted(&req->notification)) {
		finish(req);
		return;
	}
	if (req->notification.notify == SIGEV_EVENTFD) {
		eventfd_signal(req->notification.eventfd);
		finish(req);
		return;
	}
	/* Waiting signals of the same number go first. */
	if (nr_undelivered[kind_of(&req->notification)] == 0 && deliver(req) == 0)
		return;
	stats_inc(notify_retries);
	put_off(req);
}

bool notify_is_waiting(void)
{
	return !TAILQ_EMPTY(&undelivered);
}

bool notify_is_waiting_for_thread(void)
{
	return nr_undelivered[0] > 0;
}

bool notify_tick(void)
{
	struct request_list list = TAILQ_HEAD_INITIALIZER(list);
	bool is_stuck[NR_KINDS] = { false }, has_delivered = false;
	struct request *req;

	TAILQ_CONCAT(&list, &undelivered, list_link);
	while ((req = TAILQ_FIRST(&list))) {
		unsigned kind = kind_of(&req->notification);

		TAILQ_REMOVE(&list, req, list_link);
		nr_undelivered[kind]--;
		if (is_stuck[kind] || deliver(req) < 0) {
			is_stuck[kind] = true;
			put_off(req);
		} else {
			has_delivered = true;
		}
	}
	return has_delivered;
}

void notify_after_fork(void)
{
	TAILQ_INIT(&undelivered);
	memset(nr_undelivered, 0, sizeof(nr_undelivered));
	atomic_store(&nr_callbacks, 0);
}
