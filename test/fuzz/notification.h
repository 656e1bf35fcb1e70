/* SPDX-License-Identifier: MIT */
/*
 * notification.h - asking for notifications, and counting what comes
 *
 * A notification bears the number of its request or list, and that of the
 * program, so that one that comes twice, or late, is found out.
 */
#ifndef RTAIO_FUZZ_NOTIFICATION_H
#define RTAIO_FUZZ_NOTIFICATION_H

#include <signal.h>

#include "history.h"

/* Once in a process; @run_steps is the handler that runs the steps of the actor "handler". */
void notification_init(void (*run_steps)(int signo));

/* At the beginning of a program, and by its step: may handlers interrupt system calls? */
void notification_set_restless(bool is_restless);

/* Ask the thread to run the handler. */
void notification_interrupt(pthread_t thread);

void notification_ask(struct sigevent *event, int notice, const struct record *record,
		      const struct group *group);

/* Take the blocked signals that are pending, waiting for one at most so long. */
void notification_collect(int wait_ms);

/* How many shall come for this way of asking? */
static inline bool notice_comes(int notice)
{
	return notice == NOTICE_SIGNAL || notice == NOTICE_HANDLER || notice == NOTICE_THREAD;
}

#endif
