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

static void wait_inbox(uint32_t wake_value, uint64_t timeout_ns)
{
	bool is_forever = timeout_ns == UINT64_MAX;
	struct timespec deadline = clock_in_ns(is_forever ? 0 : timeout_ns);

	stats_inc(engine_enters);
	futex_wait(&engine_inbox.wake_word, wake_value, is_forever ? NULL : &deadline);
}

const struct backend backend_threads = {
	.name = "threads",
	.wait = wait_inbox,
};
