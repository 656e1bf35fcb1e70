// SPDX-License-Identifier: MIT
/*
 * engine.c - the thread that owns the queues and the ring.
 *
 * It loops: receive all messages, end_batch(), announce sleep, sleep in the backend.  If a message
 * has come in, it cannot announce sleep and goes on with a larger batch.  So a busy submitter costs
 * few system calls.
 *
 * Submitters push to the inbox.  The starter is the thread that replaced CLOSED by STARTING.  It
 * waits for the result of the start (enum start_result), and touches other data only if no thread
 * could be made.
 */
#include "engine/engine.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/dump_root.h"
#include "base/futex.h"
#include "base/log.h"
#include "base/process.h"
#include "base/raw_syscall.h"
#include "base/signal_mask.h"
#include "base/stats.h"
#include "base/thread.h"
#include "base/valgrind.h"
#include "engine/aio_context.h"
#include "engine/uring_refusal.h"

enum start_result {
	START_PENDING = 0, /* the engine is opening a backend */
	START_SERVING,
	START_REFUSED,
	START_NO_THREAD,
};

#define TRIM_AFTER_NS 1000000000u

struct inbox engine_inbox = INBOX_INIT;

static const struct engine_client *client;
static const struct backend *backend; /* engine only */
static _Atomic(const char *) serving; /* engine writes, any thread reads */
static _Atomic uint32_t start_result; /* engine or starter writes, starters wait */
static _Atomic pid_t tid;             /* engine writes */
static uint64_t idle_since;           /* engine only; 0: not idle */
static bool has_trimmed;              /* engine only: since the last message */

void engine_init(const struct engine_client *client_)
{
	client = client_;
}

const struct backend *engine_backend(void)
{
	return backend;
}

void engine_flush(void)
{
	if (backend->flush)
		backend->flush();
}

bool engine_has_lost_ring(void)
{
	return backend->is_lost && backend->is_lost();
}

static void announce(void)
{
	static _Atomic bool is_announced;

	if (config.verbose && !atomic_exchange(&is_announced, true))
		log_line("version " RTAIO_VERSION
			 ", process %d: backend %s serves (RTAIO_BACKEND=%s), "
			 "depth %u",
			 atomic_load(&process_pid), backend->name, backend_names[config.backend],
			 config.depth);
}

static void report_refusal(int err)
{
	static _Atomic bool is_reported;

	if (!atomic_exchange(&is_reported, true))
		log_line(
			"RTAIO_BACKEND=%s cannot serve here: %s%s; asynchronous I/O fails with ENOSYS. "
			"rtaio --status says why; RTAIO_BACKEND=auto takes what works",
			backend_names[config.backend], strerrordesc_np(err),
			valgrind_is_here() ? " under valgrind" : "");
}

/* Say why there is no ring: otherwise the program runs on worker threads without a sign of it. */
static void explain_refusal(int err)
{
	static _Atomic bool is_explained;
	struct uring_refusal refusal = uring_refusal(err);

	if (config.verbose && !atomic_exchange(&is_explained, true))
		log_line("io_uring does not serve: %s: %s. Remedy: %s", strerrordesc_np(err),
			 refusal.reason, refusal.remedy);
}

/* The backends, the best first. */
static const struct {
	enum backend_choice choice; /* BACKEND_AUTO tries all */
	const struct backend *backend;
} candidates[] = {
	{ BACKEND_IO_URING, &backend_uring },
	{ BACKEND_LIBAIO, &backend_threads }, /* serves what the direct lane refuses */
	{ BACKEND_THREADS, &backend_threads },
};

static int try_candidate(const struct backend *candidate)
{
	int ret = config.backend == BACKEND_LIBAIO ? aio_context_probe() : 0;

	if (ret < 0)
		return ret;
	return candidate->open(&client->events, &engine_inbox);
}

/* Open the first backend that can serve; one that is asked for by name is the only candidate. */
static bool open_backend(void)
{
	for (size_t i = 0; i < sizeof(candidates) / sizeof(candidates[0]); i++) {
		int ret;

		if (config.backend != BACKEND_AUTO && config.backend != candidates[i].choice)
			continue;
		ret = try_candidate(candidates[i].backend);
		if (ret == 0) {
			backend = candidates[i].backend;
			atomic_store(&serving, backend->name);
			announce();
			return true;
		}
		if (candidates[i].backend == &backend_uring)
			explain_refusal(-ret);
		if (config.backend == candidates[i].choice)
			report_refusal(-ret);
	}
	return false;
}

