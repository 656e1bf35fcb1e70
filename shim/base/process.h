/* SPDX-License-Identifier: MIT */
/*
 * process.h - which process is this, and has it used AIO yet?
 *
 * The kernel wipes the page of one word in every child (MADV_WIPEONFORK).  Zero means that AIO
 * must be started: at the first use, or in a child of fork, of _Fork or of raw clone, which
 * skip the fork handlers.  Where nothing is wiped, a fork handler resets the word.  Before the
 * first use the word is static, so that a program without AIO has no mapping of ours.
 */
#ifndef RTAIO_PROCESS_H
#define RTAIO_PROCESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum process_state {
	PROCESS_NEW = 0, /* the value in a wiped page */
	PROCESS_STARTING,
	PROCESS_READY,
};

extern _Atomic(_Atomic uint32_t *) process_word;
extern _Atomic uint32_t process_never_used; /* where process_word points before the first use */

/* Counts the forks between the first user of AIO and this process. */
extern _Atomic uint32_t process_generation;

/*
 * The pid at the last process_start(), by the system call: a library may replace getpid().  A
 * child of vfork shares this memory, but has another pid.
 */
extern _Atomic int process_pid;

/*
 * The first use of AIO in this process: one thread calls @start while the others wait.
 * @is_child: state copied from the parent must be reset.  0 or -ENOMEM.
 */
int process_start(void (*start)(bool is_child));

/*
 * [constructor] Call @child in each child of fork().  Not later: a signal handler must not take
 * libc's lock, and these handlers must be among the first.
 */
void process_at_fork(void (*child)(void));

/* Has this process started AIO? */
static inline bool process_is_ready(void)
{
	_Atomic uint32_t *word = atomic_load_explicit(&process_word, memory_order_acquire);

	return atomic_load_explicit(word, memory_order_acquire) == PROCESS_READY;
}

/*
 * Has this process, or one that it was forked from, ever used AIO?  During another thread's
 * first use either answer is right for a close hook: the two calls have no order.
 */
static inline bool process_was_used(void)
{
	return atomic_load_explicit(&process_word, memory_order_relaxed) != &process_never_used;
}

/* For threads that have run the program's code: false if that has forked since @generation. */
static inline bool process_is_still(uint32_t generation)
{
	return process_is_ready() && atomic_load(&process_generation) == generation;
}

#endif
