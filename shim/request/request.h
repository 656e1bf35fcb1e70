/* SPDX-License-Identifier: MIT */
/*
 * request.h - the record of one request, its places and its pool.
 *
 * Records lie in chunks that are never unmapped: a late waiter or a stale handle meets another
 * generation, never unmapped memory.  After a burst request_trim() gives the memory of unused
 * records back to the kernel.
 *
 *   place              who holds it                 in which list
 *   PLACE_FREE         the pool of records          free list
 *   PLACE_SUBMITTER    the submitting call, then    its submission, then
 *                      the engine's inbox           the inbox
 *   PLACE_QUEUE        the engine: not issued       its fdqueue
 *   PLACE_RING         SQE prepared, or the kernel  outstanding of its fdqueue
 *   PLACE_WORKERS      the workers                  outstanding, and the workers'
 *   PLACE_NO_THREAD    the engine: no thread        outstanding, and without_thread
 *   PLACE_HANDED_OVER  the workers, or the copier   theirs, and bypass.c
 *   PLACE_DIRECT       the kernel: Linux AIO        bypass.c
 *   PLACE_PERFORMED    the engine: others may have  outstanding, and performed
 *                      taken its error              of its fdqueue
 *   PLACE_ENDED        the engine: res is known     outstanding, and ended
 *   PLACE_DONE         the thread that published    notification lists
 *   PLACE_SPARE        request_trim()               none
 *
 * The engine moves a record from QUEUE to RING, WORKERS or NO_THREAD, and among these three.
 * Submitters move it from SUBMITTER to DIRECT or HANDED_OVER.  A request that bounces goes from
 * there back to SUBMITTER, on its way to the engine.  A synced write (synced_writes.h) goes from
 * ENDED to PERFORMED and back, perhaps by way of WORKERS.  Any place leads to DONE when the result
 * is published, and DONE to FREE when nothing refers to the record any more.  aio_error()
 * says EINPROGRESS from SUBMITTER until DONE.  request_set_place() makes every change.
 */
#ifndef RTAIO_REQUEST_H
#define RTAIO_REQUEST_H

#include <aio.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/thread.h"

struct pin;

/* A handle survives the request: index and generation.  0 is never valid. */
typedef uint64_t request_handle;

enum request_op {
	OP_INVALID = 0, /* a list entry with an unknown opcode: completes with EINVAL */
	OP_READ,
	OP_WRITE,
	OP_FSYNC,
	OP_FDATASYNC,
	OP_GROUP, /* not I/O: a whole lio_listio(), or a question to the engine */
};

enum request_place {
	PLACE_FREE = 0,
	PLACE_SUBMITTER,
	PLACE_QUEUE,
	PLACE_RING,
	PLACE_WORKERS,
	PLACE_NO_THREAD,
	PLACE_HANDED_OVER,
	PLACE_DIRECT,
	PLACE_PERFORMED,
	PLACE_ENDED,
	PLACE_DONE,
	PLACE_SPARE,
};

/* Marks in request.word.  The end of the generation clears them. */
enum request_mark {
	/* The submitting call has not returned: no request waits for this one yet. */
	REQUEST_SUBMITTING = 1u << 0,
	/* The program may see the result at any moment. */
	REQUEST_PUBLISHING = 1u << 1,
};

/* The messages in the engine's inbox. */
enum message_kind {
	MESSAGE_INVALID = 0,
	MESSAGE_SUBMIT,   /* a new request */
	MESSAGE_EXECUTED, /* a worker is done with a request */
	MESSAGE_NOTIFY,   /* a published request whose notification could not be delivered */
	MESSAGE_GROUP,    /* a list that its submitter found complete */
	MESSAGE_ASK,      /* a call of engine_ask() */
	MESSAGE_CANCEL,   /* aio_cancel waits for an answer */
	MESSAGE_CLOSE,    /* a close function waits for an answer */
};

struct message {
	struct message *next; /* owned by the inbox while there */
	enum message_kind kind;
};

/* A copy of the aiocb's sigevent: the aiocb belongs to the program before the delivery. */
struct notification {
	int notify; /* SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD or SIGEV_EVENTFD */
	int signo;
	union sigval value;
	void (*function)(union sigval);
	pthread_attr_t *attributes; /* owned, from malloc; NULL: the defaults */
	struct eventfd *eventfd;    /* owned */
};

/*
 * One thread submits a request, and often another one completes it.  What a lane that bypasses the
 * engine needs for that lies in the first two cache lines, and no record shares a line with
 * another.
 */
