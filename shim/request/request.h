/* SPDX-License-Identifier: MIT */
/*
 * request.h - the record of one request, its states and its pool.
 *
 * Records live in chunks that are mapped once and never unmapped, so a
 * pointer to a record stays readable for the life of the process: a late
 * waiter or a stale handle meets another generation, never unmapped memory.
 * After a burst request_trim() gives back what the chunks hold.
 *
 *   place              who holds it                 in which list
 *   PLACE_FREE         pool of records              free list
 *   PLACE_SUBMITTER    the submitting call, then    its submission, then
 *                      the engine's inbox           the inbox
 *   PLACE_QUEUE        the engine: not issued       its fdqueue
 *   PLACE_RING         SQE prepared, or the kernel  outstanding of its fdqueue
 *   PLACE_WORKERS      pool of threads              outstanding, and the pool's
 *   PLACE_STRANDED     the engine: no thread        outstanding, and stranded
 *   PLACE_OFFLOADED    pool of threads, or copier   that one's, and bypass.c
 *   PLACE_DIRECT       kernel: Linux AIO            bypass.c
 *   PLACE_ENDED        the engine: res is known     outstanding, and ended
 *   PLACE_DONE         who published it             notification lists
 *   PLACE_SPARE        request_trim()               none
 *
 * The engine moves a record from QUEUE to RING, WORKERS or STRANDED, and from
 * one of these to another; submitters move it from SUBMITTER to DIRECT or
 * OFFLOADED.  DIRECT and OFFLOADED go back to SUBMITTER when they are given up,
 * on their way to the engine.  Any place leads to DONE, when the result is
 * published, and DONE to FREE when nobody refers to the record any more.
 * aio_error() says EINPROGRESS from SUBMITTER on, until DONE.
 * request_set_place() makes every change.
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

#include "base/descriptor.h"

struct pin;

/* A handle survives the request: index and generation.  0 is never valid. */
typedef uint64_t request_handle;

enum request_op {
	OP_INVALID = 0, /* a list entry with an opcode nobody knows: completes with EINVAL */
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
	PLACE_STRANDED,
	PLACE_OFFLOADED,
	PLACE_DIRECT,
	PLACE_ENDED,
	PLACE_DONE,
	PLACE_SPARE,
};

/* Marks in the word of the generation, which they end with. */
enum request_mark {
	/* Its submitting call goes on: no order is due to it yet. */
	REQUEST_SUBMITTING = 1u << 0,
	/* The program may see the result at any moment. */
	REQUEST_PUBLISHING = 1u << 1,
};

/* What can lie in the engine's inbox. */
enum message_kind {
	MESSAGE_INVALID = 0,
	MESSAGE_SUBMIT,   /* a new request */
	MESSAGE_EXECUTED, /* a worker is done with a request */
	MESSAGE_NOTIFY,   /* complete, and its notification could not be delivered */
	MESSAGE_GROUP,    /* the last member of a list ended in its submitter's hands */
	MESSAGE_ASK,      /* somebody wants something done: engine_ask() */
	MESSAGE_CANCEL,   /* aio_cancel waits for an answer */
	MESSAGE_CLOSE,    /* close and its kin wait for leave */
};

struct message {
	struct message *next; /* owned by the inbox while there */
	enum message_kind kind;
};

/* A copy of what the notification needs: the aiocb is the program's again before it is sent. */
struct notification {
	int notify; /* SIGEV_NONE, SIGEV_SIGNAL or SIGEV_THREAD */
	int signo;
	union sigval value;
	void (*function)(union sigval);
	pthread_attr_t *attributes; /* own copy, from malloc; NULL: the defaults */
};

struct request {
	struct message message; /* first: the inbox hands out messages */

	/* --- read by any thread --- */
	/* Generation, above its marks.  Bumped at publication; waiters sleep on it. */
	_Atomic uint64_t word;
	uint32_t index;             /* constant: place in the pool */
	_Atomic uint32_t free_next; /* pool: index + 1 of the next free record */
	_Atomic uint64_t interest;  /* who waits: see waiter.h */

	/* --- immutable between submit and free --- */
	struct aiocb *cb; /* OP_GROUP: NULL */
	void *buf;
	size_t nbytes;
	off_t offset;
	int fd;
	uint32_t number; /* its position in what its thread has submitted: submit_ahead.h */
	int priority;    /* scheduling priority minus aio_reqprio, as glibc orders */
	uint8_t op;
	_Atomic uint8_t place;        /* enum request_place; read by any thread */
	struct descriptor descriptor; /* what fd means */
	struct notification notification;
	struct request *group; /* list it belongs to, or NULL */
	bool is_filtered;      /* counted in the engine's overlap filter */
	bool refuses_nowait;   /* direct lane: the file does not know NOWAIT */
	uint8_t copy_kind;     /* meant for the copier: enum file_kind; else FILE_UNKNOWN */
	bool is_bounced; /* it bypassed the engine and was given back: older than what the engine holds */
	uint16_t slot;       /* direct, offloaded: in bypass.c */
	uint64_t stamp;      /* order of submission, where it matters: bypass.h */
	size_t nr_in_flight; /* bytes that in_flight.c counts for it */

	/* --- pool of threads: guarded by its lock --- */
	TAILQ_ENTRY(request) pool_link;
	uint8_t pool_state;
	uint64_t detached_at; /* stamp of the close of its descriptor, or 0 */
	_Atomic uint32_t tid; /* of the thread that runs it */

