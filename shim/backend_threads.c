// SPDX-License-Identifier: MIT
/*
 * backend_threads.c - the ring lane without a ring: worker threads.
 *
 * Requests go to workers.c straight away, which is what no submit() means.
 * Completions come through the inbox like everything else, so there is
 * nothing to reap and the engine sleeps on the inbox's futex alone.
 */
#include "backend.h"

#include "engine.h"
#include "futex.h"
#include "stats.h"

static int open_threads(const struct backend_events *events)
{
	(void)events;
	return 0;
}

static void wait_inbox(uint32_t wake_value, uint64_t timeout_ns)
{
	struct timespec deadline;
	uint64_t until;

	stats_inc(engine_enters);
	if (timeout_ns == UINT64_MAX) {
		futex_wait(&engine_inbox.wake_word, wake_value, NULL);
		return;
	}
	until = clock_now_ns() + timeout_ns;
	deadline.tv_sec = (time_t)(until / 1000000000u);
	deadline.tv_nsec = (long)(until % 1000000000u);
	futex_wait(&engine_inbox.wake_word, wake_value, &deadline);
}

static void close_threads(void)
{
}

const struct backend backend_threads = {
	.name = "threads",
	.open = open_threads,
	.wait = wait_inbox,
	.close = close_threads,
};
