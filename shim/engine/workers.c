// SPDX-License-Identifier: MIT
/*
 * workers.c - an elastic pool of threads that perform requests by plain system calls.
 *
 * Requests for files are bounded: only so many run at once.  The bound grows only if none was taken
 * between two ticks although one waits; it falls back once fewer than config.threads_max run.
 * Others (reads and writes of streams) may block for ever, so each gets a thread at once.  Idle
 * threads end.
 *
 * Submitters touch the inboxes and read pool.written.  The rest belongs to the engine and the
 * pool's threads, under the lock.  They block all signals and hold the lock for a few instructions,
 * never while they perform a request.
 *
 * The inbox has several receivers; the lock admits one at a time.  It is ASLEEP while a thread is
 * idle, so a push that replaces ASLEEP always wakes a thread that takes everything.  While no
 * thread is idle submitters push nothing.
 *
 * A buffered write must wait while a thread writes to the same descriptor.  So it is left to that
 * thread in a second inbox, and nobody is woken.  A thread notes in pool.written which descriptor
 * it writes to, and drains that inbox after it has changed the word.  A submitter reads the word
 * again after its push, and asks the engine if it has changed.  Model: test/model/pool.pml.
 */
#include "engine/workers.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/futex.h"
#include "base/raw_syscall.h"
#include "base/signal_mask.h"
#include "base/thread.h"
#include "engine/engine.h"
#include "engine/pool_order.h"
#include "order/bypass.h"
#include "request/fd_kind.h"
#include "request/perform.h"

#define BUCKETS        256u /* by descriptor */
#define LEFT_BYTES_MIN 16384u
#define WORKERS_MAX    32768u /* if all are blocked; the system's limits are usually lower */

static void (*on_offloaded)(struct request *req);

static struct {
	struct inbox inbox;           /* from submitters; ASLEEP: a thread is idle, CLOSED: none */
	struct inbox writes;          /* left to a thread that writes; never ASLEEP */
	_Atomic int written[BUCKETS]; /* 1 + a descriptor that a thread writes to */

	pthread_mutex_t lock; /* engine and pool threads only, all signals blocked */
	unsigned nr_threads;  /* guarded by lock, as all below and pool_order.c */
	unsigned nr_new;      /* of these, not yet looking for work */
	unsigned nr_idle;     /* asleep, perhaps already woken */
	unsigned nr_bounded;  /* bounded requests that run */
	unsigned bound;       /* on nr_bounded, now */
	unsigned growth;      /* of bound at the next tick without progress */
	uint64_t nr_taken;    /* since the start */
	uint64_t nr_taken_at_tick;
	bool is_watched; /* the engine knows that something waits, and ticks */
} pool;

/* One for each thread, on its stack. */
struct member {
	uint32_t wake_value; /* of the inbox, when the thread last became idle */
	uint32_t sleeper;    /* its bit there, since then */
	pid_t tid;
	int written;     /* guarded by the lock: its descriptor in pool.written, or -1 */
	bool is_bounded; /* guarded by the lock: it runs a bounded request */
	bool is_new;     /* guarded by the lock: it has not looked for work yet */
};

/* --- threads: with the lock held ---------------------------------------------- */

static struct request *first_takeable(void)
{
	struct request *req = pool_order_first(false);

	if (!req && pool.nr_bounded < pool.bound)
		req = pool_order_first(true);
	return req;
}

static struct request *take(struct member *member)
{
	struct request *req = first_takeable();

	if (!req)
		return NULL;
	member->is_bounded = pool_order_is_bounded(req);
	pool_order_begin(req);
	pool.nr_bounded += member->is_bounded;
	pool.nr_taken++;
	atomic_store(&req->tid, member->tid);
	return req;
}

/* The last request of @member, if any, runs no longer. */
static void stop_running(struct member *member)
{
	pool.nr_bounded -= member->is_bounded;
	member->is_bounded = false;
	if (pool.nr_bounded < config.threads_max)
		pool.bound = config.threads_max;
}

static void *worker(void *unused);

static int add_thread(void)
{
	int ret;

	if (pool.nr_threads == 0)
		inbox_open(&pool.inbox);
	ret = thread_create(worker, NULL, false);
	if (ret == 0) {
		pool.nr_threads++;
		pool.nr_new++;
	} else if (pool.nr_threads == 0) {
		inbox_close(&pool.inbox);
	}
	return ret;
}

/*
 * If a request can run, wake an idle thread or make one.  A thread that takes a request calls this
 * for the next one.
 */
static int provide_thread(void)
{
	if (!first_takeable())
		return 0;
	if (pool.nr_idle == 0)
		return add_thread();
	inbox_wake(&pool.inbox);
	return 0;
}

/* Does a request wait that only a higher bound lets run? */
static bool is_short(void)
{
	return !first_takeable() && pool_order_first(true) && pool.bound < WORKERS_MAX;
}