struct request {
	_Alignas(CACHE_LINE) struct message message; /* first: the inbox returns pointers to it */

	/* --- read by any thread --- */
	/* Generation (upper half) and marks.  Publication raises it; waiters sleep on it. */
	_Atomic uint64_t word;
	uint32_t index;             /* constant: position in the pool */
	_Atomic uint32_t free_next; /* pool: index + 1 of the next free record */
	_Atomic uint64_t waiters;   /* bits of those to wake: waiter.h */

	/* --- immutable between submit and free, except as noted --- */
	struct aiocb *cb; /* OP_GROUP: NULL */
	size_t nbytes;
	off_t offset;
	struct descriptor descriptor; /* flags and type of the file */
	struct request *group;        /* list it belongs to, or NULL */
	struct request *completion;   /* for aio_waitcomplete, or NULL: completions.h */
	size_t done;                  /* [its holder] bytes moved by earlier submissions */
	size_t nr_in_flight;          /* [its holder] bytes that in_flight.c counts for it */
	int fd;
	uint16_t slot; /* direct or handed over: in bypass.c */
	uint8_t op;
	_Atomic uint8_t place; /* enum request_place; read by any thread */
	_Atomic bool is_held;  /* counted in descriptor_held; any thread clears it */
	bool is_filtered;      /* filter_enter() has counted it */
	bool refuses_nowait;   /* direct lane: the file refuses RWF_NOWAIT */
	bool is_bounced;   /* came back from another lane: its queue orders it by sequence number */
	uint8_t copy_kind; /* for the copier: enum file_kind; else FILE_UNKNOWN */
	uint8_t vector;    /* enum vector_kind: what buf points to */
	uint16_t nr_entries; /* of the vector */
	uint32_t position;   /* position in the work of its thread: submit_ahead.h */
	int priority;        /* scheduling priority minus aio_reqprio, as glibc orders */
	uint64_t submit_seq; /* order of submission, where it matters: bypass.h */
	void *buf;           /* or the vector of buffers: @vector */
	/*
	 * For rtaio dump: clock_coarse_ns().  It is set last: without it the record is being made.
	 */
	_Atomic uint64_t submitted_at;
	struct notification notification;

	/* --- pool of workers: guarded by its lock --- */
	TAILQ_ENTRY(request) pool_link;
	uint8_t pool_state;
	uint64_t detached_at; /* sequence number of the close of its descriptor, or 0 */
	_Atomic uint32_t tid; /* of the thread that runs it */

	/* --- groups and questions --- */
	_Atomic uint32_t holders; /* one for all members or the engine, one for a waiter */

	/* --- groups only --- */
	_Atomic uint32_t members;   /* not yet complete, plus one while the list is being made */
	_Atomic uint32_t nr_direct; /* members on the direct lane */
	_Atomic bool has_failed;    /* any member ended with an error */

	/* --- engine thread only, except as noted --- */
	struct fdqueue *queue;
	uint64_t seq;                          /* order of acceptance */
	TAILQ_ENTRY(request) outstanding_link; /* in queue->outstanding, oldest first */
	TAILQ_ENTRY(request) list_link;        /* list of its place, or of notify.c */
	RB_ENTRY(request) tree_link;           /* stream chain, or ranges in flight */
	ssize_t res;       /* a worker writes, then hands over through the inbox */
	uint8_t attempts;  /* resubmissions that made no progress */
	uint8_t cqes_due;  /* CQEs still to come: the transfer's, its cancellation's */
	bool has_cqe;      /* the transfer's CQE was reaped */
	bool is_withdrawn; /* taken out of its queue's order to be cancelled */
	bool has_joined;   /* a sync: takes the result of an earlier one */
	bool has_stalled;  /* waited for an overlapping request */
	bool is_file_data; /* counted in engine_state.nr_files_in_flight */
	bool is_repeated;  /* a synced write: res is of its second call, first_res of the first */
	bool has_own_res;  /* a synced write: res is its own error or success */
	ssize_t first_res;
	struct request *cancel; /* the aio_cancel that asked the kernel, or NULL */
	struct pin *pin;        /* holds its file, if the descriptor was closed before it began */
	unsigned detached;      /* which queue: as fdqueue->detached */

	/* --- completions only: guarded by the lock of completions.c --- */
	uint8_t completion_state;

