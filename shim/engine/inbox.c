// SPDX-License-Identifier: MIT
/*
 * inbox.c - messages from any thread to a thread of ours.
 *
 * Pushers compete by compare-and-swap on the head; only the receiver takes.  The oldest message of
 * a list has next == NULL, whatever state it replaced.  The pusher that replaced ASLEEP has to
 * wake.  The receiver reads the wake word before it announces sleep, so that it cannot miss a wake
 * that comes at once.  Model: test/model/inbox.pml.
 */
#include "engine/inbox.h"

#include <sys/timerfd.h>

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/futex.h"
#include "base/raw_syscall.h"
#include "base/signal_mask.h"
#include "base/stats.h"

#define INBOX_EMPTY    ((uintptr_t)0)
#define INBOX_ASLEEP   ((uintptr_t)1 << 63) /* a flag: see asleep_word() */
#define INBOX_STARTING ((uintptr_t)3)
#define INBOX_MESSAGE  ((uintptr_t)4) /* this and above: a pointer */

/*
 * The head while the receiver sleeps.  @nr is the index of the newest request that was pushed
 * without a wake, plus one; 0: none.  The word holds all that such a push depends on, so the push
 * is right even if the same word belongs to a later sleep.
 */
static uintptr_t asleep_word(uint32_t nr, uint32_t chain)
{
	return INBOX_ASLEEP | (uintptr_t)nr << 32 | chain;
}

static bool is_asleep(uintptr_t head)
{
	return head & INBOX_ASLEEP;
}

static struct message *list_of(uintptr_t value)
{
	uint32_t nr = (uint32_t)((value & ~INBOX_ASLEEP) >> 32);

	if (is_asleep(value))
		return nr ? &request_at(nr - 1)->message : NULL;
	return value >= INBOX_MESSAGE ? (struct message *)value : NULL;
}

static void wake_sleepers(struct inbox *inbox)
{
	/* Partner: end_sleep() of workers.c.  A receiver that has a bit will look for messages. */
	uint32_t sleepers = atomic_load(&inbox->sleepers);

	/* Wake all: the futex wait of a ring closed just now may still be queued here. */
	if (!sleepers)
		futex_wake(&inbox->wake_word, INT_MAX);
	else
		futex_wake_as(&inbox->wake_word, sleepers & -sleepers);
}

void inbox_wake(struct inbox *inbox)
{
	int timer;

	stats_inc(engine_wakes);
	atomic_fetch_add(&inbox->wake_word, 1);
	wake_sleepers(inbox);
	timer = atomic_load(&inbox->wake_timer);
	if (descriptor_is_own(timer)) {
		const struct itimerspec at_once = { .it_value = { .tv_nsec = 1 } };

		RAW_SYSCALL(SYS_timerfd_settime, timer, 0, &at_once, NULL);
	}
}

/*
 * The thread that replaces ASLEEP has to wake the receiver, and no other thread will.  A handler
 * that came in between and waited for a request would wait for ever.  So signals are blocked.
 */
static bool push_and_wake(struct inbox *inbox, uintptr_t expected, struct message *first,
			  struct message *last)
{
	uint64_t mask;
	bool has_pushed;

	last->next = list_of(expected);
	mask = signals_block(ALL_SIGNALS);
	has_pushed = atomic_compare_exchange_strong(&inbox->head, &expected, (uintptr_t)first);
	if (has_pushed)
		inbox_wake(inbox);
	signals_set(mask);
	return has_pushed;
}

bool inbox_push(struct inbox *inbox, struct message *first, struct message *last)
{
	uintptr_t old = atomic_load(&inbox->head);

	for (;;) {
		if (old == INBOX_CLOSED)
			return false;
		if (is_asleep(old)) {
			if (push_and_wake(inbox, old, first, last))
				return true;
			old = atomic_load(&inbox->head);
			continue;
		}
		last->next = list_of(old);
		/* Release.  Partner: inbox_take(), which then reads the messages. */
		if (atomic_compare_exchange_weak(&inbox->head, &old, (uintptr_t)first))
			return true;
	}
}

