/* SPDX-License-Identifier: MIT */
/*
 * thread.h - how rtaio makes its threads, and a row of counters for each thread.
 */
#ifndef RTAIO_THREAD_H
#define RTAIO_THREAD_H

#include <stdbool.h>

/*
 * Two threads that write to one cache line wait for each other, and longer on a machine with many
 * processors.  So what every request counts lies in rows, each in lines of its own.  The first
 * THREAD_ROWS threads have a row each; later ones share, so all writes are atomic.
 */
#define CACHE_LINE  64u
#define THREAD_ROWS 64u

/* The row of this thread, plus one; 0: not chosen yet. */
extern _Thread_local unsigned thread_chosen_row __attribute__((tls_model("initial-exec")));

void thread_choose_row(void);

/* [any thread, also in handlers] The row of the calling thread.  Every request asks. */
static inline unsigned thread_row(void)
{
	if (thread_chosen_row == 0)
		thread_choose_row();
	return thread_chosen_row - 1;
}

/* [any thread] Rows from here on were never used. */
unsigned thread_nr_rows(void);

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
