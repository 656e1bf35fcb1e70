// SPDX-License-Identifier: MIT
/*
 * helper.c - a thread of ours that sleeps on an inbox.
 *
 * The hand-over is the protocol of inbox.c; the helper's thread is the only receiver.
 */
#include "engine/helper.h"

#include "base/clock.h"
#include "base/config.h"
#include "base/futex.h"
#include "base/thread.h"

/* Also refuses messages that are pushed meanwhile.  Afterwards the inbox is closed. */
static void refuse_all(struct helper *helper)
{
	struct message *messages;

	do {
		messages = inbox_take_refused(&helper->inbox);
		if (messages)
			helper->refuse(helper, messages);
	} while (!inbox_abandon(&helper->inbox));
}

/* False: no message came for config.idle_ns. */
static bool sleep_until_woken(struct helper *helper)
{
	struct timespec deadline;
	uint32_t wake_value;
	int ret;

	if (!inbox_fall_asleep(&helper->inbox, &wake_value))
		return true;
	deadline = clock_in_ns(atomic_load(&config.idle_ns));
	ret = futex_wait(&helper->inbox.wake_word, wake_value,
			 helper->is_resident ? NULL : &deadline);
	inbox_wake_up(&helper->inbox);
	return ret != -ETIMEDOUT;
}

static void *run(void *arg)
{
	struct helper *helper = arg;

	thread_begin(helper->thread_name);
	if (helper->begin && !helper->begin(helper)) {
		refuse_all(helper);
		return NULL;
	}
	for (;;) {
		struct message *messages = inbox_take(&helper->inbox);

		if (messages) {
			if (!helper->serve(helper, messages))
				return NULL;
		} else if (!sleep_until_woken(helper) && inbox_close(&helper->inbox)) {
			return NULL;
		}
	}
}

static bool start_claimed(struct helper *helper)
{
	if (thread_create(run, helper, false) == 0)
		return true;
	refuse_all(helper);
	return false;
}

bool helper_start(struct helper *helper)
{
	return inbox_claim_start(&helper->inbox) && start_claimed(helper);
}

void helper_push(struct helper *helper, struct message *message)
{
	while (!inbox_push(&helper->inbox, message, message)) {
		if (!inbox_claim_start(&helper->inbox))
			continue;
		/* Only the helper's thread closes the inbox from here on: the push succeeds. */
		inbox_push(&helper->inbox, message, message);
		start_claimed(helper);
		return;
	}
}

void helper_after_fork(struct helper *helper)
{
	inbox_after_fork(&helper->inbox);
}
