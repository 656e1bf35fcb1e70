// SPDX-License-Identifier: MIT
/*
 * copier.c - a thread that copies for the submitting threads.
 *
 * No two requests here overlap: inline_accepts() takes none that overlaps another one in flight.
 * So the requests behind one that goes to the engine need not wait for it.
 *
 * Submitters raise nr_pieces, the copier lowers it.  It is a hint: if a handler jumps out of
 * the submitting call, it is too high until the copier has slept.
 */
#include "lane/copier.h"

#include <limits.h>
#include <sys/syscall.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/raw_syscall.h"
#include "base/signal_mask.h"
#include "base/time_budget.h"
#include "engine/engine.h"
#include "engine/helper.h"
#include "lane/inline.h"
#include "lane/submit_ahead.h"
#include "order/bypass.h"

/*
 * Pieces that the program must be ahead of its results; more if a copy takes no longer than a
 * hand-over.
 */
#define AHEAD_MIN       4u
#define AHEAD_MIN_SHORT 12u
#define SHORT_MAX       4096
#define ALONE_AFTER     256 /* reads without one of another thread's */
#define PIECES_MAX      16  /* pieces that may wait for the copier */

static void (*ended)(struct request *req, bool is_done);
static _Atomic int nr_pieces; /* handed over and not yet copied; relaxed, it only chooses lanes */
static struct time_budget failures; /* of attempts to make the thread */
static pid_t tid;                   /* of the copier's thread, which alone uses it */

/* --- the copier's thread -------------------------------------------------------- */

static void copy(struct request *req)
{
	int nr = (int)submit_ahead_pieces(req->nbytes);
	bool is_done;

	/*
	 * Partner: quiesce_bypassing(), which asks whether this thread's call has found the file.
	 */
	atomic_store(&req->tid, tid);
	/*
	 * After this call the descriptor may mean another file.  So no second call can tell whether
	 * a short result is the end of the file.
	 */
	is_done = inline_perform(req, (enum file_kind)req->copy_kind, &req->res) &&
		  (size_t)req->res == req->nbytes;
	atomic_fetch_sub_explicit(&nr_pieces, nr, memory_order_relaxed);
	ended(req, is_done);
}

static bool begin(struct helper *helper)
{
	(void)helper;
	tid = (pid_t)RAW_SYSCALL(SYS_gettid);
	return true;
}

static bool serve(struct helper *helper, struct message *messages)
{
	struct message *next;

	(void)helper;
	for (; messages; messages = next) {
		next = messages->next;
		copy((struct request *)messages);
	}
	return true;
}

static void refuse(struct helper *helper, struct message *messages)
{
	struct message *next;

	(void)helper;
	for (; messages; messages = next) {
		next = messages->next;
		ended((struct request *)messages, false);
	}
}

static struct helper copier = {
	.inbox = INBOX_INIT,
	.thread_name = "rtaio-copier",
	.begin = begin,
	.serve = serve,
	.refuse = refuse,
};

/* --- submitters ----------------------------------------------------------------- */

void copier_provide(void)
{
	uint64_t old = signals_block(ALL_BUT_LIBC);

	if (!helper_start(&copier) && !inbox_is_open(&copier.inbox)) /* do not try again at once */
		time_budget_lose(&failures, TIME_BUDGET_MAX_NS, clock_now_ns());
	signals_set(old);
}

/* The engine makes the thread, if there is one: this may be a handler that interrupted malloc. */
static void ask_for_thread(void)
{
	if (!engine_ask(ENGINE_ASK_COPIER))
		copier_provide();
}

/*
 * Threads that read at the same time keep the processors busy, and a hand-over costs more than a
 * short copy.  @reader names the thread that read last; the other threads are its partners.  A
 * thread that finds another name there puts in its own and copies the next reads itself.
 */
static bool is_lone_reader(void)
{
	static _Thread_local unsigned nr_left __attribute__((tls_model("initial-exec")));
	static _Atomic(const void *) reader;

	if (nr_left > 0) {
		nr_left--;
		return false;
	}
	if (atomic_load_explicit(&reader, memory_order_relaxed) == &nr_left)
		return true;
	atomic_store_explicit(&reader, &nr_left, memory_order_relaxed);
	nr_left = ALONE_AFTER;
	return false;
}

bool copier_wants(const struct request *req, enum file_kind kind)
{
	unsigned ahead;
	int nr;

	/* On XFS the next write would wait until the copier has read. */
	if (req->op != OP_READ || req->vector || kind == FILE_NOWAIT_COPIES)
		return false;
	ahead = config.is_always_ahead ? UINT_MAX : submit_ahead_average();
	if (ahead < (req->nbytes > SHORT_MAX ? AHEAD_MIN : AHEAD_MIN_SHORT) ||
	    (!config.is_always_ahead && !is_lone_reader()))
		return false;
	nr = atomic_load_explicit(&nr_pieces, memory_order_relaxed);
	if (inbox_is_awake(&copier.inbox))
		return nr < PIECES_MAX && (nr <= 0 || (unsigned)nr < ahead);
	if (inbox_is_asleep(&copier.inbox))
		return true;
	if (!time_budget_is_spent(&failures))
		ask_for_thread();
	return false;
}

bool copier_submit(struct request *req)
{
	uint32_t generation = request_generation(req);
	int nr = (int)submit_ahead_pieces(req->nbytes);

	if (inbox_is_asleep(&copier.inbox))
		atomic_store_explicit(&nr_pieces, 0, memory_order_relaxed);
	atomic_fetch_add_explicit(&nr_pieces, nr, memory_order_relaxed);
	/* Once pushed, the record may be another request's. */
	if (!inbox_push(&copier.inbox, &req->message, &req->message)) {
		atomic_fetch_sub_explicit(&nr_pieces, nr, memory_order_relaxed);
		return false;
	}
	bypass_return(req, generation);
	return true;
}

void copier_start(void (*ended_)(struct request *req, bool is_done))
{
	ended = ended_;
}

void copier_after_fork(void)
{
	helper_after_fork(&copier);
	atomic_store(&nr_pieces, 0);
	time_budget_clear(&failures);
}
