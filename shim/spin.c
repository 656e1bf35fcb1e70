// SPDX-License-Identifier: MIT
/*
 * spin.c - looking on for a moment before going to sleep.
 */
#include "spin.h"

#include "config.h"
#include "debt.h"
#include "futex.h"

#define GAP_NS 20000u /* between two looks: the processor was somebody else's */

static struct debt spun; /* in vain */

void spin_relax(void)
{
#ifdef __x86_64__
	__builtin_ia32_pause();
#else
	atomic_signal_fence(memory_order_seq_cst);
#endif
}

bool spin_for(bool (*has_come)(const void *arg), const void *arg, uint64_t max_ns)
{
	uint64_t spin_ns = config.spin_us * UINT64_C(1000);
	uint64_t began, last, now, lost = 0;
	bool is_there;

	if (spin_ns == 0 || debt_is_high(&spun))
		return false;
	began = last = now = clock_now_ns();
	if (spin_ns > max_ns)
		spin_ns = max_ns;
	while (!(is_there = has_come(arg)) && now - began < spin_ns) {
		spin_relax();
		now = clock_now_ns();
		if (now - last > GAP_NS)
			lost += now - last;
		last = now;
	}
	if (!is_there)
		lost = now - began;
	debt_lose(&spun, lost, now);
	return is_there;
}

void spin_forget(void)
{
	debt_clear(&spun);
}
