/* SPDX-License-Identifier: MIT */
/*
 * fdqueue.h - per-descriptor order: which request may be issued now?
 *
 * Engine thread only, so no lock.  A queue is found by descriptor.  When that is
 * closed while requests are outstanding, the queue is detached: whatever comes
 * for another file of the same descriptor gets a queue of its own.
 *
 * Streams (pipes, sockets, terminals, character devices) have a chain for
 * reads and one for writes, one request in flight in each, ordered by priority
 * and then by submission.
 *
 * Files (regular files, block devices, directories) issue in order of
 * submission and complete in any: the oldest waiting request is issued unless
 * its range overlaps one in flight and either of the two writes; then it and
 * all behind it wait.  An O_APPEND write covers the whole file.  Issuing in
 * order keeps the check to one look into the set in flight, O(log n), however
 * many wait.
 *
 * A barrier (aio_fsync) is issued when it is the oldest request of its queue
 * that is not complete; nothing waits for it but later barriers.
 */
#ifndef RTAIO_FDQUEUE_H
#define RTAIO_FDQUEUE_H

#include "request/request.h"

RB_HEAD(chain_tree, request);
RB_HEAD(range_tree, request);

/*
 * Requests that bypass the engine are in no queue; filter.h and bypass.h say
 * whether a request here has to wait for one of them.
 */
struct fdqueue {
	RB_ENTRY(fdqueue) tree_link;
	TAILQ_ENTRY(fdqueue) awaiting_link; /* also the free list */
	TAILQ_ENTRY(fdqueue) held_link;
	int fd;
	bool is_file;
	unsigned detached;               /* 0, or what tells closed ones apart */
	uint64_t since;                  /* stamps before that are another file's: quiesce.h */
	bool awaits_bypass;              /* the next one waits for a bypassing one, or for room */
	bool is_awaiting;                /* dispatch keeps it in its list of such queues */
	bool is_held;                    /* in the ledger's list of such queues */
	unsigned nr_in_flight;           /* file requests that are issued and not complete */
	struct request_list outstanding; /* accepted and not complete, oldest first */
	struct request_list waiting;     /* file requests not issued, oldest first */
	struct chain_tree chain[2];      /* stream requests not issued: reads, writes */
	bool is_busy[2];                 /* one of that chain is in flight */
	struct range_tree ranges[2];     /* file requests in flight: reads, writes */
	off_t range_max[2];              /* longest range since that tree was last empty */
};

/* Find or make the queue of @req and add it.  0 or -ENOMEM. */
int fdqueue_add(struct request *req);

/*
 * The next request that may be issued, or NULL.  @has_room: may file data be
 * put in flight?  The caller calls until NULL.
 */
struct request *fdqueue_next(struct fdqueue *queue, bool has_room);

/* Is exactly one request outstanding? */
static inline bool fdqueue_is_last(const struct fdqueue *queue)
{
	return TAILQ_FIRST(&queue->outstanding) == TAILQ_LAST(&queue->outstanding, request_list);
}

/*
 * The descriptor is about to be closed: what comes from now on is another
 * file's.  @detached, from fdqueue_new_detached(), tells the queue from others.
 */
void fdqueue_detach(struct fdqueue *queue, unsigned detached);
unsigned fdqueue_new_detached(void);

/* Take @req, which waits, out of the order: it is going to be cancelled. */
void fdqueue_withdraw(struct request *req);

/*
 * @req, issued or not, is complete: forget it.  Frees the queue when it was
 * the last.
 */
void fdqueue_remove(struct request *req);

/*
 * Iterate over the queues of descriptor @fd, or over all from @fd on: the first
 * of a descriptor >= @fd, then the one after @queue.  NULL at the end.
 */
struct fdqueue *fdqueue_first(int fd);
struct fdqueue *fdqueue_after(struct fdqueue *queue);

/* Child of a fork: no queue exists. */
void fdqueue_after_fork(void);

#endif