	/* --- questions only: question.h --- */
	request_handle target; /* aio_cancel: the request to cancel; 0: all of fd */
	unsigned nr_kept;      /* requests that go on, or depend on the descriptor */
	unsigned nr_cancelled;
	unsigned nr_pending;     /* aio_cancel: cancellations that the kernel has not answered */
	uint64_t nr_publishings; /* aio_cancel: count before the requests it ended were published */
	int last_fd;             /* close: last descriptor of the range that begins with fd */
	unsigned nr_unknown;     /* close: earlier questions that left that unknown */
	bool is_unknown; /* close: it is unknown whether the call of some worker has begun */
};

TAILQ_HEAD(request_list, request);

static inline uint32_t request_generation(const struct request *req)
{
	return (uint32_t)(atomic_load(&req->word) >> 32);
}

/* The futex word of the generation: the upper half of the word. */
static inline _Atomic uint32_t *request_wait_word(struct request *req)
{
	_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the upper half comes second");
	return (_Atomic uint32_t *)&req->word + 1;
}

static inline request_handle request_handle_of(const struct request *req)
{
	return (uint64_t)request_generation(req) << 32 | (req->index + 1u);
}

/* [the holder of @req] */
static inline void request_mark(struct request *req, enum request_mark mark)
{
	atomic_fetch_or(&req->word, mark);
}

/* [any thread] If the record is another request's by now, its marks stay. */
static inline void request_unmark(struct request *req, uint32_t generation, enum request_mark mark)
{
	uint64_t word = atomic_load(&req->word);

	while (word >> 32 == generation &&
	       !atomic_compare_exchange_weak(&req->word, &word, word & ~(uint64_t)mark))
		continue;
}

/* [any thread] */
static inline bool request_is_marked(const struct request *req, enum request_mark mark)
{
	return atomic_load(&req->word) & mark;
}

static inline enum request_place request_place(const struct request *req)
{
	return (enum request_place)atomic_load(&req->place);
}

/*
 * [any thread] A zeroed record with a new generation, in PLACE_SUBMITTER.  NULL: no memory.
 * Lock-free, async-signal-safe, leaves errno alone; so is request_free().
 */
struct request *request_alloc(void);
void request_free(struct request *req);

/* [engine] Give the memory of unused records to the kernel.  Takes time for each of them. */
bool request_may_trim(void); /* is it worth a try? */
void request_trim(void);

/* [any thread] The live request of @handle, or NULL.  It may end at any moment. */
struct request *request_lookup(request_handle handle);

/* The record of an index that was in use at some time. */
struct request *request_at(uint32_t index);

/* Can a record have this handle, here or in another process? */
bool request_is_possible(request_handle handle);

/* Debug builds check that the change is allowed. */
void request_set_place(struct request *req, enum request_place place);

static inline bool request_is_barrier(const struct request *req)
{
	return req->op == OP_FSYNC || req->op == OP_FDATASYNC;
}

static inline bool request_is_synced_write(const struct request *req)
{
	return req->op == OP_WRITE && descriptor_has_synced_writes(&req->descriptor);
}

static inline bool request_is_transfer(const struct request *req)
{
	return req->op == OP_READ || req->op == OP_WRITE;
}

/* [submitter] The record is made. */
static inline void request_note_time(struct request *req)
{
	atomic_store_explicit(&req->submitted_at, clock_coarse_ns(), memory_order_release);
}

/* Reads, or writes, of a stream: one at a time is in flight.  0: @req waits for no other. */
static inline uint32_t request_chain(const struct request *req)
{
	if (descriptor_is_file(&req->descriptor) || !request_is_transfer(req) ||
	    req->descriptor.err || req->offset < 0)
		return 0;
	return ((uint32_t)req->fd + 1) << 1 | (req->op == OP_WRITE);
}

/* [submitter, engine] From here on a close of the descriptor must ask the engine. */
static inline void request_hold_descriptor(struct request *req)
{
	if (!atomic_exchange(&req->is_held, true))
		descriptor_hold(req->fd);
}

/* [any thread] The kernel or a pin holds the file, or the request has ended. */
static inline void request_release_descriptor(struct request *req)
{
	if (atomic_exchange(&req->is_held, false))
		descriptor_release(req->fd);
}

/*
 * Its flags must be known.  False for an append, since its offset is unknown.  4 KiB is the
 * smallest page of any kernel, so what lies in one of those lies in one page.
 */
static inline bool request_is_in_one_page(const struct request *req)
{
	return (uint64_t)req->offset % 4096 + req->nbytes <= 4096 && req->nbytes <= 4096 &&
	       !(req->op == OP_WRITE && req->descriptor.flags & O_APPEND);
}

/* Child of a fork: every record is free.  Generations go on. */
void request_after_fork(void);

extern const struct dump_records request_dump; /* base/dump_root.h */

#endif
