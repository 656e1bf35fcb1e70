/* SPDX-License-Identifier: MIT */
/*
 * inbox.h - the hand-over from any thread to one of ours, or to one of a pool.
 *
 * One word: the newest message of a list, or what the receiver is doing while
 * there is none.  Since "asleep" and "closed" lie in the same word as the
 * list, no wake-up can be lost between them.
 *
 *   INBOX_EMPTY     the receiver is awake and will look again
 *   INBOX_ASLEEP    the receiver sleeps: who replaces this value wakes it
 *   INBOX_CLOSED    no receiver: who wants one replaces this by STARTING
 *   INBOX_STARTING  somebody creates it; push on top of it meanwhile
 */
#ifndef RTAIO_INBOX_H
#define RTAIO_INBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "request/request.h"

struct inbox {
	_Atomic uintptr_t head;
	_Atomic uint32_t wake_word; /* bumped, then futex-woken, for each wake */
	/*
	 * Kernels without a futex operation in io_uring (before 6.7) need a
	 * descriptor to wake the ring: a timerfd, armed by each wake.  Negative:
	 * none.
	 */
	_Atomic int wake_timer;
	bool wakes_one; /* of several receivers */
};

#define INBOX_CLOSED ((uintptr_t)2)
#define INBOX_INIT                                      \
	{                                               \
		.head = INBOX_CLOSED, .wake_timer = -1, \
	}

/*
 * [any thread, also in handlers] Hand over the list @first .. @last, linked by
 * message.next from newest to oldest: it is received whole and in order.
 * False: there is no receiver; start one (inbox_claim_start) and try again.
 */
bool inbox_push(struct inbox *inbox, struct message *first, struct message *last);

/* [any thread, also in handlers] Hand over one message if others lie there.  Do they? */
bool inbox_has_message(struct inbox *inbox);
bool inbox_push_behind(struct inbox *inbox, struct message *message);

/* [any thread] Does the receiver sleep, and nothing lies there? */
bool inbox_rests(struct inbox *inbox);

/* [any thread, also in handlers] Hand over one message if the receiver sleeps, and wake it. */
bool inbox_push_to_rest(struct inbox *inbox, struct message *message);

/* [any thread] Wake a receiver though there is no message. */
void inbox_wake(struct inbox *inbox);

/* [who makes the first of several receivers] Open it. */
void inbox_open(struct inbox *inbox);

/* [any thread] Claim the right to start the receiver.  False: somebody has it. */
bool inbox_claim_start(struct inbox *inbox);

/*
 * [who claimed, or a receiver that cannot serve] What piled up, oldest first;
 * the inbox stays in STARTING.  Then close it: false when more came in.
 */
struct message *inbox_take_refused(struct inbox *inbox);
bool inbox_abandon(struct inbox *inbox);

/* [any thread] Is there a receiver, or one being made?  And is it awake? */
bool inbox_is_open(struct inbox *inbox);
bool inbox_is_awake(struct inbox *inbox);

/* [receiver, awake] Is there no message? */
bool inbox_is_empty(const struct inbox *inbox);

/* [receiver] Take everything, oldest first; NULL when empty. */
struct message *inbox_take(struct inbox *inbox);

/*
 * [receiver] Announce sleep.  False: there are messages.  On true, *wake_value
 * is what wake_word holds until the receiver is woken.
 */
bool inbox_fall_asleep(struct inbox *inbox, uint32_t *wake_value);

/* [receiver] Sleep until woken, or until @timeout_ns is over (UINT64_MAX: never). */
void inbox_sleep(struct inbox *inbox, uint32_t wake_value, uint64_t timeout_ns);

/* [receiver] Awake again, for whatever reason. */
void inbox_wake_up(struct inbox *inbox);

/* [receiver, awake] Close for good.  False: there are messages. */
bool inbox_close(struct inbox *inbox);

/* Child of a fork: closed and empty. */
void inbox_after_fork(struct inbox *inbox);

#endif
