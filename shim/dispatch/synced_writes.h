/* SPDX-License-Identifier: MIT */
/*
 * synced_writes.h - whose error is it, when a synced write fails?
 *
 * The kernel reports an error of writing back once for each open file, to whoever asks first.  If
 * several synced writes of a descriptor run at the same time, one may take the error of another,
 * which then says success.  So all results of a group (fdqueue.h) are held back until the last of
 * it has ended.  If one failed, the writes are repeated one by one: then each has its own error.
 *
 * Engine thread only.
 */
#ifndef RTAIO_SYNCED_WRITES_H
#define RTAIO_SYNCED_WRITES_H

#include <stdbool.h>

struct request;

/* @req has ended.  Is its result perhaps another's? */
bool synced_writes_may_hold(const struct request *req);

/* @req has ended.  True: its result is held back, and it will end again. */
bool synced_writes_hold(struct request *req);

#endif
