/* SPDX-License-Identifier: MIT */
/*
 * fdqueue.h - per-descriptor order: which request may be issued now?
 *
 * Engine thread only, so no lock.  A queue is found by descriptor.  A close while requests
 * are outstanding detaches the queue: requests for the next file of that descriptor get
 * another one.
 *
 * Streams (pipes, sockets, terminals, character devices) have a chain for
 * reads and one for writes, one request in flight in each, ordered by priority
 * and then by submission.
 *
 * Files (regular files, block devices, directories) issue in order of submission and complete
 * in any order.  The oldest waiting request is issued unless its range overlaps one in flight
 * and one of the two is a write; then it and all behind it wait.  An O_APPEND write covers
 * the whole file.  Since requests are issued in order, only one at a time is checked against
 * those in flight: O(log n), however many wait.
 *
 * Synced writes (request_is_synced_write()) are issued in groups.  A group gets writes until the
 * first of it has ended; the next group waits until all have.  None is issued while an earlier
 * barrier is outstanding.  So whose errors one may have taken is known: synced_writes.h.
 *
 * A barrier (aio_fsync) is issued when it is the oldest outstanding request of its queue.
 * Only later barriers wait for it.  Those of its kind right behind it join it: nothing else
 * precedes them, so its result is theirs.
 */
#ifndef RTAIO_FDQUEUE_H
#define RTAIO_FDQUEUE_H

#include "request/request.h"

RB_HEAD(chain_tree, request);
RB_HEAD(range_tree, request);

/* Requests that bypass the engine are in no queue: filter.h and bypass.h find them. */
struct fdqueue {
	RB_ENTRY(fdqueue) tree_link;
	TAILQ_ENTRY(fdqueue) awaiting_link; /* also the free list */
	TAILQ_ENTRY(fdqueue) throttled_link;
	int fd;
	bool is_file;
	unsigned detached;     /* 0, or tells queues of closed descriptors apart */
	uint64_t since;        /* lower sequence numbers belong to an earlier file: quiesce.h */
	bool awaits_bypass;    /* the next request waits for bypass.c, or in_flight.c */
	bool is_awaiting;      /* in schedule.c's list of such queues */
	bool is_throttled;     /* in engine_state.throttled: enough copies are prepared for now */
	unsigned nr_in_flight; /* file requests issued and not complete */
	struct request_list outstanding; /* accepted and not complete, oldest first */
	struct request_list waiting;     /* file requests not issued, oldest first */
	unsigned nr_synced;              /* synced writes in flight */
	struct request_list performed;   /* synced writes that wait for those */
	struct chain_tree chain[2];      /* stream requests not issued: reads, writes */
	bool is_busy[2];                 /* a request of that chain is in flight */
	struct range_tree ranges[2];     /* file requests in flight: reads, writes */
	off_t range_max[2];              /* longest range since that tree was last empty */
};

/* Find or make the queue of @req and add it.  0 or -ENOMEM. */
int fdqueue_add(struct request *req);

/* The next request to issue; call until NULL.  @has_room: may a file transfer begin? */
struct request *fdqueue_next(struct fdqueue *queue, bool has_room);

/*
 * A barrier is complete: call with it, then with each result until NULL, for those that joined it.
 * Some may have been withdrawn.  Those that get no result now are issued in their turn.
 */
struct request *fdqueue_next_joined(struct request *req);

/* Is exactly one request outstanding? */
static inline bool fdqueue_is_last(const struct fdqueue *queue)
{
	return TAILQ_FIRST(&queue->outstanding) == TAILQ_LAST(&queue->outstanding, request_list);
}

/* Is a request of @chain (request_chain) in flight on the descriptor as it is now? */
bool fdqueue_is_busy(uint32_t chain);

/* The descriptor is about to be closed.  @detached is from fdqueue_new_detached(). */
void fdqueue_detach(struct fdqueue *queue, unsigned detached);
unsigned fdqueue_new_detached(void);

/* Take a waiting @req out of the order: it is going to be cancelled. */
void fdqueue_withdraw(struct request *req);

/* @req, issued or withdrawn, is complete.  Frees the queue with its last request. */
void fdqueue_remove(struct request *req);

/* The first queue of a descriptor >= @fd, then the one after @queue.  NULL at the end. */
struct fdqueue *fdqueue_first(int fd);
struct fdqueue *fdqueue_after(struct fdqueue *queue);

/* Child of a fork: no queue exists. */
void fdqueue_after_fork(void);

#endif
