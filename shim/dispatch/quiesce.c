// SPDX-License-Identifier: MIT
/*
 * quiesce.c - free descriptors of their requests before they are closed.
 *
 * The closing thread asks the engine (question.h).  While a request depends on the descriptor,
 * because it is about to begin or is a copy under way, the closing thread sleeps for a moment and
 * asks again.  It never waits for a device.
 */
#include "dispatch/quiesce.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/process.h"
#include "base/raw_syscall.h"
#include "dispatch/bypass_events.h"
#include "dispatch/engine_state.h"
#include "dispatch/issue.h"
#include "dispatch/keeper.h"
#include "dispatch/question.h"
#include "engine/engine.h"
#include "engine/workers.h"
#include "lane/event_ring.h"
#include "order/bypass.h"
#include "order/fdqueue.h"
#include "request/lio_group.h"

#define NAP_FIRST_NS 20000u /* between two questions, doubled up to NAP_LAST_NS */
#define NAP_LAST_NS  1000000u
/*
 * After so many questions, a quarter of a second, a call of unknown state counts as begun.  On a
 * busy processor a worker may wait for long before it makes its call.
 */
#define UNKNOWN_MAX 256u
#define CLOSED_MAX  BYPASS_MAX /* each entry serves at least one request of bypass.c */

/*
 * A descriptor that was closed, or is about to be, and the file that it meant.  Several threads may
 * close one descriptor, and others submit meanwhile.  So an entry serves only requests that are
 * older than itself, and those of them that no earlier entry serves.  Model: test/model/keeper.pml.
 */
struct closed {
	int fd;
	uint64_t submit_seq; /* when it was made: older requests are for this file; 0: free entry */
	unsigned detached;   /* their queue, as fdqueue->detached */
	bool is_final;       /* no request depends on the descriptor: it is being closed */
	bool was_asked;      /* the keeper was asked for a pin; if pin is NULL, none can be made */
	struct pin *pin;
};

/* Engine only. */
static struct closed all_closed[CLOSED_MAX];
static unsigned nr_closed;

/* --- any thread --------------------------------------------------------------- */

/* Returns how many requests still depend on the descriptors. */
static unsigned ask(int first, int last, unsigned *nr_unknown)
{
	uint32_t process;
	struct request *question = question_make(MESSAGE_CLOSE, first, &process);
	unsigned nr_kept;

	if (!question)
		return 0;
	question->last_fd = last;
	question->nr_unknown = *nr_unknown;
	if (!question_ask(question, process))
		return 0;
	nr_kept = question->nr_kept;
	*nr_unknown += question->is_unknown;
	lio_group_put(question);
	return nr_kept;
}

void quiesce(int first, int last)
{
	uint64_t nap_ns = NAP_FIRST_NS;
	uint32_t process = atomic_load(&process_generation);
	unsigned nr_unknown = 0;

	event_ring_poll();
	while (process_is_still(process) && ask(first, last, &nr_unknown) > 0) {
		clock_pause(nap_ns);
		if (nap_ns < NAP_LAST_NS)
			nap_ns *= 2;
	}
}

/* --- the engine: files that are kept -------------------------------------------- */

/* The first close after a request was submitted. */
static struct closed *find_closed(int fd, uint64_t submit_seq)
{
	struct closed *closed = NULL;

	for (unsigned i = 0; nr_closed > 0 && i < CLOSED_MAX; i++) {
		struct closed *entry = &all_closed[i];

		if (entry->submit_seq > submit_seq && entry->fd == fd &&
		    (!closed || entry->submit_seq < closed->submit_seq))
			closed = entry;
	}
	return closed;
}

/* All entries for the file that @fd means now have one queue. */
static unsigned detached_of(int fd)
{
	for (unsigned i = 0; nr_closed > 0 && i < CLOSED_MAX; i++)
		if (all_closed[i].submit_seq && all_closed[i].fd == fd && !all_closed[i].is_final)
			return all_closed[i].detached;
	return fdqueue_new_detached();
}

static struct closed *find_free(void)
{
	for (unsigned i = 0; i < CLOSED_MAX; i++)
		if (!all_closed[i].submit_seq)
			return &all_closed[i];
	return NULL;
}

/* Find or make the entry for a request.  NULL: the table is full. */
static struct closed *make_closed(int fd, uint64_t submit_seq)
{
	struct closed *closed = find_closed(fd, submit_seq);

	if (closed || !(closed = find_free()))
		return closed;
	*closed = (struct closed){
		.fd = fd,
		.submit_seq = bypass_seq(),
		.detached = detached_of(fd),
	};
	nr_closed++;
	return closed;
}

