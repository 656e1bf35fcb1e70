// SPDX-License-Identifier: MIT
/*
 * inbox.c - the hand-over from any thread to the engine thread.
 *
 * Pushers compete by compare-and-swap on head; the engine is the only taker.
 * The bottom message of the list has next == NULL whatever state it replaced:
 * the pusher that replaced ASLEEP owes the wake.  One without haste leaves it
 * standing, so that who comes next still owes it.  The engine reads the wake
 * word before it says ASLEEP, so that a wake which comes at once is seen.
 * test/model/inbox.pml is the model.
 */
#include "inbox.h"

#include <signal.h>
#include <sys/timerfd.h>

#include "futex.h"
#include "stats.h"

#define INBOX_EMPTY    ((uintptr_t)0)
#define INBOX_ASLEEP   ((uintptr_t)1)
#define INBOX_CLOSED   ((uintptr_t)2)
#define INBOX_STARTING ((uintptr_t)3)
#define INBOX_MESSAGE  ((uintptr_t)4) /* anything from here on is a pointer, perhaps | ASLEEP */

#define QUIET_MAX 64u /* of so many messages without haste one wakes the engine */

static _Atomic uintptr_t head = INBOX_CLOSED;
_Atomic uint32_t inbox_wake_word;
_Atomic int inbox_wake_timer = -1;

static struct message *list_of(uintptr_t value)
{
	return value >= INBOX_MESSAGE ? (struct message *)(value & ~INBOX_ASLEEP) : NULL;
}

static bool is_asleep(uintptr_t value)
{
	return (value == INBOX_ASLEEP || value >= INBOX_MESSAGE) && (value & INBOX_ASLEEP);
}

static void wake_engine(void)
{
	int timer;

	stats_inc(engine_wakes);
	atomic_fetch_add(&inbox_wake_word, 1);
	/* All: a ring that was just closed may still wait here, and is not the one that is meant. */
	futex_wake(&inbox_wake_word, INT_MAX);
	timer = atomic_load(&inbox_wake_timer);
	if (timer >= 0) {
		const struct itimerspec at_once = { .it_value = { .tv_nsec = 1 } };

		RAW_SYSCALL(SYS_timerfd_settime, timer, 0, &at_once, NULL);
	}
}

/*
 * Who replaces ASLEEP owes a wake, and until it is paid nobody else sees a
 * reason to wake the engine: a handler that came in between and waited for a
 * request would wait for ever.  So no handler comes in between.  Without a
 * message: only wake, for what lies there.
 */
static bool push_and_wake(struct message *first, struct message *last)
{
	uintptr_t value = atomic_load(&head);
	uint64_t all = UINT64_MAX, old;
	bool has_pushed = false;

	RAW_SYSCALL(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, sizeof(all));
	while (is_asleep(value) && !has_pushed) {
		if (last)
			last->next = list_of(value);
		has_pushed =
			atomic_compare_exchange_weak(&head, &value,
						     (uintptr_t)(first ? first : list_of(value)));
	}
	if (has_pushed)
		wake_engine();
	RAW_SYSCALL(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, sizeof(old));
	return has_pushed;
}

bool inbox_push(struct message *first, struct message *last)
{
	uintptr_t old = atomic_load(&head);

	for (;;) {
		if (old == INBOX_CLOSED)
			return false;
		if (is_asleep(old)) {
			if (push_and_wake(first, last))
				return true;
			old = atomic_load(&head);
			continue;
		}
		last->next = list_of(old);
		/* Release: partner inbox_take(), which reads the messages. */
		if (atomic_compare_exchange_weak(&head, &old, (uintptr_t)first))
			return true;
	}
}

bool inbox_push_quietly(struct message *message)
{
	static _Atomic uint32_t nr_quiet;
	uintptr_t old = atomic_load(&head), new;

	if (atomic_fetch_add_explicit(&nr_quiet, 1, memory_order_relaxed) % QUIET_MAX == 0)
		return inbox_push(message, message);
	do {
		if (old == INBOX_CLOSED)
			return false;
		message->next = list_of(old);
		new = (uintptr_t)message | (is_asleep(old) ? INBOX_ASLEEP : 0);
	} while (!atomic_compare_exchange_weak(&head, &old, new));
	return true;
}

void inbox_prod(void)
{
	uintptr_t value = atomic_load(&head);

	if (list_of(value) && is_asleep(value))
		push_and_wake(NULL, NULL);
}

bool inbox_claim_start(void)
{
	uintptr_t expected = INBOX_CLOSED;

	return atomic_compare_exchange_strong(&head, &expected, INBOX_STARTING);
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

struct message *inbox_take_refused(void)
{
	return oldest_first(atomic_exchange(&head, INBOX_STARTING));
}

bool inbox_abandon(void)
{
	uintptr_t expected = INBOX_STARTING;

	return atomic_compare_exchange_strong(&head, &expected, INBOX_CLOSED);
}

bool inbox_is_open(void)
{
	return atomic_load(&head) != INBOX_CLOSED;
}

struct message *inbox_take(void)
{
	if (atomic_load_explicit(&head, memory_order_relaxed) == INBOX_EMPTY)
		return NULL;
	return oldest_first(atomic_exchange(&head, INBOX_EMPTY));
}

bool inbox_fall_asleep(uint32_t *wake_value)
{
	uintptr_t expected = INBOX_EMPTY;

	*wake_value = atomic_load(&inbox_wake_word);
	return atomic_compare_exchange_strong(&head, &expected, INBOX_ASLEEP);
}

/* It is EMPTY, ASLEEP or a list: nobody closes it but the engine. */
void inbox_wake_up(void)
{
	atomic_fetch_and(&head, ~INBOX_ASLEEP);
}

bool inbox_close(void)
{
	uintptr_t expected = INBOX_EMPTY;

	return atomic_compare_exchange_strong(&head, &expected, INBOX_CLOSED);
}

void inbox_forget(void)
{
	atomic_store(&head, INBOX_CLOSED);
	atomic_store(&inbox_wake_timer, -1);
}
