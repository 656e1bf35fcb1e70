/* SPDX-License-Identifier: MIT */
/*
 * thread_pool.h - an elastic pool of threads.
 *
 * One exists: the workers, which perform requests by plain system calls.  The
 * engine feeds it; submitters do, too, while one of its threads is idle.
 *
 * Bounded requests run on at most so many threads as the pool may use at once.
 * That number grows only when nothing was taken between two ticks although
 * something waits: all threads may be blocked, perhaps on one another.  Each
 * other request (a read or write of a stream, which may block for ever) gets a
 * thread at once.  Idle threads leave.
 *
 * Requests for files begin in the order that pool_order.h says.
 */
#ifndef RTAIO_THREAD_POOL_H
#define RTAIO_THREAD_POOL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "inbox.h"
#include "request.h"

#define POOL_BUCKETS 256u /* by descriptor */

struct thread_pool {
	const char *thread_name;
	/* On a thread of the pool. */
	void (*run)(struct request *req);
	/* On the same thread, when the pool knows @req no longer. */
	void (*finish)(struct request *req);
	/* On a thread of the pool: thread_pool_is_waiting() is true, and was not. */
	void (*ask_for_tick)(void);
	unsigned nr_eager; /* bounded requests that run at once, */
	unsigned nr_max;   /* and the most that this grows to */

	struct inbox inbox; /* from submitters; asleep while a thread is idle, closed without any */

	pthread_mutex_t lock;          /* engine and pool threads only, all signals blocked */
	struct request_list unbounded; /* guarded by lock, as all below: may begin */
	struct request_list bounded;   /* the same, as far as there is a thread */
	struct request_list order[POOL_BUCKETS]; /* all of a bucket, oldest first */
	unsigned nr_threads;
	unsigned nr_new;     /* of these, that have not looked for work yet */
	unsigned nr_idle;    /* asleep, perhaps already woken */
	unsigned nr_bounded; /* that run */
	unsigned bound;      /* on these, now */
	unsigned growth;     /* of bound, at the next tick without progress */
	uint64_t nr_taken;   /* ever */
	uint64_t nr_taken_at_tick;
	bool is_watched; /* the engine knows that something waits, and ticks */
};

/* First use, or child of a fork: no thread, nothing queued. */
void thread_pool_init(struct thread_pool *pool);

/*
 * [engine] Queue @req.  0, or -EAGAIN when the pool has no thread and none can
 * be made: then @req was not taken.
 */
int thread_pool_submit(struct thread_pool *pool, struct request *req);

/* [any thread] Is a thread idle, so that thread_pool_offer() may succeed? */
bool thread_pool_is_idle(struct thread_pool *pool);

/* [submitter, also in handlers] Hand @req over if a thread is idle. */
bool thread_pool_offer(struct thread_pool *pool, struct request *req);

/*
 * [engine] True: @req had not begun, and was taken back.  It may be another
 * request by now, if it is not of that generation.
 */
bool thread_pool_withdraw(struct thread_pool *pool, struct request *req, uint32_t generation);

/*
 * [engine] The descriptor of @req was closed and may mean another file now,
 * whose requests have nothing to wait for here.
 */
void thread_pool_detach(struct thread_pool *pool, struct request *req, uint32_t generation);

/* [engine] Does something wait that another thread could run? */
bool thread_pool_is_waiting(struct thread_pool *pool);

/*
 * [engine] Look after what submitters left, and if nothing was taken since the
 * last call, a few milliseconds ago, although something waits, grow.
 */
void thread_pool_tick(struct thread_pool *pool);

/* [engine] One thread at least, for what submitters are going to offer. */
void thread_pool_provide(struct thread_pool *pool);

#endif
