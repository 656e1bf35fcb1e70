/* SPDX-License-Identifier: MIT */
/*
 * inbox.h - the hand-over from any thread to the engine thread.
 *
 * One word: the newest message of a list, or what the engine is doing while
 * there is none.  Since "asleep" and "closed" lie in the same word as the
 * list, no wake-up can be lost between them.
 *
 *   INBOX_EMPTY     the engine is awake and will look again
 *   INBOX_ASLEEP    the engine sleeps: who replaces this value wakes it, but
 *                   for messages without haste, which keep it as a flag beside
 *                   the list
 *   INBOX_CLOSED    no engine: who wants one replaces this by STARTING
 *   INBOX_STARTING  somebody creates the engine; push on top of it meanwhile
 */
#ifndef RTAIO_INBOX_H
#define RTAIO_INBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "request.h"

/*
 * [any thread, also in handlers] Hand over the list @first .. @last, linked by
 * message.next from newest to oldest: it is received whole and in order.
 * False: there is no engine; start one (inbox_claim_start) and try again.
 */
bool inbox_push(struct message *first, struct message *last);

/*
 * [any thread, also in handlers] The same without a wake, for a message that
 * has time until the engine looks anyway.  Who finds out that it may never do
 * calls inbox_prod().  Now and then it wakes nevertheless, so that the engine
 * is not met with thousands at once.
 */
bool inbox_push_quietly(struct message *message);
void inbox_prod(void);

/* [any thread] Claim the right to start the engine.  False: somebody has it. */
bool inbox_claim_start(void);

/*
 * [who claimed, or an engine that cannot serve] What piled up, oldest first;
 * the inbox stays in STARTING.  Then close it: false when more came in.
 */
struct message *inbox_take_refused(void);
bool inbox_abandon(void);

/* [any thread] Is there an engine, or one being made? */
bool inbox_is_open(void);

/* [engine] Take everything, oldest first; NULL when empty. */
struct message *inbox_take(void);

/*
 * [engine] Announce sleep.  False: there are messages.  On true, *wake_value
 * is what inbox_wake_word holds until the engine is woken.
 */
bool inbox_fall_asleep(uint32_t *wake_value);

/* [engine] Awake again, for whatever reason. */
void inbox_wake_up(void);

/* [engine, awake] Close for good.  False: there are messages. */
bool inbox_close(void);

/* The word that is bumped, then futex-woken, for each wake. */
extern _Atomic uint32_t inbox_wake_word;

/*
 * Kernels without a futex operation in io_uring (before 6.7) need a
 * descriptor to wake the ring: a timerfd, armed by each wake.  A timerfd and
 * no eventfd, since arming fails harmlessly when the program has put another
 * file under the number.  -1: none.
 */
extern _Atomic int inbox_wake_timer;

/* Child of a fork: closed and empty. */
void inbox_forget(void);

#endif
