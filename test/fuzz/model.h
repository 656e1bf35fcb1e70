/* SPDX-License-Identifier: MIT */
/*
 * model.h - what is allowed
 *
 * A history is judged when all in it has ended. The rules are those of the
 * README: of two requests on one descriptor that overlap, one of them a write,
 * the earlier takes effect first; streams are read and written in order, higher
 * priority first; O_APPEND writes appear in order; what was seen to be complete
 * before another was submitted came before it, be it in another process. All
 * else may happen in any order, and byte by byte.
 */
#ifndef RTAIO_FUZZ_MODEL_H
#define RTAIO_FUZZ_MODEL_H

#include "history.h"

void model_judge(void);

/* ---- the parts ---- */

/* @b was submitted after @a, so that order on one descriptor counts. */
bool model_is_after(const struct record *b, const struct record *a);

/* @a was complete before @b was submitted. */
bool model_has_ended_before(const struct record *a, const struct record *b);

/* Results, errors, notifications, blocks and guards. */
void model_judge_status(void);

/* The contents of a file, and what was read of it. */
void model_judge_file(const struct object *object);

/* The bytes read of a stream are those that were written, and none is left out. */
void model_judge_stream(const struct object *object);

/* A read or a sync of a file that fails with EIO, though the disk is well. */
bool model_may_be_unreadable(const struct record *read);
bool model_may_be_unsynced(const struct record *sync);

/* At least and at most, the end of the file as a read may have met it. */
int64_t model_least_end(const struct record *read);
int64_t model_greatest_end(const struct record *read);

#endif
