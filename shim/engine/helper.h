/* SPDX-License-Identifier: MIT */
/*
 * helper.h - a thread of ours that sleeps on an inbox.
 *
 * The first message starts the thread.  It serves what it receives, in order,
 * and leaves when nothing came for config.idle_ns.  What it cannot serve, and
 * what no thread can be made for, is refused.
 */
#ifndef RTAIO_HELPER_H
#define RTAIO_HELPER_H

#include <stdbool.h>

#include "engine/inbox.h"

struct helper {
	struct inbox inbox;
	const char *thread_name;
	uint64_t poll_ns; /* busy-poll for so long before a sleep */
	bool is_resident; /* the thread does not leave for want of work */
	/* [its thread] Optional: get ready.  False: refuse everything, and leave. */
	bool (*begin)(struct helper *helper);
	/*
	 * [its thread] Serve a list, oldest first, linked by message.next.  False:
	 * the thread leaves at once and touches @helper no more.
	 */
	bool (*serve)(struct helper *helper, struct message *messages);
	/* [its thread, or the one that failed to make it] Nobody will serve this list. */
	void (*refuse)(struct helper *helper, struct message *messages);
};

/*
 * [any thread, all signals blocked] Hand over one message.  It is served or
 * refused, perhaps before this returns.
 */
void helper_push(struct helper *helper, struct message *message);

/* [any thread, all signals blocked] Make the thread.  False: there is one, or none can be made. */
bool helper_start(struct helper *helper);

/* Child of a fork: no thread, nothing queued. */
void helper_after_fork(struct helper *helper);

#endif
