// SPDX-License-Identifier: MIT
/*
 * thread_pool.c - an elastic pool of threads.
 *
 * Who is on the other side.  Submitters touch the inbox and nothing else.  The
 * engine and the threads of the pool share the rest under the lock, which is
 * held for a few instructions and never while run() is called; all signals are
 * blocked in them.
 *
 * The inbox has several receivers, one at a time, by the lock.  It is asleep
 * while a thread is idle, so that one thing holds always: whoever replaces
 * ASLEEP wakes a thread that takes everything.  Submitters add nothing while no
 * thread is idle.  test/model/pool.pml is the model.
 */
#include "thread_pool.h"

#include <errno.h>

#include "bypass.h"
#include "config.h"
#include "futex.h"
#include "pool_order.h"
#include "thread.h"

/* One for each thread, on its stack. */
struct member {
	struct thread_pool *pool;
	uint32_t wake_value; /* of the inbox, when it was idle last */
	pid_t tid;
	bool is_bounded; /* guarded by the lock: it runs a bounded request */
	bool is_new;     /* guarded by the lock: it has not looked for work yet */
};

/* --- order: with the lock held ------------------------------------------------ */

static bool is_unbounded(const struct request *req)
{
	return !request_is_barrier(req) && !descriptor_is_file(&req->descriptor);
}

static struct request_list *order_of(struct thread_pool *pool, const struct request *req)
{
	return &pool->order[(unsigned)req->fd % POOL_BUCKETS];
}

static void make_ready(struct thread_pool *pool, struct request *req)
{
	req->pool_state = POOL_READY;
	TAILQ_INSERT_TAIL(is_unbounded(req) ? &pool->unbounded : &pool->bounded, req, list_link);
}

static void add(struct thread_pool *pool, struct request *req)
{
	if (is_unbounded(req)) {
		make_ready(pool, req);
		return;
	}
	req->pool_state = POOL_WAITING;
	TAILQ_INSERT_TAIL(order_of(pool, req), req, pool_link);
	if (pool_order_may_begin(order_of(pool, req), req))
		make_ready(pool, req);
}

/* What waited for a request on @fd that is gone. */
static void make_followers_ready(struct thread_pool *pool, struct request_list *order, int fd)
{
	struct request *req;

	TAILQ_FOREACH(req, order, pool_link) {
		if (req->fd != fd || req->pool_state != POOL_WAITING)
			continue;
		if (!pool_order_may_begin(order_of(pool, req), req))
			return;
		make_ready(pool, req);
	}
}

static void remove_from_order(struct thread_pool *pool, struct request *req)
{
	struct request_list *order = order_of(pool, req);

	req->pool_state = POOL_NONE;
	if (is_unbounded(req))
		return;
	TAILQ_REMOVE(order, req, pool_link);
	make_followers_ready(pool, order, req->fd);
}

/* --- threads: with the lock held ---------------------------------------------- */

static struct request *first_takeable(struct thread_pool *pool)
{
	struct request *req = TAILQ_FIRST(&pool->unbounded);

	if (!req && pool->nr_bounded < pool->bound)
		req = TAILQ_FIRST(&pool->bounded);
	return req;
}

static struct request *take(struct member *member)
{
	struct thread_pool *pool = member->pool;
	struct request *req = first_takeable(pool);

	if (!req)
		return NULL;
	member->is_bounded = !is_unbounded(req);
	TAILQ_REMOVE(member->is_bounded ? &pool->bounded : &pool->unbounded, req, list_link);
	pool->nr_bounded += member->is_bounded;
	pool->nr_taken++;
	req->pool_state = POOL_RUNNING;
	atomic_store(&req->tid, member->tid);
	return req;
}

/* @member runs nothing any more: not even what it ran last. */
static void stop_running(struct member *member)
{
	struct thread_pool *pool = member->pool;

	pool->nr_bounded -= member->is_bounded;
	member->is_bounded = false;
	if (pool->nr_bounded < pool->nr_eager)
		pool->bound = pool->nr_eager;
}

static void *pool_thread(void *arg);