/*
 * Only the engine's tick retries to make a thread, or raises the bound.  The engine does not tick
 * yet if it saw nothing wait.
 */
static bool must_ask_engine(bool has_failed)
{
	return (has_failed || is_short()) && !pool.is_watched;
}

static void add_all(struct message *message)
{
	struct message *next;

	for (; message; message = next) {
		next = message->next;
		pool_order_add((struct request *)message);
	}
}

/* Take the requests that submitters have added.  While a thread is idle the inbox stays ASLEEP. */
static void drain(void)
{
	uint32_t unused;

	add_all(inbox_take(&pool.writes));
	if (!inbox_is_open(&pool.inbox) || (pool.nr_idle > 0 && inbox_is_asleep(&pool.inbox)))
		return;
	do
		add_all(inbox_take(&pool.inbox));
	while (pool.nr_idle > 0 && !inbox_fall_asleep(&pool.inbox, &unused));
}

static _Atomic int *written_word(int fd)
{
	return &pool.written[(unsigned)fd % BUCKETS];
}

/* If the word is that of another descriptor of the bucket by now, it stays. */
static void stop_writing(int fd)
{
	int expected = fd + 1;

	atomic_compare_exchange_strong(written_word(fd), &expected, 0);
}

/*
 * @member runs @req next, or nothing if NULL.  Writes that were left to it are for all threads now.
 */
static void announce_written_fd(struct member *member, const struct request *req)
{
	int fd = req && member->is_bounded && pool_order_locks_inode(req) ? req->fd : -1;

	if (member->written == fd)
		return;
	if (member->written >= 0)
		stop_writing(member->written);
	if (fd >= 0)
		atomic_store(written_word(fd), fd + 1);
	member->written = fd;
	/* Partner: leave_to_writer(). */
	atomic_thread_fence(memory_order_seq_cst);
	drain();
}

/* The lowest bit that is free, so that the same few threads are woken. */
static void begin_sleep(struct member *member)
{
	uint32_t unused = ~atomic_load(&pool.inbox.sleepers);

	member->sleeper = unused ? unused & -unused : SLEEPER_LAST;
	atomic_fetch_or(&pool.inbox.sleepers, member->sleeper);
}

/* The caller drains the inbox afterwards.  Partner: wake_sleepers(), after a push. */
static void end_sleep(const struct member *member)
{
	if (member->sleeper != SLEEPER_LAST)
		atomic_fetch_and(&pool.inbox.sleepers, ~member->sleeper);
}

/* False: there is something to take. */
static bool become_idle(struct member *member)
{
	uint32_t unused;

	/* Before a look into the inbox, so that any later wake changes the word. */
	member->wake_value = atomic_load(&pool.inbox.wake_word);
	if (!inbox_is_asleep(&pool.inbox) && !inbox_fall_asleep(&pool.inbox, &unused))
		return false;
	pool.nr_idle++;
	begin_sleep(member);
	return true;
}

/* --- a thread of the pool ----------------------------------------------------- */

/*
 * @done has run, unless NULL: remove it and take the next request.  If there is none, the thread
 * counts as idle from here on, before @done is published: a program that sees the result often
 * submits again before this thread is asleep.
 */
static struct request *exchange(struct member *member, struct request *done)
{
	struct request *req;
	bool must_ask;

	pthread_mutex_lock(&pool.lock);
	pool.nr_new -= member->is_new;
	member->is_new = false;
	stop_running(member);
	if (done)
		pool_order_remove(done);
	do {
		drain();
		req = take(member);
	} while (!req && !become_idle(member));
	announce_written_fd(member, req);
	must_ask = must_ask_engine(provide_thread() < 0);
	pthread_mutex_unlock(&pool.lock);
	if (must_ask)
		engine_ask(ENGINE_ASK_WORKERS);
	return req;
}

/* Sleep until there may be a request.  False: idle for so long that the thread ends. */
static bool wait_for_work(struct member *member)
{
	struct timespec deadline = clock_in_ns(atomic_load(&config.idle_ns));
	bool is_over = futex_wait_as(&pool.inbox.wake_word, member->wake_value, &deadline,
				     member->sleeper) == -ETIMEDOUT;

	pthread_mutex_lock(&pool.lock);
	pool.nr_idle--;
	end_sleep(member);
	drain();
	if (is_over && first_takeable())
		is_over = false;
	if (is_over && pool.nr_threads == 1 && !inbox_close(&pool.inbox))
		is_over = false;
	pool.nr_threads -= is_over;
	pthread_mutex_unlock(&pool.lock);
	return !is_over;
}

static void finish(struct request *req)
{
	if (request_place(req) == PLACE_HANDED_OVER)
		on_offloaded(req);
	else
		workers_report(req);
}

