/* SPDX-License-Identifier: MIT */
/*
 * process.h - which process is this, and has it used AIO yet?
 *
 * One word in a page that the kernel wipes in the child of any fork
 * (MADV_WIPEONFORK) answers both: zero means "start", be it the first use or
 * a child made by fork, _Fork or raw clone, which skips the fork handlers.
 * Where nothing is wiped a handler does it, in children of fork.
 * Before the first use the word is a static zero, so that a program which
 * never uses AIO has no mapping of ours.
 */
#ifndef RTAIO_PROCESS_H
#define RTAIO_PROCESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum process_state {
	PROCESS_NEW = 0, /* what a wiped page reads */
	PROCESS_STARTING,
	PROCESS_READY,
};

extern _Atomic(_Atomic uint32_t *) process_word;
extern _Atomic uint32_t process_never_used; /* where process_word points before the first use */

/* Counts the forks between the first user of AIO and this process. */
extern _Atomic uint32_t process_generation;

/*
 * The process of the last process_start(), as the kernel knows it: a vfork child
 * shares our memory, and is another.  getpid() may be another library's function.
 */
extern _Atomic int process_pid;

/*
 * The first use of AIO, or the first in a child of a fork: one thread calls @start while the
 * others wait.  @is_child: state copied from the parent is to be forgotten.  0 or -ENOMEM.
 */
int process_start(void (*start)(bool is_child));

/* True when this process has used AIO and nothing has to be started. */
static inline bool process_is_ready(void)
{
	_Atomic uint32_t *word = atomic_load_explicit(&process_word, memory_order_acquire);

	return atomic_load_explicit(word, memory_order_acquire) == PROCESS_READY;
}

/*
 * Has this process used AIO, or one that it was forked from?  It never becomes
 * false again.  A function that closes a descriptor while another thread uses
 * AIO for the first time may be told either, as if it had been called before.
 */
static inline bool process_was_used(void)
{
	return atomic_load_explicit(&process_word, memory_order_relaxed) != &process_never_used;
}

/*
 * Is this still the process in which process_generation was @generation?  A
 * thread of ours asks after running the program's code, which may have forked.
 */
static inline bool process_is_still(uint32_t generation)
{
	return process_is_ready() && atomic_load(&process_generation) == generation;
}

#endif
