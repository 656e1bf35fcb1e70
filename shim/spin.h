/* SPDX-License-Identifier: MIT */
/*
 * spin.h - looking on for a moment before going to sleep.
 *
 * A fast device answers before a thread that sleeps is awake again, with its
 * caches cold.  So it pays to look on, for RTAIO_SPIN microseconds at most; and
 * in vain only for a small part of the time: when nothing comes, and when others
 * want the processor, which shows as a gap between two looks.
 */
#ifndef RTAIO_SPIN_H
#define RTAIO_SPIN_H

#include <stdbool.h>
#include <stdint.h>

/*
 * [any thread, also in handlers] Look for at most @max_ns whether
 * has_come(@arg), or not at all.  True: it has.
 */
bool spin_for(bool (*has_come)(const void *arg), const void *arg, uint64_t max_ns);

/* Tell the processor that this thread waits for another one. */
void spin_relax(void);

/* Child of a fork: nothing was lost yet. */
void spin_forget(void);

#endif