static void *worker(void *unused)
{
	struct member member = { .tid = (pid_t)RAW_SYSCALL(SYS_gettid),
				 .written = -1,
				 .is_new = true };
	struct request *req = NULL, *next;

	thread_begin("rtaio-worker");
	do {
		next = exchange(&member, req);
		if (req)
			finish(req);
		req = next;
		if (!req)
			continue;
		fd_kind_learn(req);
		req->res = perform(req, req->fd);
	} while (req || wait_for_work(&member));
	return unused;
}

void workers_report(struct request *req)
{
	req->message.kind = MESSAGE_EXECUTED;
	/* The engine does not end while requests are in flight, so its inbox is open. */
	inbox_push(&engine_inbox, &req->message, &req->message);
}

/* --- submitters --------------------------------------------------------------- */

/* A short write is copied as fast as handed over, and the engine makes batches of many. */
static bool has_writer(const struct request *req)
{
	return pool_order_locks_inode(req) && req->nbytes >= LEFT_BYTES_MIN &&
	       atomic_load(written_word(req->fd)) == req->fd + 1;
}

bool workers_accept(const struct request *req)
{
	return has_writer(req) || inbox_is_asleep(&pool.inbox);
}

bool workers_exist(void)
{
	return inbox_is_open(&pool.inbox);
}

/*
 * After the push the word must be read again; a handler that jumped out would prevent that, so
 * signals are blocked.  Messages of other descriptors, whose threads may be blocked, tell nothing.
 * Once pushed, the record may be another request's.
 */
static bool leave_to_writer(struct request *req)
{
	int fd = req->fd;
	uint64_t old;

	if (!has_writer(req))
		return false;
	old = signals_block(ALL_SIGNALS);
	inbox_push(&pool.writes, &req->message, &req->message);
	/* Partner: announce_written_fd(), which changes the word before it drains the inbox. */
	if (atomic_load(written_word(fd)) != fd + 1)
		engine_ask(ENGINE_ASK_WORKERS);
	signals_set(old);
	return true;
}

bool workers_offer(struct request *req)
{
	return leave_to_writer(req) || inbox_push_if_asleep(&pool.inbox, &req->message);
}

/* --- the engine --------------------------------------------------------------- */

int workers_submit(struct request *req)
{
	int ret;

	pthread_mutex_lock(&pool.lock);
	drain();
	pool_order_add(req);
	ret = provide_thread();
	if (pool.nr_threads == 0)
		pool_order_take_back(req);
	else
		ret = 0;
	pthread_mutex_unlock(&pool.lock);
	return ret;
}

bool workers_withdraw(struct request *req, uint32_t generation)
{
	bool is_taken;

	pthread_mutex_lock(&pool.lock);
	drain();
	is_taken = request_generation(req) == generation && pool_order_take_back(req);
	pthread_mutex_unlock(&pool.lock);
	return is_taken;
}

void workers_detach(struct request *req, uint32_t generation)
{
	pthread_mutex_lock(&pool.lock);
	stop_writing(req->fd);
	drain();
	if (request_generation(req) == generation && !req->detached_at)
		req->detached_at = bypass_seq();
	pthread_mutex_unlock(&pool.lock);
}

bool workers_are_awaited(void)
{
	bool is_waiting;

	pthread_mutex_lock(&pool.lock);
	is_waiting = first_takeable() || is_short();
	pool.is_watched = is_waiting;
	pthread_mutex_unlock(&pool.lock);
	return is_waiting;
}

/* A request that a new thread takes is no sign of progress. */
static void grow(void)
{
	unsigned room = WORKERS_MAX - pool.bound;
	unsigned nr = pool.growth < room ? pool.growth : room;

	pool.bound += nr;
	pool.nr_taken_at_tick += nr;
	pool.growth *= 2;
}

void workers_tick(void)
{
	pthread_mutex_lock(&pool.lock);
	drain();
	if (pool_order_first(true) && !first_takeable() && pool.nr_taken <= pool.nr_taken_at_tick) {
		grow();
	} else {
		pool.growth = 1;
		pool.nr_taken_at_tick = pool.nr_taken;
	}
	/* On a busy machine a new thread may not have run yet. */
	if (pool.nr_new == 0)
		provide_thread();
	pthread_mutex_unlock(&pool.lock);
}

void workers_provide(void)
{
	workers_tick();
	pthread_mutex_lock(&pool.lock);
	if (pool.nr_threads == 0)
		add_thread();
	pthread_mutex_unlock(&pool.lock);
}

void workers_start(void (*offloaded)(struct request *req))
{
	on_offloaded = offloaded;
	memset(&pool, 0, sizeof(pool));
	pool.bound = config.threads_max;
	pool.growth = 1;
	pthread_mutex_init(&pool.lock, NULL);
	inbox_after_fork(&pool.inbox);
	atomic_store(&pool.inbox.sleepers, SLEEPER_LAST);
	inbox_open(&pool.writes);
	pool_order_start();
}
