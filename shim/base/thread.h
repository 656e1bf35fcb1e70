/* SPDX-License-Identifier: MIT */
/*
 * thread.h - how rtaio makes its threads.
 */
#ifndef RTAIO_THREAD_H
#define RTAIO_THREAD_H

#include <stdbool.h>

/*
 * A thread that starts with the caller's signal mask, which must have
 * everything blocked.  0 or -errno.  Through pthread_create, since glibc's
 * setuid has to find it.  Detached unless @is_joinable.
 */
int thread_create(void *(*run)(void *), void *arg, bool is_joinable);

/*
 * [a new thread of ours] Take the process's processors and priority, and the name that
 * ps -L and a debugger show.
 */
void thread_begin(const char *name);

/* [engine, before thread_begin()] Callbacks will have the name that it has inherited. */
void thread_keep_program_name(void);

/* [a new thread for a callback] It looks like one of the program's. */
void thread_begin_callback(void);

/* How often has the calling thread given up the processor by itself, and how often otherwise? */
struct thread_switches {
	long nr_sleeps;
	long nr_preemptions;
};

struct thread_switches thread_switches(void);

#endif
