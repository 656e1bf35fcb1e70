/* SPDX-License-Identifier: MIT */
/*
 * busy_poll.h - busy-polling before a thread sleeps.
 *
 * A fast device answers sooner than a sleeping thread wakes, and the thread wakes with cold
 * caches.  So it pays to poll first, for at most RTAIO_BUSY_POLL microseconds.  A time budget
 * limits the waste: busy-polls that find nothing, and those that were preempted.
 */
#ifndef RTAIO_BUSY_POLL_H
#define RTAIO_BUSY_POLL_H

#include <stdbool.h>
#include <stdint.h>

/*
 * [any thread, also in handlers] Poll has_come(@arg) for at most @max_ns; not at all if the
 * budget is spent.  True: it has come.
 */
bool busy_poll(bool (*has_come)(const void *arg), const void *arg, uint64_t max_ns);

#endif