	/* --- groups and questions --- */
	_Atomic uint32_t holders; /* members together, or the engine, count one; so does a waiter */

	/* --- groups only --- */
	_Atomic uint32_t members;   /* not yet complete, plus one while the list is being made */
	_Atomic uint32_t nr_direct; /* members on the direct lane */
	_Atomic bool has_failed;    /* any member ended with an error */

	/* --- engine thread only, except as noted --- */
	struct fdqueue *queue;
	uint64_t seq;                          /* order of acceptance */
	TAILQ_ENTRY(request) outstanding_link; /* in queue->outstanding, oldest first */
	TAILQ_ENTRY(request) list_link;        /* waiting list, pool's, or notifier's */
	RB_ENTRY(request) tree_link;           /* stream chain, or ranges in flight */
	ssize_t res;            /* a worker writes, then hands over through the inbox */
	size_t done;            /* bytes already moved by earlier submissions */
	uint8_t attempts;       /* resubmissions that made no progress */
	uint8_t cqes_due;       /* completions the ring still owes: itself, its cancellation */
	_Atomic bool is_held;   /* counted in descriptor_held; a worker lowers it too */
	bool has_cqe;           /* its completion is in; that of its cancellation may not be */
	bool is_withdrawn;      /* taken out of its queue's order to be cancelled */
	bool is_polled;         /* on the ring: it only tells when there is something to read */
	bool has_stalled;       /* waited for an overlapping request */
	bool is_file_data;      /* counted in engine_state.nr_files_in_flight */
	struct request *cancel; /* aio_cancel that asked the kernel, or NULL */
	struct pin *pin;        /* its file, when its descriptor was closed before it began */
	unsigned detached;      /* the queue it belongs to, as fdqueue->detached */

	/* --- questions only: question.h --- */
	request_handle target; /* aio_cancel: what to cancel, 0: all of fd */
	unsigned nr_kept;      /* requests that go on, or depend on the descriptor */
	unsigned nr_cancelled;
	unsigned nr_pending;     /* aio_cancel: the kernel was asked, the answer is not in */
	uint64_t nr_publishings; /* the same: before what it has ended was published */
	int last_fd;             /* close: of a range that begins with fd */
	uint64_t close;          /* close: which; 0 in its first question */
	unsigned nr_blind;       /* close: how often nobody could see whether a call has begun, */
	bool is_blind;           /* and this time */
};

TAILQ_HEAD(request_list, request);

static inline uint32_t request_generation(const struct request *req)
{
	return (uint32_t)(atomic_load(&req->word) >> 32);
}

/* What a waiter sleeps on: the upper half of the word. */
static inline _Atomic uint32_t *request_wait_word(struct request *req)
{
	_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the upper half comes second");
	return (_Atomic uint32_t *)&req->word + 1;
}

static inline request_handle request_handle_of(const struct request *req)
{
	return (uint64_t)request_generation(req) << 32 | (req->index + 1u);
}

/* [who holds @req] Set a mark. */
static inline void request_mark(struct request *req, enum request_mark mark)
{
	atomic_fetch_or(&req->word, mark);
}

/* [any thread] Clear it; the record may be another request's by now, whose marks stay. */
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
 * Take a record: zeroed but for generation, in PLACE_SUBMITTER.  Lock-free,
 * async-signal-safe, errno untouched.  NULL when memory is really out.
 */
struct request *request_alloc(void);

/* Give a record back.  Lock-free; any thread. */
void request_free(struct request *req);

/*
 * [engine] Give memory back that a burst has left.  It takes as long as the burst was large, and
 * is worth asking for while request_may_trim().
 */
bool request_may_trim(void);
void request_trim(void);

/* The live request of @handle, or NULL.  Any thread; the answer may be stale at once. */
struct request *request_lookup(request_handle handle);

/* Can a record ever have had this handle, here or in another process? */
bool request_is_possible(request_handle handle);

/* The only function that changes the place; checks the arrow in debug builds. */
void request_set_place(struct request *req, enum request_place place);

static inline bool request_is_barrier(const struct request *req)
{
	return req->op == OP_FSYNC || req->op == OP_FDATASYNC;
}

/* [submitter, engine] From here on the descriptor must not become another file's. */
static inline void request_hold_descriptor(struct request *req)
{
	if (!atomic_exchange(&req->is_held, true))
		descriptor_hold(req->fd);
}

/* [any thread] The kernel holds the file, or nothing will be done with the descriptor. */
static inline void request_release_descriptor(struct request *req)
{
	if (atomic_exchange(&req->is_held, false))
		descriptor_release(req->fd);
}

/* Bytes of @req are done: the rest is a request like any other. */
static inline void request_advance(struct request *req, size_t bytes)
{
	req->done += bytes;
	req->buf = (char *)req->buf + bytes;
	req->nbytes -= bytes;
	req->offset += (off_t)bytes;
}

/* Its flags are known.  Where an append goes is not. */
static inline bool request_is_in_one_page(const struct request *req)
{
	return (uint64_t)req->offset % 4096 + req->nbytes <= 4096 && req->nbytes <= 4096 &&
	       !(req->op == OP_WRITE && req->descriptor.flags & O_APPEND);
}

/* Child of a fork: every record is free again; generations go on. */
void request_after_fork(void);

#endif
