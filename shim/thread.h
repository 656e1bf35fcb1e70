/* SPDX-License-Identifier: MIT */
/*
 * thread.h - how rtaio makes its threads.
 */
#ifndef RTAIO_THREAD_H
#define RTAIO_THREAD_H

enum thread_kind {
	THREAD_SMALL_STACK,   /* for our own code, detached */
	THREAD_DEFAULT_STACK, /* for the program's callbacks, detached */
	THREAD_JOINABLE,      /* for our own code; it detaches itself or is joined */
};

/*
 * A thread that starts with the caller's signal mask, which must have
 * everything blocked.  0 or -errno.  Through pthread_create, since glibc's
 * setuid has to find it.
 */
int thread_create(void *(*run)(void *), void *arg, enum thread_kind kind);

/* Name the calling thread, as ps -L and a debugger show it. */
void thread_set_name(const char *name);

#endif
