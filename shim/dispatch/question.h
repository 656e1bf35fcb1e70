/* SPDX-License-Identifier: MIT */
/*
 * question.h - something asked of the engine, for whose answer the caller waits.
 *
 * A question is a record of its own, like that of a group (lio_group.h) without
 * members.  The asking thread sleeps on its generation like every waiter, with the
 * program's signals open.  It holds the record, and so does the engine until it has
 * answered: a thread that jumps out of the wait, from a handler, leaves one record
 * behind and nothing else.
 */
#ifndef RTAIO_QUESTION_H
#define RTAIO_QUESTION_H

#include <stdbool.h>

#include "request/request.h"

/* [any thread] MESSAGE_CANCEL or MESSAGE_CLOSE, about @fd, in this @process.  NULL: no memory. */
struct request *question_make(enum message_kind kind, int fd, uint32_t *process);

/*
 * [any thread] Ask, and wait for the answer, which is in @question until the caller
 * lets go of it (lio_group_put()).  False: nobody answers, and the question is gone:
 * there is no engine, or a handler has forked and this is the child, whose records
 * are all free.  Async-signal-safe.
 */
bool question_ask(struct request *question, uint32_t process);

/* [engine] */
void question_answer(struct request *question);

#endif