static void set_start_result(enum start_result value)
{
	atomic_store(&start_result, value);
	futex_wake(&start_result, INT_MAX);
}

/* No backend can serve: refuse messages until the inbox can be closed. */
static void refuse_all(int err)
{
	do
		client->refuse(inbox_take_refused(&engine_inbox), err);
	while (!inbox_abandon(&engine_inbox));
}

void engine_receive(void)
{
	struct message *message = inbox_take(&engine_inbox), *next;

	if (message) {
		idle_since = 0; /* even if all is done again before idle_time() is asked */
		has_trimmed = false;
	}
	for (; message; message = next) {
		next = message->next; /* receive() may free the message */
		client->receive(message);
	}
}

static void reap(void)
{
	if (backend->reap)
		backend->reap();
}

/* How long has the engine been idle?  0: it is not. */
static uint64_t idle_time(uint64_t timeout_ns)
{
	uint64_t now;

	if (timeout_ns != UINT64_MAX || !client->is_idle()) {
		idle_since = 0;
		return 0;
	}
	now = clock_now_ns();
	if (idle_since == 0)
		idle_since = now;
	return now - idle_since;
}

/*
 * Some requests may be blocked for long.  So trim the memory of a burst after a second of calm,
 * without waiting for the last request to end.
 */
static void sleep_and_trim(uint32_t wake_value, uint64_t timeout_ns)
{
	bool may_trim = timeout_ns > TRIM_AFTER_NS && !has_trimmed && request_may_trim();
	uint64_t until = may_trim ? clock_now_ns() + TRIM_AFTER_NS : 0;

	backend->wait(wake_value, may_trim ? TRIM_AFTER_NS : timeout_ns);
	if (may_trim && clock_now_ns() >= until) {
		request_trim();
		has_trimmed = true;
	}
}

/* Sleep, unless there is a message.  True: idle for so long that the thread ends. */
static bool sleep_or_end(uint64_t timeout_ns)
{
	uint64_t idle_ns = atomic_load(&config.idle_ns);
	uint64_t idle_for = idle_time(timeout_ns);
	bool is_idle = timeout_ns == UINT64_MAX && client->is_idle();
	uint32_t wake_value;

	if (is_idle && idle_for >= idle_ns) {
		request_trim();
		return true;
	}
	if (!inbox_fall_asleep(&engine_inbox, &wake_value)) {
		if (backend->is_pressing && backend->is_pressing()) {
			engine_flush();
			reap();
		}
		return false;
	}
	sleep_and_trim(wake_value, is_idle ? idle_ns - idle_for : timeout_ns);
	inbox_wake_up(&engine_inbox);
	reap();
	return false;
}

/* False: there are messages. */
static bool end(void)
{
	atomic_store(&tid, 0); /* before another engine may start and set its own */
	if (backend->end())
		return true;
	atomic_store(&tid, (pid_t)RAW_SYSCALL(SYS_gettid));
	return false;
}

/* The loop of the engine.  True: the engine ends.  False: the ring is lost. */
static bool serve(void)
{
	for (;;) {
		bool is_over;

		engine_receive();
		is_over = sleep_or_end(client->end_batch());
		if (engine_has_lost_ring())
			return false;
		if (is_over && end())
			return true;
	}
}

/*
 * The ring cannot be entered any more, so requests in flight on it can be neither reaped nor
 * cancelled.  But the kernel ends or cancels all requests of a thread that exits.  So the engine's
 * thread exits.  Its successor waits for that, reaps from the ring's memory, and executes the rest.
 */
static void take_over(pthread_t predecessor)
{
	pthread_join(predecessor, NULL);
	backend = &backend_threads;
	backend->open(&client->events, &engine_inbox);
	atomic_store(&serving, backend->name);
	log_line("io_uring was taken away from process %d while in use (a seccomp filter, or its "
		 "descriptor was closed): worker threads serve from here on",
		 atomic_load(&process_pid));
	backend_uring.reap();
	client->abandon_ring();
	backend_uring.close();
}

