/* SPDX-License-Identifier: MIT */
/*
 * question.h - a question to the engine; the caller waits for the answer.
 *
 * A question is a record of its own, like a group (lio_group.h) without members.  The asking
 * thread sleeps on the record's generation like every waiter, with the program's signal mask.
 * Both the asking thread and, until it has answered, the engine hold the record.  So a handler
 * that longjmps out of the wait leaves one record behind and nothing else.
 */
#ifndef RTAIO_QUESTION_H
#define RTAIO_QUESTION_H

#include <stdbool.h>

#include "request/request.h"

/*
 * [any thread] MESSAGE_CANCEL or MESSAGE_CLOSE.  Sets *process for question_ask().  NULL: no
 * memory.
 */
struct request *question_make(enum message_kind kind, int fd, uint32_t *process);

/*
 * [any thread] Ask, and wait for the answer.  It is in @question until the caller drops that with
 * lio_group_put().  False: no answer, and @question is gone.  Then there is no engine, or a
 * handler has forked and this is the child, whose records are all free.  Async-signal-safe.
 */
bool question_ask(struct request *question, uint32_t process);

/* [engine] Wake the asking thread; the engine holds @question no longer. */
void question_answer(struct request *question);

#endif