static int add_thread(struct thread_pool *pool)
{
	int ret;

	if (pool->nr_threads == 0)
		inbox_open(&pool->inbox);
	ret = thread_create(pool_thread, pool, false);
	if (ret == 0) {
		pool->nr_threads++;
		pool->nr_new++;
	} else if (pool->nr_threads == 0) {
		inbox_close(&pool->inbox);
	}
	return ret;
}

/*
 * Something may be run: by an idle thread, or by a new one.  Each that takes
 * something calls this again for the next.
 */
static int provide_thread(struct thread_pool *pool)
{
	if (!first_takeable(pool))
		return 0;
	if (pool->nr_idle == 0)
		return add_thread(pool);
	inbox_wake(&pool->inbox);
	return 0;
}

/* Is there something for which the bound would have to grow? */
static bool is_short(struct thread_pool *pool)
{
	return !first_takeable(pool) && !TAILQ_EMPTY(&pool->bounded) && pool->bound < pool->nr_max;
}

/*
 * True: the engine must be asked.  Only its tick makes a thread where none could be
 * made, or lets more run; and it may have seen nothing that waits, since this was
 * offered, or had to follow something.
 */
static bool look_after_rest(struct thread_pool *pool)
{
	bool has_failed = provide_thread(pool) < 0;

	return (has_failed || is_short(pool)) && !pool->is_watched;
}

/* Take what submitters have added.  While a thread is idle the inbox stays asleep. */
static void drain(struct thread_pool *pool)
{
	struct message *message, *next;
	uint32_t unused;

	if (!inbox_is_open(&pool->inbox) || (pool->nr_idle > 0 && inbox_rests(&pool->inbox)))
		return;
	do {
		for (message = inbox_take(&pool->inbox); message; message = next) {
			next = message->next;
			add(pool, (struct request *)message);
		}
	} while (pool->nr_idle > 0 && !inbox_fall_asleep(&pool->inbox, &unused));
}

/* False: there is something to take. */
static bool become_idle(struct member *member)
{
	struct thread_pool *pool = member->pool;
	uint32_t unused;

	/* Before the look into the inbox: a wake that comes after it changes the word. */
	member->wake_value = atomic_load(&pool->inbox.wake_word);
	if (!inbox_rests(&pool->inbox) && !inbox_fall_asleep(&pool->inbox, &unused))
		return false;
	pool->nr_idle++;
	return true;
}

/* --- a thread of the pool ----------------------------------------------------- */

/*
 * @done, if there is one, was run: forget it, and take the next.  Without one
 * the thread is idle for others from here on, before @done is published: who
 * learns the result is often back with the next request before this thread
 * could be asleep.
 */
static struct request *exchange(struct member *member, struct request *done)
{
	struct thread_pool *pool = member->pool;
	struct request *req;
	bool asks;

	pthread_mutex_lock(&pool->lock);
	pool->nr_new -= member->is_new;
	member->is_new = false;
	stop_running(member);
	if (done)
		remove_from_order(pool, done);
	do {
		drain(pool);
		req = take(member);
	} while (!req && !become_idle(member));
	asks = look_after_rest(pool);
	pthread_mutex_unlock(&pool->lock);
	if (asks)
		pool->ask_for_tick();
	return req;
}

/* Idle until there is something to take, or, false, for so long that the thread shall leave. */
static bool wait_for_work(struct member *member)
{
	struct thread_pool *pool = member->pool;
	struct timespec deadline = clock_in_ns(atomic_load(&config.idle_ns));
	bool is_over =
		futex_wait(&pool->inbox.wake_word, member->wake_value, &deadline) == -ETIMEDOUT;

	pthread_mutex_lock(&pool->lock);
	pool->nr_idle--;
	drain(pool);
	if (is_over && first_takeable(pool))
		is_over = false;
	if (is_over && pool->nr_threads == 1 && !inbox_close(&pool->inbox))
		is_over = false;
	pool->nr_threads -= is_over;
	pthread_mutex_unlock(&pool->lock);
	return !is_over;
}

static void work(struct member *member)
{
	struct thread_pool *pool = member->pool;
	struct request *req = NULL, *next;

	do {
		next = exchange(member, req);
		if (req)
			pool->finish(req);
		req = next;
		if (req)
			pool->run(req);
	} while (req || wait_for_work(member));
}

