// SPDX-License-Identifier: MIT
/*
 * pool.c - a bounded, elastic pool of threads.
 *
 * The lock is held for a few instructions and never while run() is called.
 * Threads are made by the engine with all signals blocked, and inherit that.
 *
 * A callback may fork; the child's only thread then returns into pool_thread()
 * with a pool that was forgotten, and must not touch it: the generation of the
 * process tells.
 */
#include "pool.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#include "config.h"
#include "process.h"
#include "thread.h"

/* One for each thread, on its stack. */
struct pool_member {
	TAILQ_ENTRY(pool_member) link; /* in pool->members */
	struct pool *pool;
	uint64_t key;        /* guarded by the pool's lock: of what it runs */
	uint32_t generation; /* of the process in which the thread was made */
	bool has_left;       /* no longer counted */
};

static uint64_t key_of(const struct pool *pool, const struct request *req)
{
	return pool->key_of ? pool->key_of(req) : 0;
}

static bool is_running(const struct pool *pool, uint64_t key)
{
	const struct pool_member *member;

	if (key == 0)
		return false;
	TAILQ_FOREACH(member, &pool->members, link)
		if (member->key == key)
			return true;
	return false;
}

/* What @member ran is over: the next of its key may go. */
static void release_key(struct pool_member *member)
{
	struct pool *pool = member->pool;
	struct request *req;

	if (member->key == 0)
		return;
	TAILQ_FOREACH(req, &pool->held, list_link) {
		if (key_of(pool, req) == member->key) {
			TAILQ_REMOVE(&pool->held, req, list_link);
			TAILQ_INSERT_TAIL(&pool->queue, req, list_link);
			pool->nr_queued++;
			break;
		}
	}
	member->key = 0;
}

static struct request *take(struct pool_member *member)
{
	struct pool *pool = member->pool;
	struct request *req;

	while ((req = TAILQ_FIRST(&pool->queue))) {
		uint64_t key = key_of(pool, req);

		TAILQ_REMOVE(&pool->queue, req, list_link);
		pool->nr_queued--;
		if (!is_running(pool, key)) {
			member->key = key;
			pool->nr_taken++;
			return req;
		}
		TAILQ_INSERT_TAIL(&pool->held, req, list_link);
	}
	return NULL;
}

/* Sleep until there is work, or the idle time is over: NULL. */
static struct request *wait_for_work(struct pool_member *member)
{
	struct pool *pool = member->pool;
	struct timespec deadline;
	struct request *req;

	release_key(member);
	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += 1 + (time_t)(atomic_load(&config.idle_ns) / 1000000000u);
	while (!(req = take(member))) {
		int ret;

		pool->nr_idle++;
		ret = pthread_cond_clockwait(&pool->work, &pool->lock, CLOCK_MONOTONIC, &deadline);
		pool->nr_idle--;
		if (ret == ETIMEDOUT)
			return take(member);
	}
	return req;
}

static void block_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
}

/* With the lock held: nobody counts on the thread any more. */
static void stop_counting(struct pool_member *member)
{
	TAILQ_REMOVE(&member->pool->members, member, link);
	member->pool->nr_threads--;
	member->has_left = true;
}

/* Runs when the thread returns and when a callback ends it by pthread_exit. */
static void leave_pool(void *arg)
{
	struct pool_member *member = arg;

	block_signals();
	if (!process_is_still(member->generation) || member->has_left)
		return;
	pthread_mutex_lock(&member->pool->lock);
	stop_counting(member);
	pthread_mutex_unlock(&member->pool->lock);
}

/* Whatever a callback did to its thread must not reach the next one. */
static void run_callback(struct pool *pool, struct request *req)
{
	sigset_t none;

	sigemptyset(&none);
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, NULL);
	pthread_sigmask(SIG_SETMASK, &none, NULL);
	pool->run(req);
	pthread_testcancel(); /* a callback may have cancelled its own thread */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	block_signals();
}

static void *pool_thread(void *arg)
{
	struct pool_member member = { .pool = arg, .generation = atomic_load(&process_generation) };
	struct pool *pool = arg;
	struct request *req;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	thread_set_name(pool->thread_name);
	pthread_mutex_lock(&pool->lock);
	TAILQ_INSERT_TAIL(&pool->members, &member, link);
	pthread_mutex_unlock(&pool->lock);
	pthread_cleanup_push(leave_pool, &member);
	do {
		pthread_mutex_lock(&pool->lock);
		req = wait_for_work(&member);
		if (!req)
			stop_counting(&member); /* in one step with seeing that there is nothing */
		pthread_mutex_unlock(&pool->lock);
		if (!req)
			break;
		if (pool->runs_callbacks)
			run_callback(pool, req);
		else
			pool->run(req);
	} while (process_is_still(member.generation));
	pthread_cleanup_pop(1);
	return NULL;
}

/* Called with the lock held; creation does not block on it. */
static int add_thread(struct pool *pool)
{
	int ret;

	if (pool->nr_threads >= pool->nr_max)
		return -EAGAIN;
	ret = thread_create(pool_thread, pool,
			    pool->runs_callbacks ? THREAD_DEFAULT_STACK : THREAD_SMALL_STACK);
	if (ret == 0)
		pool->nr_threads++;
	return ret;
}

int pool_submit(struct pool *pool, struct request *req)
{
	int ret = 0;

	pthread_mutex_lock(&pool->lock);
	if (is_running(pool, key_of(pool, req))) {
		TAILQ_INSERT_TAIL(&pool->held, req, list_link); /* who runs it comes back for it */
		pthread_mutex_unlock(&pool->lock);
		return 0;
	}
	TAILQ_INSERT_TAIL(&pool->queue, req, list_link);
	pool->nr_queued++;
	if (pool->nr_queued <= pool->nr_idle) {
		pthread_cond_signal(&pool->work);
	} else if (pool->nr_threads < pool->nr_eager && add_thread(pool) < 0 &&
		   pool->nr_threads == 0) {
		TAILQ_REMOVE(&pool->queue, req, list_link);
		pool->nr_queued--;
		ret = -EAGAIN;
	}
	pthread_mutex_unlock(&pool->lock);
	return ret;
}

bool pool_is_waiting(struct pool *pool)
{
	bool is_waiting;

	pthread_mutex_lock(&pool->lock);
	is_waiting = pool->nr_queued > 0 && pool->nr_threads < pool->nr_max;
	pthread_mutex_unlock(&pool->lock);
	return is_waiting;
}

/* Called with the lock held.  What the new threads take will be no sign of progress. */
static void grow(struct pool *pool)
{
	unsigned nr_added = 0;

	while (nr_added < pool->growth && add_thread(pool) == 0)
		nr_added++;
	pool->nr_taken_at_tick += nr_added;
	if (nr_added == pool->growth && pool->growth < pool->nr_max)
		pool->growth *= 2;
}

void pool_tick(struct pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	if (pool->growth == 0)
		pool->growth = 1;
	if (pool->nr_queued > 0 && pool->nr_idle == 0 && pool->nr_taken <= pool->nr_taken_at_tick) {
		grow(pool);
	} else {
		pool->growth = 1;
		pool->nr_taken_at_tick = pool->nr_taken;
	}
	pthread_mutex_unlock(&pool->lock);
}

void pool_forget(struct pool *pool)
{
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->work, NULL);
	TAILQ_INIT(&pool->queue);
	TAILQ_INIT(&pool->held);
	TAILQ_INIT(&pool->members);
	pool->nr_threads = 0;
	pool->nr_queued = pool->nr_idle = 0;
	pool->nr_taken = pool->nr_taken_at_tick = 0;
	pool->growth = 1;
}
