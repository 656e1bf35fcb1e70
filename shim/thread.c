// SPDX-License-Identifier: MIT
/*
 * thread.c - how rtaio makes its threads.
 */
#include "thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/prctl.h>

#define SMALL_STACK_BYTES (128u * 1024u)

static int create(void *(*run)(void *), void *arg, enum thread_kind kind, bool has_small_stack)
{
	pthread_attr_t attr;
	pthread_t thread;
	int ret;

	pthread_attr_init(&attr);
	if (kind != THREAD_JOINABLE)
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (has_small_stack)
		pthread_attr_setstacksize(&attr, SMALL_STACK_BYTES);
	ret = pthread_create(&thread, &attr, run, arg);
	pthread_attr_destroy(&attr);
	return ret;
}

int thread_create(void *(*run)(void *), void *arg, enum thread_kind kind)
{
	int ret = create(run, arg, kind, kind != THREAD_DEFAULT_STACK);

	/* The program's static TLS alone may be larger than that: the default size then. */
	if (ret == EINVAL)
		ret = create(run, arg, kind, false);
	return -ret;
}

void thread_set_name(const char *name)
{
	prctl(PR_SET_NAME, name);
}
