// SPDX-License-Identifier: MIT
/*
 * backend_threads.c - the backend without a ring: worker threads.
 *
 * It has no submit(), so the engine gives requests to workers.c.  Results come through the inbox.
 * So there is nothing to reap, and the engine sleeps on the inbox's futex alone.
 */
#include "engine/backend.h"

#include "base/stats.h"

static struct inbox *inbox;

static int open_inbox(const struct backend_events *events, struct inbox *inbox_)
{
	(void)events;
	inbox = inbox_;
	return 0;
}

static void wait_inbox(uint32_t wake_value, uint64_t timeout_ns)
{
	stats_inc(engine_enters);
	inbox_sleep(inbox, wake_value, timeout_ns);
}

static bool end_inbox(void)
{
	return inbox_close(inbox);
}

const struct backend backend_threads = {
	.name = "threads",
	.open = open_inbox,
	.wait = wait_inbox,
	.end = end_inbox,
};
