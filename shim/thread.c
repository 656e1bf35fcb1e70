// SPDX-License-Identifier: MIT
/*
 * thread.c - how rtaio makes its threads.
 */
#include "thread.h"

#include <errno.h>
#include <pthread.h>
#include <sys/prctl.h>

#define SMALL_STACK_BYTES (128u * 1024u)

int thread_create(void *(*run)(void *), void *arg, enum thread_stack stack)
{
	pthread_attr_t attr;
	pthread_t thread;
	int ret;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (stack == THREAD_SMALL_STACK)
		pthread_attr_setstacksize(&attr, SMALL_STACK_BYTES);
	ret = pthread_create(&thread, &attr, run, arg);
	if (ret == EINVAL && stack == THREAD_SMALL_STACK) {
		/* The program's static TLS alone is larger than that: the default size then. */
		pthread_attr_destroy(&attr);
		pthread_attr_init(&attr);
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
		ret = pthread_create(&thread, &attr, run, arg);
	}
	pthread_attr_destroy(&attr);
	return -ret;
}

void thread_set_name(const char *name)
{
	prctl(PR_SET_NAME, name);
}