/*
 * If the keeper cannot take the file over, a duplicate must do.  The program can see it, and
 * closing it drops the program's record locks.  It is useless if this close would close it, too.
 */
static struct pin *pin_duplicate(const struct request *question, int fd)
{
	int duplicate = (int)RAW_SYSCALL(SYS_fcntl, fd, F_DUPFD_CLOEXEC, VISIBLE_FD_MIN);
	struct pin *pin = NULL;

	if (duplicate < 0)
		return NULL;
	if (duplicate < question->fd || duplicate > question->last_fd)
		pin = pin_make(duplicate, true);
	if (!pin)
		RAW_SYSCALL(SYS_close, duplicate);
	return pin;
}

/* To be called while the descriptor still means the file. */
static void keep_file(const struct request *question, struct closed *closed)
{
	if (closed->was_asked || closed->is_final)
		return;
	closed->was_asked = true;
	closed->pin = keeper_pin(closed->fd);
	if (!closed->pin)
		closed->pin = pin_duplicate(question, closed->fd);
}

static bool has_pin(const struct request *question, struct closed *closed)
{
	keep_file(question, closed);
	return closed->pin;
}

static bool give_pin(struct request *req, const struct closed *closed)
{
	if (!closed->pin)
		return false;
	pin_get(closed->pin);
	req->pin = closed->pin;
	request_release_descriptor(req);
	return true;
}

/* --- the engine: requests that a close finds ------------------------------------ */

/* Has the call of the thread @tid resolved its descriptor? */
static bool has_begun(struct request *question, pid_t tid, int fd)
{
	if (tid == 0) /* no thread has taken it */
		return false;
	switch (keeper_call_state(tid, fd)) {
	case CALL_INSIDE:
		return true;
	case CALL_OUTSIDE:
		return false;
	case CALL_UNKNOWN:
		break;
	}
	question->is_unknown = true;
	return question->nr_unknown >= UNKNOWN_MAX;
}

static void quiesce_running(struct request *question, struct request *req)
{
	if (!has_begun(question, (pid_t)atomic_load(&req->tid), req->fd)) {
		question->nr_kept++;
		return;
	}
	workers_detach(req, request_generation(req));
	request_release_descriptor(req);
}

/* False: there is no pin, and @req must begin before its descriptor may be closed. */
static bool pin_file(const struct request *question, struct request *req)
{
	struct closed *closed = make_closed(req->fd, req->submit_seq);

	return closed && has_pin(question, closed) && give_pin(req, closed);
}

/* The ring may give @req back, and a synced write may be repeated. */
static void quiesce_returning(const struct request *question, struct request *req)
{
	if (!pin_file(question, req))
		request_release_descriptor(req);
}

/* A request that waits on a stream may wait for ever.  But a write that is half done goes on. */
static void quiesce_waiting(struct request *question, struct request *req)
{
	if (req->done > 0 && pin_file(question, req))
		issue_to_worker_instead(req);
	else
		engine_state_end(req, -ECANCELED);
}

static void quiesce_stream(struct request *question, struct request *req)
{
	if (issue_withdraw(req))
		quiesce_waiting(question, req);
	else if (request_place(req) == PLACE_WORKERS)
		quiesce_running(question, req);
	else
		request_release_descriptor(req); /* the ring holds the file */
}

static void quiesce_file(struct request *question, struct request *req)
{
	enum request_place place = request_place(req);

	if (place == PLACE_QUEUE) {
		question->nr_kept += !pin_file(question, req);
	} else if (place == PLACE_WORKERS && issue_withdraw(req)) {
		question->nr_kept += !pin_file(question, req);
		issue_to_worker_instead(req);
	} else if (place == PLACE_WORKERS) {
		quiesce_running(question, req);
	} else if (place == PLACE_RING || place == PLACE_PERFORMED) {
		quiesce_returning(question, req);
	}
}

static void quiesce_queue(struct request *question, struct fdqueue *queue)
{
	struct request *req, *next;

	TAILQ_FOREACH_SAFE(req, &queue->outstanding, outstanding_link, next) {
		if (!atomic_load(&req->is_held))
			continue;
		if (request_place(req) == PLACE_RING && engine_has_lost_ring())
			question->nr_kept++; /* it is about to be given to a worker */
		else if (queue->is_file)
			quiesce_file(question, req);
		else
			quiesce_stream(question, req);
	}
}

/*
 * @req may be given back to the engine, which must then know its file.  It may also end at any
 * moment, and its record be used for another request.
 */
