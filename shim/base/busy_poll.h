/* SPDX-License-Identifier: MIT */
/*
 * busy_poll.h - busy-polling before a thread sleeps.
 *
 * A fast device answers before a thread that sleeps is awake again, with its
 * caches cold.  So it pays to poll, for RTAIO_BUSY_POLL microseconds at most.  A time
 * budget limits what is wasted: polls to which nothing comes, and time in which
 * others want the processor, which shows as a gap between two looks.
 */
#ifndef RTAIO_BUSY_POLL_H
#define RTAIO_BUSY_POLL_H

#include <stdbool.h>
#include <stdint.h>

/*
 * [any thread, also in handlers] Look for at most @max_ns whether
 * has_come(@arg), or not at all.  True: it has.
 */
bool busy_poll(bool (*has_come)(const void *arg), const void *arg, uint64_t max_ns);

#endif
