/* SPDX-License-Identifier: MIT */
/*
 * helper.h - a thread of ours that sleeps on an inbox.
 *
 * The first message, or helper_start(), makes the thread.  It serves messages in order, and ends
 * after config.idle_ns without any.  Messages are refused if it cannot serve them, or cannot be
 * made.
 */
#ifndef RTAIO_HELPER_H
#define RTAIO_HELPER_H

#include <stdbool.h>

#include "engine/inbox.h"

struct helper {
	struct inbox inbox;
	const char *thread_name;
	bool is_resident; /* the thread does not end when idle */
	/* [its thread] Optional: initialise.  False: refuse everything, and end. */
	bool (*begin)(struct helper *helper);
	/*
	 * [its thread] Serve a list, oldest first, linked by message.next.  False: the thread ends
	 * at once and touches @helper no more.
	 */
	bool (*serve)(struct helper *helper, struct message *messages);
	/* [its thread, or the thread that could not make it] This list will not be served. */
	void (*refuse)(struct helper *helper, struct message *messages);
};

/*
 * [any thread, all signals blocked] Hand over one message.  It is served or refused, perhaps before
 * this returns.
 */
void helper_push(struct helper *helper, struct message *message);

/* [any thread, all signals blocked] Make the thread.  False: it exists, or cannot be made. */
bool helper_start(struct helper *helper);

/* Child of a fork: no thread, nothing queued. */
void helper_after_fork(struct helper *helper);

#endif
