/* SPDX-License-Identifier: MIT */
/*
 * epoch.h - which requests outside the engine came before a barrier?
 *
 * Each bucket of descriptors has an epoch and two counts.  A request is
 * counted in the epoch it came in; a barrier flips the epoch and is clear when
 * the old count is zero, while later requests count in the new one.
 */
#ifndef RTAIO_EPOCH_H
#define RTAIO_EPOCH_H

#include <stdbool.h>
#include <stdint.h>

/* @drained: while epoch_watch() is on, something ended.  Any thread; async-signal-safe. */
void epoch_init(void (*drained)(void));

/* [any thread] One more on @fd; the result is to be given back to epoch_leave(). */
uint32_t epoch_enter(int fd);
void epoch_leave(int fd, uint32_t epoch);

/* [any thread] Is any counted on @fd, or on one that shares its bucket? */
bool epoch_is_busy(int fd);

/* [any thread] The same of any in @first .. @last. */
bool epoch_is_any_busy(int first, int last);

/* [engine] The epoch before the present one, and whether nothing is counted there. */
uint32_t epoch_before(int fd);
bool epoch_is_over(int fd);

/*
 * [engine] A barrier on @fd begins the next epoch, which needs the count of the
 * one before: what that holds must be gone, or be nobody's business.  Then what
 * entered before the barrier must be gone.  False while another barrier of the
 * same bucket is open.
 */
bool epoch_open_barrier(int fd);
void epoch_close_barrier(int fd);

/* [engine] Report when something ends; to be set before looking whether to wait. */
void epoch_watch(bool is_on);

/* [any thread] Does the engine wait for something to end? */
bool epoch_is_watched(void);

/* Child of a fork: nothing is in flight. */
void epoch_forget(void);

#endif
