/* SPDX-License-Identifier: MIT */
/*
 * request.h - the record of one request, its states and its pool.
 *
 * Records live in chunks that are mapped once and never given back, so a
 * pointer to a record stays readable for the life of the process: a late
 * waiter or a stale handle meets another generation, never unmapped memory.
 *
 *   state          who holds it       in which list              aio_error()
 *   REQ_FREE       pool               free list                  not asked
 *   REQ_QUEUED     submitter, engine  inbox, then fdqueue        EINPROGRESS
 *   REQ_IN_FLIGHT  kernel or worker   outstanding of its fdqueue EINPROGRESS
 *                                   (outside: none)
 *   REQ_DONE       who published it   notification lists         0 or an errno
 *
 * QUEUED -> IN_FLIGHT when it is issued, IN_FLIGHT -> QUEUED only when the
 * direct lane, or that beside, gives it up (a resubmission stays in flight), any -> DONE when
 * the result is published, DONE -> FREE when nobody refers to it any more.
 * request_set_state() makes every change.
 */
#ifndef RTAIO_REQUEST_H
#define RTAIO_REQUEST_H

#include <aio.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>

#include "descriptor.h"

enum request_op {
	OP_INVALID = 0, /* a list entry with an opcode nobody knows: completes with EINVAL */
	OP_READ,
	OP_WRITE,
	OP_FSYNC,
	OP_FDATASYNC,
	OP_GROUP, /* not I/O: stands for the whole of one lio_listio() */
};

enum request_state {
	REQ_FREE = 0,
	REQ_QUEUED,
	REQ_IN_FLIGHT,
	REQ_DONE,
};

/* A worker publishes; the engine, which does the rest, may meet it at that. */
enum publication {
	PUBLICATION_NONE = 0,
	PUBLICATION_BEGUN, /* the program may see the result at any moment */
	PUBLICATION_DONE,  /* the aiocb is out of our hands */
};

#define WAITS_BESIDE    (UINT64_C(1) << 32)
#define CANCELED_BESIDE (UINT64_C(2) << 32)

/* Where the lane beside takes a request: beside.h. */
enum beside_desk { BESIDE_NONE = 0, BESIDE_COPIES, BESIDE_LONG, BESIDE_NR };

/* What can lie in the engine's inbox. */
enum message_kind {
	MESSAGE_INVALID = 0,
	MESSAGE_SUBMIT,   /* a new request */
	MESSAGE_EXECUTED, /* a worker is done with a request */
	MESSAGE_NOTIFY,   /* complete, and its notification could not be delivered */
	MESSAGE_GROUP,    /* the last member of a list ended in its submitter's hands */
	MESSAGE_DRAINED,  /* requests outside ended that something in the engine may wait for */
	MESSAGE_BESIDE,   /* a thread is wanted for the lane beside */
	MESSAGE_REAPER,   /* somebody waits for the direct lane and for the engine at once */
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
	pthread_attr_t *attributes; /* own copy, from malloc; NULL: the callback pool */
};

struct request {
	struct message message; /* first: the inbox hands out messages */

	/* --- read by any thread --- */
	_Atomic uint32_t generation; /* bumped at publication; waiters sleep on it */
	uint32_t index;              /* constant: place in the pool */
	_Atomic uint32_t free_next;  /* pool: index + 1 of the next free record */
	_Atomic uint64_t interest;   /* who waits: see waiter.h */
	_Atomic uint32_t submitting; /* outside: == generation until the call has returned */
	_Atomic uint64_t
		waits_beside; /* == WAITS_BESIDE | generation until its thread takes it, or aio_cancel */
	_Atomic uint32_t disowned; /* outside: == generation if its number was closed since */

