/* SPDX-License-Identifier: MIT */
/*
 * thread.h - how rtaio makes its threads.
 */
#ifndef RTAIO_THREAD_H
#define RTAIO_THREAD_H

#include <stdbool.h>

/*
 * The caller has all signals blocked, and the thread inherits that.  By pthread_create, since
 * glibc's setuid must find the thread.  Detached unless @is_joinable.  0 or -errno.
 */
int thread_create(void *(*run)(void *), void *arg, bool is_joinable);

/* [new thread of the library] Take the processors and priority of the process, and @name. */
void thread_begin(const char *name);

/* [engine, before thread_begin()] Keep the inherited name for the threads of callbacks. */
void thread_keep_program_name(void);

/* [new thread for a callback] Take the name that the program's threads have. */
void thread_begin_callback(void);

/* Voluntary and involuntary context switches of the calling thread. */
struct thread_switches {
	long nr_sleeps;
	long nr_preemptions;
};

struct thread_switches thread_switches(void);

#endif
