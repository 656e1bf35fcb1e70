/* SPDX-License-Identifier: MIT */
/*
 * held_calls.h - system calls that wait until the test answers them
 *
 * A filter of seccomp hands them to a listener.  It holds for the calling thread and for all
 * threads that begin later.
 */
#ifndef RTAIO_TEST_HELD_CALLS_H
#define RTAIO_TEST_HELD_CALLS_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>

/* Two words of a filter: the calls for which it is true are held, all others are made. */
#define HOLD_THEM BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF)
#define MAKE_THEM BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

/* Begin.  False: this machine does not allow it, and the reason is printed. */
bool held_calls_filter(struct sock_filter *filter, size_t nr);

/* The same for the calls numbered @first and @second, which may be the same. */
bool held_calls_begin(int first, int second);

/* Does a call wait that was not taken? */
bool held_calls_has_one(void);

/* Take the next one, with a deadline. */
void held_calls_take(struct seccomp_notif *call);

/* Its result is -@err, and the kernel does not make it. */
void held_calls_answer(const struct seccomp_notif *call, int err);

/* The kernel makes it. */
void held_calls_let_go_on(const struct seccomp_notif *call);

#endif