static void *engine_thread(void *arg)
{
	pthread_t self = pthread_self();

	if (!arg)
		thread_keep_program_name();
	thread_begin("rtaio-engine");
	idle_since = 0; /* from an earlier engine */
	atomic_store(&tid, (pid_t)RAW_SYSCALL(SYS_gettid));
	if (arg) {
		take_over((pthread_t)arg);
	} else if (!open_backend()) {
		/* Before the inbox is closed: then another starter may clear the result. */
		set_start_result(START_REFUSED);
		refuse_all(ENOSYS);
		pthread_detach(self);
		return NULL;
	} else {
		stats_inc(engine_starts);
		set_start_result(START_SERVING);
	}
	if (!serve()) {
		while (thread_create(engine_thread, (void *)self, true) < 0)
			clock_pause(1000000000); /* nothing to do without it */
	} else {
		pthread_detach(self);
	}
	return NULL;
}

/* The caller has claimed the start and blocked all signals. */
static int start_claimed(void)
{
	int ret;

	atomic_store(&start_result, START_PENDING);
	ret = thread_create(engine_thread, NULL, true);
	if (ret < 0) {
		/* An earlier starter may still wait for the result that was cleared above. */
		set_start_result(START_NO_THREAD);
		refuse_all(EAGAIN);
		return -EAGAIN;
	}
	if (config.backend == BACKEND_AUTO)
		return 0; /* workers always serve: no need to wait */
	while (atomic_load(&start_result) == START_PENDING)
		futex_wait(&start_result, START_PENDING, NULL);
	switch (atomic_load(&start_result)) {
	case START_REFUSED:
		return -ENOSYS;
	case START_NO_THREAD:
		return -EAGAIN;
	default:
		return 0;
	}
}

int engine_start(void)
{
	uint64_t old = signals_block(ALL_BUT_LIBC);
	int ret = 0;

	if (inbox_claim_start(&engine_inbox))
		ret = start_claimed();
	signals_set(old);
	return ret;
}

int engine_hand_over(struct message *first, struct message *last)
{
	int ret;

	while (!inbox_push(&engine_inbox, first, last)) {
		ret = engine_start();
		if (ret < 0)
			return ret;
	}
	return 0;
}

#define ASK_JOINED (1u << 31) /* other threads rely on the one that hands the message over */

static _Atomic uint32_t asked; /* ENGINE_ASK_*; not 0: the message is in the inbox, or soon */
static struct message ask_message = { .kind = MESSAGE_ASK };

/* False: the caller has to hand the message over. */
static bool join_ask(enum engine_ask what)
{
	uint32_t old = atomic_load(&asked);

	while (!atomic_compare_exchange_weak(&asked, &old, old ? old | what | ASK_JOINED : what))
		continue;
	return old != 0;
}

/* A thread that joined was told that there is an engine, so one is started if need be. */
static bool hand_over_ask(enum engine_ask what)
{
	uint32_t alone = what;

	if (what != ENGINE_ASK_WORKERS) {
		if (inbox_push(&engine_inbox, &ask_message, &ask_message))
			return true;
		if (atomic_compare_exchange_strong(&asked, &alone, 0))
			return false;
	}
	if (engine_hand_over(&ask_message, &ask_message) == 0)
		return true;
	atomic_store(&asked, 0);
	return false;
}

/*
 * Signals are blocked: a handler that jumped out in between would leave the word set for ever.
 * Model: test/model/ask.pml.
 */
bool engine_ask(enum engine_ask what)
{
	uint64_t old = signals_block(ALL_SIGNALS);
	bool is_asked = join_ask(what) || hand_over_ask(what);

	signals_set(old);
	return is_asked;
}

unsigned engine_asked(void)
{
	return atomic_exchange(&asked, 0) & ~ASK_JOINED;
}

const char *engine_serving(void)
{
	const char *name = atomic_load(&serving);

	return name && inbox_is_open(&engine_inbox) ? name : "none";
}

bool engine_is_running(void)
{
	return inbox_is_open(&engine_inbox);
}

pid_t engine_tid(void)
{
	return atomic_load(&tid);
}

/* Relaxed: a wrong answer costs only time. */
bool engine_may_have_ring(void)
{
	return config.backend != BACKEND_THREADS && config.backend != BACKEND_LIBAIO &&
	       atomic_load_explicit(&serving, memory_order_relaxed) != backend_threads.name;
}

void engine_after_fork(void)
{
	backend = NULL;
	atomic_store(&asked, 0);
	atomic_store(&tid, 0);
	atomic_store(&serving, NULL);
	inbox_after_fork(&engine_inbox);
}

const struct dump_engine engine_dump = { .serving = &serving, .tid = &tid };