static void quiesce_bypassing(struct request *question, struct request *req, request_handle handle)
{
	uint32_t generation = (uint32_t)(handle >> 32);
	pid_t tid = (pid_t)atomic_load(&req->tid);
	enum request_place place = request_place(req);
	uint64_t submit_seq = req->submit_seq;
	struct closed *closed;
	int fd = req->fd;

	/* Its submitting call may be further down the closing thread's stack: never wait for it. */
	if (request_is_marked(req, REQUEST_SUBMITTING) || request_lookup(handle) != req)
		return;
	if (!(closed = make_closed(fd, submit_seq))) {
		question->nr_kept++; /* later nothing could tell which file it was for */
	} else if (place == PLACE_DIRECT) {
		keep_file(question, closed); /* it may be given back */
	} else if (place == PLACE_SUBMITTER) {
		question->nr_kept += !has_pin(question, closed); /* on its way to the engine */
	} else if (workers_withdraw(req, generation)) {
		question->nr_kept += !has_pin(question, closed);
		bypass_events_withdrawn(req);
	} else {
		if (req->copy_kind)
			keep_file(question, closed); /* the copier may give it back */
		if (has_begun(question, tid, fd))
			workers_detach(req, generation);
		else if (request_lookup(handle) == req)
			question->nr_kept++;
	}
}

/*
 * True if no request depends on @fd any more, so that another thread may put a file there without
 * asking, while this close waits for other descriptors.
 */
static bool is_left(const struct request *question, int fd)
{
	return question->nr_kept == 0 || !descriptor_is_held(fd);
}

static void detach_queues(const struct request *question)
{
	int first = question->fd, last = question->last_fd;
	struct fdqueue *queue, *next;

	for (queue = fdqueue_first(first); queue && queue->fd <= last; queue = next) {
		next = fdqueue_after(queue);
		if (!queue->detached && is_left(question, queue->fd))
			fdqueue_detach(queue, detached_of(queue->fd));
	}
	for (unsigned i = 0; nr_closed > 0 && i < CLOSED_MAX; i++) {
		struct closed *closed = &all_closed[i];

		if (closed->submit_seq && closed->fd >= first && closed->fd <= last &&
		    is_left(question, closed->fd))
			closed->is_final = true;
	}
}

void quiesce_accept(struct request *question)
{
	int first = question->fd, last = question->last_fd;
	uint64_t submit_seq = UINT64_MAX;
	struct fdqueue *queue;
	request_handle handle;
	struct request *req;

	engine_flush(); /* prepared SQEs are in the kernel then, which holds their files */
	for (queue = fdqueue_first(first); queue && queue->fd <= last; queue = fdqueue_after(queue))
		if (!queue->detached)
			quiesce_queue(question, queue);
	/* Youngest first: withdrawing an older request could let a younger one begin before it. */
	while ((req = bypass_next(first, last, &submit_seq, &handle)))
		quiesce_bypassing(question, req, handle);
	detach_queues(question);
	quiesce_tick();
	question_answer(question);
}

/* --- the engine: afterwards --------------------------------------------------- */

int quiesce_take_bounced(struct request *req)
{
	struct closed *closed = find_closed(req->fd, req->submit_seq);

	if (!closed)
		return 0;
	/* Before that, @req belongs in the queue of its descriptor, which is not detached yet. */
	if (closed->is_final)
		req->detached = closed->detached;
	return give_pin(req, closed) || !closed->is_final ? 0 : -ECANCELED;
}

uint64_t quiesce_since(int fd)
{
	uint64_t since = 0;

	for (unsigned i = 0; nr_closed > 0 && i < CLOSED_MAX; i++)
		if (all_closed[i].fd == fd && all_closed[i].is_final &&
		    all_closed[i].submit_seq > since)
			since = all_closed[i].submit_seq;
	return since;
}

bool quiesce_is_watching(void)
{
	return nr_closed > 0;
}

/* Drop an entry when no request that bypasses the engine is older than its sequence number. */
void quiesce_tick(void)
{
	for (unsigned i = 0; nr_closed > 0 && i < CLOSED_MAX; i++) {
		struct closed *closed = &all_closed[i];

		if (!closed->submit_seq || bypass_has_any(closed->fd, closed->submit_seq))
			continue;
		if (closed->pin)
			pin_put(closed->pin);
		closed->submit_seq = 0;
		nr_closed--;
	}
}

void quiesce_after_fork(void)
{
	memset(all_closed, 0, sizeof(all_closed));
	nr_closed = 0;
}