static bool names_chain_of(uintptr_t head, const struct request *req)
{
	uint32_t chain = request_chain(req);

	return chain && is_asleep(head) && (uint32_t)head == chain;
}

bool inbox_needs_no_wake(struct inbox *inbox, const struct request *req)
{
	return names_chain_of(atomic_load(&inbox->head), req);
}

bool inbox_push_no_wake(struct inbox *inbox, struct request *req)
{
	uintptr_t old = atomic_load(&inbox->head);

	while (names_chain_of(old, req)) {
		req->message.next = list_of(old);
		if (atomic_compare_exchange_weak(&inbox->head, &old,
						 asleep_word(req->index + 1, (uint32_t)old)))
			return true;
	}
	return false;
}

bool inbox_is_asleep(struct inbox *inbox)
{
	return atomic_load(&inbox->head) == INBOX_ASLEEP;
}

bool inbox_push_if_asleep(struct inbox *inbox, struct message *message)
{
	return inbox_is_asleep(inbox) && push_and_wake(inbox, INBOX_ASLEEP, message, message);
}

void inbox_open(struct inbox *inbox)
{
	atomic_store(&inbox->head, INBOX_EMPTY);
}

bool inbox_claim_start(struct inbox *inbox)
{
	uintptr_t expected = INBOX_CLOSED;

	return atomic_compare_exchange_strong(&inbox->head, &expected, INBOX_STARTING);
}

static struct message *oldest_first(uintptr_t list)
{
	struct message *reversed = NULL, *message = list_of(list);

	while (message) {
		struct message *older = message->next;

		message->next = reversed;
		reversed = message;
		message = older;
	}
	return reversed;
}

struct message *inbox_take_refused(struct inbox *inbox)
{
	return oldest_first(atomic_exchange(&inbox->head, INBOX_STARTING));
}

bool inbox_abandon(struct inbox *inbox)
{
	uintptr_t expected = INBOX_STARTING;

	return atomic_compare_exchange_strong(&inbox->head, &expected, INBOX_CLOSED);
}

bool inbox_is_awake(struct inbox *inbox)
{
	uintptr_t head = atomic_load(&inbox->head);

	return head != INBOX_CLOSED && !is_asleep(head);
}

bool inbox_is_open(struct inbox *inbox)
{
	return atomic_load(&inbox->head) != INBOX_CLOSED;
}

/* Relaxed: inbox_fall_asleep() asks again before the receiver sleeps. */
bool inbox_is_empty(const struct inbox *inbox)
{
	return atomic_load_explicit(&inbox->head, memory_order_relaxed) == INBOX_EMPTY;
}

struct message *inbox_take(struct inbox *inbox)
{
	if (inbox_is_empty(inbox))
		return NULL;
	return oldest_first(atomic_exchange(&inbox->head, INBOX_EMPTY));
}

bool inbox_fall_asleep(struct inbox *inbox, uint32_t *wake_value)
{
	uintptr_t expected = INBOX_EMPTY;

	*wake_value = atomic_load(&inbox->wake_word);
	return atomic_compare_exchange_strong(&inbox->head, &expected,
					      asleep_word(0, inbox->chain));
}

void inbox_sleep(struct inbox *inbox, uint32_t wake_value, uint64_t timeout_ns)
{
	bool is_forever = timeout_ns == UINT64_MAX;
	struct timespec deadline = clock_in_ns(is_forever ? 0 : timeout_ns);

	futex_wait(&inbox->wake_word, wake_value, is_forever ? NULL : &deadline);
}

/* Messages stay, whether they came with a wake or without. */
void inbox_wake_up(struct inbox *inbox)
{
	uintptr_t expected = asleep_word(0, inbox->chain);

	atomic_compare_exchange_strong(&inbox->head, &expected, INBOX_EMPTY);
}

bool inbox_close(struct inbox *inbox)
{
	uintptr_t expected = INBOX_EMPTY;

	return atomic_compare_exchange_strong(&inbox->head, &expected, INBOX_CLOSED);
}

void inbox_after_fork(struct inbox *inbox)
{
	atomic_store(&inbox->head, INBOX_CLOSED);
	atomic_store(&inbox->wake_timer, -1);
}
