/* SPDX-License-Identifier: MIT */
/*
 * thread.h - how rtaio makes its threads.
 */
#ifndef RTAIO_THREAD_H
#define RTAIO_THREAD_H

enum thread_stack {
	THREAD_SMALL_STACK,   /* for our own code */
	THREAD_DEFAULT_STACK, /* for the program's callbacks */
};

/*
 * A detached thread that starts with the caller's signal mask, which must have
 * everything blocked.  0 or -errno.  Through pthread_create, since glibc's
 * setuid has to find it.
 */
int thread_create(void *(*run)(void *), void *arg, enum thread_stack stack);

/* Name the calling thread, as ps -L and a debugger show it. */
void thread_set_name(const char *name);

#endif
