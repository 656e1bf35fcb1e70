/* SPDX-License-Identifier: MIT */
/*
 * inbox.h - messages from any thread to a thread of ours, or to a pool of such threads.
 *
 * The head is one word.  It is the newest message of a list, or if there is none, the state of the
 * receiver.  Since both lie in one word, no wake is lost between a check of the list and the sleep.
 *
 *   INBOX_EMPTY     the receiver is awake and will look again
 *   INBOX_ASLEEP    the receiver sleeps; the thread that replaces this value wakes it.  The value
 *                   may name a chain (request_chain) of which a request is in flight.  Other
 *                   requests of that chain can only wait, so they are added without a wake.
 *   INBOX_CLOSED    no receiver; a thread that needs one replaces this by STARTING
 *   INBOX_STARTING  a thread makes the receiver; others push on top meanwhile
 */
#ifndef RTAIO_INBOX_H
#define RTAIO_INBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "request/request.h"

struct inbox {
	_Alignas(CACHE_LINE) _Atomic uintptr_t head; /* in a line that every submitter writes */
	_Atomic uint32_t wake_word;                  /* bumped before each futex wake */
	/*
	 * A timerfd that each wake arms, for a receiver that sleeps in a ring on a kernel whose
	 * io_uring has no futex operation (before 6.7).  Negative: none.
	 */
	_Atomic int wake_timer;
	/*
	 * 0: there is one receiver.  Else SLEEPER_LAST, and one bit of each of 31 receivers that
	 * sleep; further ones sleep as SLEEPER_LAST.  A push wakes the lowest bit, so the others
	 * stay idle and may end.
	 */
	_Atomic uint32_t sleepers;
	uint32_t chain; /* [receiver] that its next sleep names, or 0 */
};

#define SLEEPER_LAST (1u << 31)
#define INBOX_CLOSED ((uintptr_t)2)
#define INBOX_INIT                                      \
	{                                               \
		.head = INBOX_CLOSED, .wake_timer = -1, \
	}

/*
 * [any thread, also in handlers] Hand over the list @first .. @last, linked by message.next from
 * newest to oldest.  It is received whole and in order.  False: there is no receiver; start one
 * (inbox_claim_start) and try again.
 */
bool inbox_push(struct inbox *inbox, struct message *first, struct message *last);

/* [as above] Hand over @req without a wake.  False: the receiver is awake, or @req must wake it. */
bool inbox_push_no_wake(struct inbox *inbox, struct request *req);

/* [any thread] Would inbox_push_no_wake() take @req now? */
bool inbox_needs_no_wake(struct inbox *inbox, const struct request *req);

/* [any thread] Does the receiver sleep, naming no chain? */
bool inbox_is_asleep(struct inbox *inbox);

/* [any thread, also in handlers] If the receiver sleeps, hand over @message and wake it. */
bool inbox_push_if_asleep(struct inbox *inbox, struct message *message);

/* [any thread] Wake a receiver without a message. */
void inbox_wake(struct inbox *inbox);

/* [thread that makes the first of several receivers] Open the inbox. */
void inbox_open(struct inbox *inbox);

/* [any thread] Claim the right to make the receiver.  False: there is one, or it is being made. */
bool inbox_claim_start(struct inbox *inbox);

/*
 * [thread that claimed the start, or a receiver that cannot serve] Take all messages, oldest first,
 * and leave STARTING behind.  Then close the inbox.  False: more messages came in.
 */
struct message *inbox_take_refused(struct inbox *inbox);
bool inbox_abandon(struct inbox *inbox);

/* [any thread] Is there a receiver, or is one being made?  And is it awake? */
bool inbox_is_open(struct inbox *inbox);
bool inbox_is_awake(struct inbox *inbox);

/* [receiver, awake] Is there no message? */
bool inbox_is_empty(const struct inbox *inbox);

/* [receiver] Take all messages, oldest first; NULL: there are none. */
struct message *inbox_take(struct inbox *inbox);

/*
 * [receiver] Announce sleep.  False: there are messages.  If true, *wake_value is the value of
 * wake_word until the next wake.
 */
bool inbox_fall_asleep(struct inbox *inbox, uint32_t *wake_value);

/* [receiver] Sleep until a wake or for @timeout_ns (UINT64_MAX: no timeout). */
void inbox_sleep(struct inbox *inbox, uint32_t wake_value, uint64_t timeout_ns);

/* [receiver] Call after each sleep. */
void inbox_wake_up(struct inbox *inbox);

/* [receiver, awake] Close the inbox.  False: there are messages. */
bool inbox_close(struct inbox *inbox);

/* Child of a fork: closed and empty. */
void inbox_after_fork(struct inbox *inbox);

#endif