static void *pool_thread(void *arg)
{
	struct member member = { .pool = arg, .is_new = true };

	member.tid = (pid_t)RAW_SYSCALL(SYS_gettid);
	thread_begin(member.pool->thread_name);
	work(&member);
	return NULL;
}

/* --- submitters --------------------------------------------------------------- */

bool thread_pool_is_idle(struct thread_pool *pool)
{
	return inbox_rests(&pool->inbox);
}

bool thread_pool_offer(struct thread_pool *pool, struct request *req)
{
	return inbox_push_to_rest(&pool->inbox, &req->message);
}

/* --- the engine --------------------------------------------------------------- */

/* With the lock held.  False: a thread has it. */
static bool take_back(struct thread_pool *pool, struct request *req)
{
	if (req->pool_state != POOL_WAITING && req->pool_state != POOL_READY)
		return false;
	if (req->pool_state == POOL_READY)
		TAILQ_REMOVE(is_unbounded(req) ? &pool->unbounded : &pool->bounded, req, list_link);
	remove_from_order(pool, req);
	return true;
}

int thread_pool_submit(struct thread_pool *pool, struct request *req)
{
	int ret;

	pthread_mutex_lock(&pool->lock);
	drain(pool);
	add(pool, req);
	ret = provide_thread(pool);
	if (pool->nr_threads == 0)
		take_back(pool, req);
	else
		ret = 0;
	pthread_mutex_unlock(&pool->lock);
	return ret;
}

bool thread_pool_withdraw(struct thread_pool *pool, struct request *req, uint32_t generation)
{
	bool is_taken;

	pthread_mutex_lock(&pool->lock);
	drain(pool);
	is_taken = request_generation(req) == generation && take_back(pool, req);
	pthread_mutex_unlock(&pool->lock);
	return is_taken;
}

void thread_pool_detach(struct thread_pool *pool, struct request *req, uint32_t generation)
{
	pthread_mutex_lock(&pool->lock);
	drain(pool);
	if (request_generation(req) == generation && !req->detached_at)
		req->detached_at = bypass_stamp();
	pthread_mutex_unlock(&pool->lock);
}

bool thread_pool_is_waiting(struct thread_pool *pool)
{
	bool is_waiting;

	pthread_mutex_lock(&pool->lock);
	is_waiting = first_takeable(pool) || is_short(pool);
	pool->is_watched = is_waiting;
	pthread_mutex_unlock(&pool->lock);
	return is_waiting;
}

/* What the new threads take will be no sign of progress. */
static void grow(struct thread_pool *pool)
{
	unsigned room = pool->nr_max - pool->bound;
	unsigned nr = pool->growth < room ? pool->growth : room;

	pool->bound += nr;
	pool->nr_taken_at_tick += nr;
	pool->growth *= 2;
}

void thread_pool_tick(struct thread_pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	drain(pool);
	if (!TAILQ_EMPTY(&pool->bounded) && !first_takeable(pool) &&
	    pool->nr_taken <= pool->nr_taken_at_tick) {
		grow(pool);
	} else {
		pool->growth = 1;
		pool->nr_taken_at_tick = pool->nr_taken;
	}
	/* On a busy machine one may be made, and not have run yet. */
	if (pool->nr_new == 0)
		provide_thread(pool);
	pthread_mutex_unlock(&pool->lock);
}

void thread_pool_provide(struct thread_pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	if (pool->nr_threads == 0)
		add_thread(pool);
	pthread_mutex_unlock(&pool->lock);
}

void thread_pool_init(struct thread_pool *pool)
{
	pthread_mutex_init(&pool->lock, NULL);
	inbox_forget(&pool->inbox);
	pool->inbox.wakes_one = true;
	TAILQ_INIT(&pool->unbounded);
	TAILQ_INIT(&pool->bounded);
	for (unsigned i = 0; i < POOL_BUCKETS; i++)
		TAILQ_INIT(&pool->order[i]);
	pool->nr_threads = pool->nr_new = pool->nr_idle = pool->nr_bounded = 0;
	pool->nr_taken = pool->nr_taken_at_tick = 0;
	pool->bound = pool->nr_eager;
	pool->growth = 1;
	pool->is_watched = false;
}
