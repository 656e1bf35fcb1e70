// SPDX-License-Identifier: MIT
/*
 * waiter.c - threads that wait for requests, and how a completion finds them.
 *
 * Two pairs of store, fence, load (Dekker) prevent lost wakes.  Model: test/model/waiter.pml.
 *
 *   waiter: set waiters; fence; read the error code, sleep if in progress
 *   completer: store the error code; fence; read waiters, wake if set
 *
 *   waiter: set "asleep" in the slot; fence; check all its requests; sleep
 *   completer: publish; raise the slot's word and clear "asleep"; wake if it was set
 *
 * Every completion for a slot changes the slot's word, so futex_wait() refuses an outdated
 * value.  "Asleep" saves all wakes of a batch but the first.
 */
#include "request/waiter.h"

#include <errno.h>
#include <pthread.h>

#include "base/futex.h"
#include "base/thread.h"
#include "request/aiocb.h"

#define WAITS_ON_RECORD (UINT64_C(1) << 63)
#define SLOT_ASLEEP     1u
#define SLOT_STEP       2u

static struct slot {
	_Alignas(64) _Atomic uint32_t word; /* waiters set bit 0; completers clear it and add 2 */
} slots[WAITER_SLOTS + 1];

static uint32_t slot_of_thread(void)
{
	return thread_row() % WAITER_SLOTS;
}

/*
 * A cancellation point if @can_cancel.  Asynchronous cancellation is on around the system call
 * only: the thread holds no lock there, and nothing has to be undone.
 */
static int sleep_on(_Atomic uint32_t *word, uint32_t value, const struct timespec *deadline,
		    bool can_cancel)
{
	int old_type = PTHREAD_CANCEL_DEFERRED, ret;

	if (can_cancel)
		pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old_type);
	ret = futex_wait(word, value, deadline);
	if (can_cancel)
		pthread_setcanceltype(old_type, NULL);
	return ret == -EAGAIN ? 0 : ret;
}

int waiter_wait_one(request_handle handle, const struct timespec *deadline, bool can_cancel)
{
	struct request *req = request_lookup(handle);

	if (!req)
		return 0;
	/* Partner: waiter_publish(). */
	atomic_fetch_or(&req->waiters, WAITS_ON_RECORD);
	return sleep_on(request_wait_word(req), (uint32_t)(handle >> 32), deadline, can_cancel);
}

/* Set @bit in the record of every entry.  False: an entry is not in progress. */
static bool register_waiter(const struct aiocb *const list[], int nent, uint64_t bit)
{
	for (int i = 0; i < nent; i++) {
		struct request *req = list[i] ? aiocb_request(list[i]) : NULL;

		if (list[i] && !req)
			return false;
		if (req && !(atomic_load(&req->waiters) & bit))
			atomic_fetch_or(&req->waiters, bit);
	}
	return true;
}

/*
 * Is @cb in progress, with @bit set in its record?  Another thread may have submitted the
 * aiocb again, on another record.  A thread that shares the slot may have set the bit there
 * after the completer read waiters: so read the bit first, then check that the record lives.
 * @handle is no newer than the one that aiocb_request() reads, since both are one location's.
 */
static bool is_known_to(const struct aiocb *cb, uint64_t bit)
{
	request_handle handle = aiocb_handle(cb);
	struct request *req = aiocb_request(cb);

	return req && (atomic_load(&req->waiters) & bit) && request_lookup(handle) == req;
}

static bool is_registered(const struct aiocb *const list[], int nent, uint64_t bit)
{
	for (int i = 0; i < nent; i++)
		if (list[i] && !is_known_to(list[i], bit))
			return false;
	return true;
}

int waiter_wait_any(const struct aiocb *const list[], int nent, const struct timespec *deadline,
		    bool can_cancel)
{
	uint32_t slot = slot_of_thread(), value;
	uint64_t bit = UINT64_C(1) << slot;

	if (!register_waiter(list, nent, bit))
		return 0;
	/* Partner: wake_slot().  Sequentially consistent, so it is also the fence. */
	value = atomic_fetch_or(&slots[slot].word, SLOT_ASLEEP) | SLOT_ASLEEP;
	if (!is_registered(list, nent, bit))
		return 0;
	return sleep_on(&slots[slot].word, value, deadline, can_cancel);
}

int waiter_wait_completions(bool (*is_over)(void), const struct timespec *deadline)
{
	struct slot *slot = &slots[WAITER_SLOTS];
	/* Partner: wake_slot(), after the completion was added. */
	uint32_t value = atomic_fetch_or(&slot->word, SLOT_ASLEEP) | SLOT_ASLEEP;

	return is_over() ? 0 : sleep_on(&slot->word, value, deadline, true);
}

uint64_t waiter_publish(struct request *req)
{
	uint64_t word = atomic_load(&req->word);

	/*
	 * Clears the marks, too.  The fence orders publication before the read of waiters.
	 * Partners: waiter_wait_one() and register_waiter().
	 */
	while (!atomic_compare_exchange_weak(&req->word, &word, ((word >> 32) + 1u) << 32))
		continue;
	atomic_thread_fence(memory_order_seq_cst);
	return atomic_load(&req->waiters);
}

uint64_t waiter_wake(struct request *req, uint64_t waiters)
{
	if (waiters & WAITS_ON_RECORD)
		futex_wake(request_wait_word(req), INT_MAX);
	return waiters;
}

static bool wake_slot(struct slot *slot)
{
	uint32_t old = atomic_load(&slot->word);

	while (!atomic_compare_exchange_weak(&slot->word, &old, (old + SLOT_STEP) & ~SLOT_ASLEEP))
		continue;
	if (old & SLOT_ASLEEP)
		futex_wake(&slot->word, INT_MAX);
	return old & SLOT_ASLEEP;
}

bool waiter_wake_slots(uint64_t waiters)
{
	bool has_slept = waiters & WAITS_ON_RECORD;

	for (waiters &= ~WAITS_ON_RECORD; waiters; waiters &= waiters - 1)
		has_slept |= wake_slot(&slots[__builtin_ctzll(waiters)]);
	return has_slept;
}