	/* --- immutable between submit and free --- */
	struct aiocb *cb; /* OP_GROUP: NULL */
	void *buf;
	size_t nbytes;
	off_t offset;
	int fd;
	uint32_t number; /* of a copy that goes beside: pace.h */
	int priority;    /* scheduling priority minus aio_reqprio, as glibc orders */
	uint8_t op;
	uint8_t state;
	struct descriptor descriptor; /* what fd meant at submit, or when a lane outside gave up */
	struct notification notification;
	struct request *group;   /* list it belongs to, or NULL */
	bool is_filtered;        /* counted in the engine's overlap filter */
	_Atomic bool is_outside; /* under way outside the engine, or given up there: outside.h */
	_Atomic bool is_direct;  /* on the direct lane; a reaper clears it when it gives it up */
	_Atomic bool is_beside;  /* on the lane beside, until it gives it up */
	_Atomic bool is_bounced; /* given up by a lane outside: older than what the engine holds */
	bool refuses_nowait;     /* direct lane: the file does not know NOWAIT writes */
	uint8_t desk;            /* enum beside_desk, for the lane beside */
	uint8_t kind;            /* enum file_kind: of a copy that goes beside */
	bool follows;            /* the same: perhaps it overlaps another that waits there */
	uint8_t epoch;           /* outside: which count of its bucket it is in */

	/* --- OP_GROUP only --- */
	_Atomic uint32_t members;   /* not yet complete, plus one while the list is being made */
	_Atomic uint32_t holders;   /* members together count one, a waiter counts one */
	_Atomic uint32_t nr_direct; /* members on the direct lane */
	_Atomic bool has_failed;    /* any member ended with an error */

	/* --- engine thread only, except as noted --- */
	struct fdqueue *queue;
	uint64_t seq;                          /* order of acceptance */
	uint64_t batch;                        /* with which it was received */
	TAILQ_ENTRY(request) outstanding_link; /* in queue->outstanding, oldest first */
	TAILQ_ENTRY(request) list_link;        /* waiting list, backlog, prepared, or notifier's */
	RB_ENTRY(request) tree_link;           /* stream chain, or ranges in flight */
	ssize_t res;                 /* a worker writes, then hands over through the inbox */
	size_t done;                 /* bytes already moved by earlier submissions */
	uint8_t attempts;            /* resubmissions that made no progress */
	uint8_t cqes_due;            /* completions the ring still owes: itself, its cancellation */
	_Atomic bool is_held;        /* counted in descriptor_held; a worker lowers it too */
	bool is_waiting;             /* not issued: in its queue's chain or waiting list */
	bool is_withdrawn;           /* taken out of it to be cancelled */
	_Atomic uint8_t publication; /* enum publication: by the worker that executed it */
	bool has_ended;              /* res is known, publication is due */
	bool has_direct_barrier;     /* its barrier for what is outside is open */
	bool has_stalled;            /* waited for an overlapping request */
	bool is_file_data;           /* counts against the depth while in flight */
	bool is_on_ring;             /* the kernel has it, or its SQE is prepared */
	bool is_prepared;            /* its SQE is not yet handed to the kernel */
	struct cancel *cancel;       /* aio_cancel that asked the kernel, or NULL */
};

TAILQ_HEAD(request_list, request);

/* A handle survives the request: index and generation.  0 is never valid. */
typedef uint64_t request_handle;

static inline request_handle request_handle_of(const struct request *req)
{
	return ((uint64_t)atomic_load_explicit(&req->generation, memory_order_relaxed) << 32) |
	       (req->index + 1u);
}

/*
 * Take a record: zeroed but for generation, state REQ_QUEUED.  Lock-free,
 * async-signal-safe, errno untouched.  NULL when memory is really out.
 */
struct request *request_alloc(void);

/* Give a record back.  Lock-free; any thread. */
void request_free(struct request *req);

/* The live request of @handle, or NULL.  Any thread; the answer may be stale at once. */
struct request *request_lookup(request_handle handle);

/* Is there a live request that matches?  Looks at all; a snapshot.  Any thread. */
bool request_any(bool (*matches)(struct request *req, const void *arg), const void *arg);

/* The only function that changes state; checks the arrow in debug builds. */
void request_set_state(struct request *req, enum request_state state);

static inline bool request_is_barrier(const struct request *req)
{
	return req->op == OP_FSYNC || req->op == OP_FDATASYNC;
}

/* [submitter, engine] From here on the number must not become another file's. */
static inline void request_hold_descriptor(struct request *req)
{
	if (!atomic_exchange(&req->is_held, true))
		descriptor_hold(req->fd);
}

/* [any thread] The kernel holds the file, or nothing will be done with the number. */
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

/* Child of a fork: every record is free again; generations go on. */
void request_forget(void);

#endif
