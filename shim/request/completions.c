// SPDX-License-Identifier: MIT
/*
 * completions.c - requests that have ended, for aio_waitcomplete.
 *
 * Adding takes no lock: a completion is pushed to a stack, as newest.  A thread that takes, with
 * the lock, first moves what is there to the list, in the order in which it was pushed.
 *
 * aio_return may come between the result and the push.  Then the completion is marked, and freed
 * when it is found in the stack.
 *
 * On the other side of the lock are other threads in aio_waitcomplete and aio_return.  Model:
 * test/model/completions.pml.
 */
#include "request/completions.h"

#include <pthread.h>

#include "base/signal_lock.h"
#include "request/aiocb.h"

enum { PENDING, LISTED, FORGOTTEN }; /* request.completion_state: guarded by the lock */

_Atomic bool completions_keep_all, completions_were_made;
_Atomic unsigned completions_nr_elsewhere;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct request_list listed = TAILQ_HEAD_INITIALIZER(listed); /* guarded by lock */
static _Atomic unsigned nr_listed;                                  /* written with the lock */
static _Atomic(struct message *) newest;

void completions_keep(void)
{
	if (!completions_are_kept())
		atomic_store(&completions_keep_all, true);
}

struct request *completions_make(struct aiocb *cb)
{
	struct request *completion = request_alloc();

	if (!completion)
		return NULL;
	if (!completions_may_exist())
		atomic_store(&completions_were_made, true);
	completion->op = OP_GROUP;                               /* no I/O */
	__atomic_store_n(&completion->cb, cb, __ATOMIC_RELAXED); /* partner: aiocb_lookup() */
	request_set_place(completion, PLACE_DONE);
	aiocb_set_completion(cb, completion);
	return completion;
}

void completions_discard(struct request *completion)
{
	if (completion)
		request_free(completion);
}

void completions_add(struct request *completion, ssize_t res, bool is_direct)
{
	struct message *next = atomic_load(&newest);

	completion->res = res;
	if (!is_direct)
		atomic_fetch_add(&completions_nr_elsewhere, 1);
	do
		completion->message.next = next;
	while (!atomic_compare_exchange_weak(&newest, &next, &completion->message));
}

static void insert(struct request *completion)
{
	if (completion->completion_state == FORGOTTEN) {
		request_free(completion);
		return;
	}
	completion->completion_state = LISTED;
	TAILQ_INSERT_TAIL(&listed, completion, list_link);
	atomic_fetch_add(&nr_listed, 1);
}

/* With the lock. */
static void list_new(void)
{
	struct message *message, *oldest = NULL, *next;

	if (!atomic_load(&newest))
		return;
	/*
	 * Partner: completions_exist(), which must not miss what is in neither place for a moment.
	 */
	atomic_fetch_add(&nr_listed, 1);
	message = atomic_exchange(&newest, NULL);
	for (; message; message = next) {
		next = message->next;
		message->next = oldest;
		oldest = message;
	}
	for (; oldest; oldest = next) {
		next = oldest->next;
		insert((struct request *)oldest);
	}
	atomic_fetch_sub(&nr_listed, 1);
}

/* With the lock. */
static void unlist(struct request *completion)
{
	TAILQ_REMOVE(&listed, completion, list_link);
	atomic_fetch_sub(&nr_listed, 1);
	request_free(completion);
}

struct aiocb *completions_take(ssize_t *res)
{
	struct request *completion;
	struct aiocb *cb = NULL;
	uint64_t mask;

	if (!completions_exist() || !signal_lock(&lock, &mask))
		return NULL;
	list_new();
	completion = TAILQ_FIRST(&listed);
	if (completion) {
		cb = completion->cb;
		*res = completion->res;
		unlist(completion);
	}
	signal_unlock(&lock, mask);
	return cb;
}

/* In this order: list_new() raises the number before it takes the stack. */
bool completions_exist(void)
{
	return atomic_load(&newest) || atomic_load(&nr_listed) > 0;
}

void completions_forget(const struct aiocb *cb)
{
	struct request *completion;
	uint64_t mask;

	if (!signal_lock(&lock, &mask))
		return;
	list_new();
	completion = aiocb_completion(cb);
	if (completion && completion->completion_state == LISTED)
		unlist(completion);
	else if (completion)
		completion->completion_state = FORGOTTEN;
	signal_unlock(&lock, mask);
}

void completions_after_fork(void)
{
	pthread_mutex_init(&lock, NULL);
	TAILQ_INIT(&listed);
	atomic_store(&nr_listed, 0);
	atomic_store(&newest, NULL);
}
