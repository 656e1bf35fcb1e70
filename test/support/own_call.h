/* SPDX-License-Identifier: MIT */
/*
 * own_call.h - a call of the program's own that sleeps while requests complete
 *
 * A thread has requests in flight and sleeps in a call that has nothing to do with
 * them.  Another one sees it asleep, lets the requests complete, and only then
 * gives the call what it waits for.  The call must return that, in full.
 */
#ifndef RTAIO_TEST_OWN_CALL_H
#define RTAIO_TEST_OWN_CALL_H

#include "transparency.h"

#include <stdatomic.h>

/* One kind of blocking call, and the objects it waits on. */
struct call {
	void (*open)(struct call *call);
	bool (*block)(struct call *call); /* false: interrupted, or cut short */
	void (*release)(struct call *call);
	int fds[2];
	int id;
	pthread_t thread;
	/* The rest is own_call.c's. */
	pid_t waiter;
	atomic_bool is_blocking;
	atomic_bool is_back;
	struct traffic *traffic;
};

#define CALL(open_, block_, release_)                                     \
	{                                                                 \
		.open = (open_), .block = (block_), .release = (release_) \
	}

/* To open a call on a pair of stream sockets. */
void open_sockets(struct call *call);

/* Make it in a child, again and again amid each kind of requests. */
void check_call(struct call *call);

/* What the child does; @call is a struct call. */
int run_call(void *call);

#endif
