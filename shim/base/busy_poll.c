// SPDX-License-Identifier: MIT
/*
 * busy_poll.c - busy-polling before a thread sleeps.
 */
#include "base/busy_poll.h"

#include "base/clock.h"
#include "base/config.h"
#include "base/time_budget.h"

#define GAP_NS      20000u /* a longer gap between two polls: the thread was preempted */
#define GAP_PENALTY 16u    /* the next busy-poll will probably be preempted, too */

static struct time_budget wasted;

/* Leave the core to its other hardware thread for a moment, and do not poll at full speed. */
static void relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	/* On cores with one hardware thread, yield does nothing; isb waits for the pipeline. */
	__asm__ volatile("isb" : : : "memory");
#elif defined(__riscv)
	/* pause, as a number: assemblers want Zihintpause, cores without that do nothing. */
	__asm__ volatile(".4byte 0x0100000f" : : : "memory");
#else
	atomic_signal_fence(memory_order_seq_cst);
#endif
}

bool busy_poll(bool (*has_come)(const void *arg), const void *arg, uint64_t max_ns)
{
	uint64_t poll_ns = config.busy_poll_us * UINT64_C(1000);
	uint64_t began, now, took_ns;
	bool is_there;

	if (poll_ns == 0 || time_budget_is_spent(&wasted))
		return false;
	began = now = clock_now_ns();
	if (poll_ns > max_ns)
		poll_ns = max_ns;
	while (!(is_there = has_come(arg)) && now - began < poll_ns) {
		relax();
		now = clock_now_ns();
	}
	took_ns = now - began;
	if (took_ns > poll_ns + GAP_NS)
		time_budget_lose(&wasted, took_ns * GAP_PENALTY, now);
	else if (!is_there)
		time_budget_lose(&wasted, took_ns, now);
	return is_there;
}
