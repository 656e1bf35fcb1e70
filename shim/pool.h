/* SPDX-License-Identifier: MIT */
/*
 * pool.h - a bounded, elastic pool of threads.
 *
 * Three of them exist: workers for files, workers for streams (which may block
 * for ever and so must not take the places of the first), and the callbacks of
 * SIGEV_THREAD.  The engine thread feeds them; their threads belong to them.
 *
 * A pool grows at once up to nr_eager threads, then only when nothing was
 * taken from its queue between two ticks although something waits: all its
 * threads may be blocked on one another.  It grows faster the longer that lasts.  Idle threads leave.
 */
#ifndef RTAIO_POOL_H
#define RTAIO_POOL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "request.h"

struct pool_member;
TAILQ_HEAD(pool_members, pool_member);

struct pool {
	const char *thread_name;
	void (*run)(struct request *req); /* on a thread of the pool; ownership passes to it */
	/* Optional: requests of the same key, if it is not 0, run one after the other. */
	uint64_t (*key_of)(const struct request *req);
	bool runs_callbacks; /* the program's code: empty signal mask, large stack */
	unsigned nr_eager;
	unsigned nr_max;

	pthread_mutex_t lock; /* engine and pool threads only, all signals blocked */
	pthread_cond_t work;
	struct request_list queue;   /* guarded by lock */
	struct request_list held;    /* guarded by lock: their key is being run */
	struct pool_members members; /* guarded by lock: the threads */
	unsigned nr_threads;         /* guarded by lock */
	unsigned nr_queued;          /* guarded by lock */
	unsigned nr_idle;            /* guarded by lock: asleep, perhaps already signalled */
	uint64_t nr_taken;           /* guarded by lock: ever */
	uint64_t nr_taken_at_tick;   /* engine only: what would be no progress */
	unsigned growth;             /* engine only: threads to add at the next stuck tick */
};

#define POOL_INIT(pool_, name_, run_)                                                     \
	{                                                                                 \
		.thread_name = (name_), .run = (run_), .lock = PTHREAD_MUTEX_INITIALIZER, \
		.queue = TAILQ_HEAD_INITIALIZER((pool_).queue),                           \
		.held = TAILQ_HEAD_INITIALIZER((pool_).held),                             \
		.members = TAILQ_HEAD_INITIALIZER((pool_).members),                       \
	}

/*
 * [engine] Queue @req.  0, or -EAGAIN when the pool has no thread and none can
 * be made: then @req was not taken.
 */
int pool_submit(struct pool *pool, struct request *req);

/* [engine] Does something wait that another thread could run? */
bool pool_is_waiting(struct pool *pool);

/*
 * [engine] Was nothing taken since the last call, a few milliseconds ago,
 * although something waits?  Then grow.
 */
void pool_tick(struct pool *pool);

/* Child of a fork: no thread, nothing queued. */
void pool_forget(struct pool *pool);

#endif
