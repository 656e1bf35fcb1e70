// SPDX-License-Identifier: MIT
/*
 * fdqueue.c - per-descriptor order: which request may be issued now?
 */
#include "order/fdqueue.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "base/raw_syscall.h"
#include "base/stats.h"
#include "order/bypass.h"
#include "order/filter.h"
#include "order/in_flight.h"

#define SLAB_BYTES       65536u
#define NR_STATIC_QUEUES 64u /* usable even when mmap fails */

enum { READS, WRITES }; /* as in the lowest bit of request_chain() */

static int compare_number(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int compare_queues(struct fdqueue *a, struct fdqueue *b)
{
	if (a->fd != b->fd)
		return compare_number(a->fd, b->fd);
	if (a->detached != b->detached)
		return compare_number(a->detached, b->detached);
	return compare_number(a->is_file, b->is_file);
}

/* Higher priority first, then in order of submission. */
static int compare_chain(struct request *a, struct request *b)
{
	if (a->priority != b->priority)
		return compare_number(b->priority, a->priority);
	return compare_number((int64_t)a->seq, (int64_t)b->seq);
}

/* Its offset is the end of the file when it runs, which is not known yet. */
static bool is_append(const struct request *req)
{
	return req->op == OP_WRITE && (req->descriptor.flags & O_APPEND);
}

static off_t range_start(const struct request *req)
{
	return is_append(req) ? 0 : req->offset;
}

static off_t range_end(const struct request *req)
{
	off_t end;

	if (is_append(req) || __builtin_add_overflow(req->offset, req->nbytes, &end))
		return INT64_MAX;
	return end;
}

static int compare_ranges(struct request *a, struct request *b)
{
	if (range_start(a) != range_start(b))
		return compare_number(range_start(a), range_start(b));
	return compare_number((int64_t)a->seq, (int64_t)b->seq);
}

/* The macros define more functions than each tree needs. */
#define UNUSED_STATIC __attribute__((unused)) static

RB_HEAD(queue_tree, fdqueue);
RB_GENERATE_INTERNAL(queue_tree, fdqueue, tree_link, compare_queues, UNUSED_STATIC)
RB_GENERATE_INTERNAL(chain_tree, request, tree_link, compare_chain, UNUSED_STATIC)
RB_GENERATE_INTERNAL(range_tree, request, tree_link, compare_ranges, UNUSED_STATIC)

static struct queue_tree queues = RB_INITIALIZER(&queues);
static struct fdqueue *free_queues; /* linked through awaiting_link.tqe_next */

static bool is_static_used;

static void add_free_queues(struct fdqueue *slab, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		slab[i].awaiting_link.tqe_next = free_queues;
		free_queues = &slab[i];
	}
}

static bool grow_free_queues(void)
{
	static struct fdqueue first[NR_STATIC_QUEUES];
	long base;

	if (!is_static_used) {
		is_static_used = true;
		add_free_queues(first, NR_STATIC_QUEUES);
		return true;
	}
	base = RAW_SYSCALL(SYS_mmap, NULL, SLAB_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (raw_is_error(base))
		return false;
	add_free_queues((struct fdqueue *)base, SLAB_BYTES / sizeof(struct fdqueue));
	return true;
}

static struct fdqueue *make_queue(const struct request *req)
{
	struct fdqueue *queue;

	if (!free_queues && !grow_free_queues())
		return NULL;
	queue = free_queues;
	free_queues = queue->awaiting_link.tqe_next;
	memset(queue, 0, sizeof(*queue));
	queue->fd = req->fd;
	queue->detached = req->detached;
	queue->is_file = descriptor_is_file(&req->descriptor);
	TAILQ_INIT(&queue->outstanding);
	TAILQ_INIT(&queue->waiting);
	TAILQ_INIT(&queue->performed);
	RB_INSERT(queue_tree, &queues, queue);
	return queue;
}

static struct fdqueue *find_queue(const struct request *req)
{
	struct fdqueue key = {
		.fd = req->fd,
		.detached = req->detached,
		.is_file = descriptor_is_file(&req->descriptor),
	};

	return RB_FIND(queue_tree, &queues, &key);
}

static int direction_of(const struct request *req)
{
	return req->op == OP_WRITE ? WRITES : READS;
}

/* A bounced request goes before requests that were submitted after it: order by sequence number. */
static void insert_bounced(struct fdqueue *queue, struct request *req)
{
	struct request *other;

	TAILQ_FOREACH(other, &queue->outstanding, outstanding_link)
		if (other->submit_seq > req->submit_seq)
			break;
	if (other)
		TAILQ_INSERT_BEFORE(other, req, outstanding_link);
	else
		TAILQ_INSERT_TAIL(&queue->outstanding, req, outstanding_link);
	if (request_is_barrier(req))
		return;
	TAILQ_FOREACH(other, &queue->waiting, list_link)
		if (other->submit_seq > req->submit_seq)
			break;
	if (other)
		TAILQ_INSERT_BEFORE(other, req, list_link);
	else
		TAILQ_INSERT_TAIL(&queue->waiting, req, list_link);
}

int fdqueue_add(struct request *req)
{
	static uint64_t last_seq;
	struct fdqueue *queue = find_queue(req);

	if (!queue)
		queue = make_queue(req);
	if (!queue)
		return -ENOMEM;
	req->queue = queue;
	req->seq = ++last_seq;
	request_set_place(req, PLACE_QUEUE);
	if (req->is_bounced) {
		insert_bounced(queue, req);
		return 0;
	}
	TAILQ_INSERT_TAIL(&queue->outstanding, req, outstanding_link);
	if (request_is_barrier(req))
		return 0;
	if (!queue->is_file)
		RB_INSERT(chain_tree, &queue->chain[direction_of(req)], req);
	else
		TAILQ_INSERT_TAIL(&queue->waiting, req, list_link);
	return 0;
}

/*
 * Does a request in flight in one tree touch [start, end)?  No range is longer than
 * range_max, so none that begins before start - range_max reaches start.
 */
static bool overlaps(struct fdqueue *queue, int direction, off_t start, off_t end)
{
	off_t max = queue->range_max[direction];
	struct request key = { .offset = start > max ? start - max : 0 };
	struct request *other = RB_NFIND(range_tree, &queue->ranges[direction], &key);

	for (; other && range_start(other) < end; other = RB_NEXT(range_tree, , other))
		if (range_end(other) > start)
			return true;
	return false;
}

static bool must_wait(struct fdqueue *queue, const struct request *req)
{
	off_t start = range_start(req), end = range_end(req);

	if (overlaps(queue, WRITES, start, end))
		return true;
	return req->op == OP_WRITE && overlaps(queue, READS, start, end);
}

static bool waits_for_bypass(struct fdqueue *queue, const struct request *req)
{
	struct filter_range range = filter_range_of(req);

	if (!filter_may_conflict(FILTER_BYPASS, &range) || !bypass_precedes(req, queue->since))
		return false;
	queue->awaits_bypass = true;
	return true;
}

static void put_in_flight(struct fdqueue *queue, struct request *req)
{
	int direction = direction_of(req);
	off_t length = range_end(req) - range_start(req);

	if (RB_EMPTY(&queue->ranges[direction]) || length > queue->range_max[direction])
		queue->range_max[direction] = length;
	RB_INSERT(range_tree, &queue->ranges[direction], req);
	queue->nr_in_flight++;
	queue->nr_synced += request_is_synced_write(req);
}

/* All earlier requests that @req finds are in flight, or barriers. */
static bool follows_barrier(struct request *req)
{
	struct request *other = req;

	while ((other = TAILQ_PREV(other, request_list, outstanding_link)))
		if (request_is_barrier(other))
			return true;
	return false;
}

static bool waits_for_errors(struct fdqueue *queue, struct request *req)
{
	return request_is_synced_write(req) &&
	       (!TAILQ_EMPTY(&queue->performed) || follows_barrier(req));
}

static struct request *next_of_file(struct fdqueue *queue)
{
	struct request *req = TAILQ_FIRST(&queue->waiting);

	if (!req || waits_for_errors(queue, req))
		return NULL;
	if (waits_for_bypass(queue, req) || must_wait(queue, req)) {
		if (!req->has_stalled) {
			req->has_stalled = true;
			stats_inc(overlap_stalls);
		}
		return NULL;
	}
	if (!in_flight_try(req, queue->nr_in_flight)) {
		queue->awaits_bypass = true;
		return NULL;
	}
	TAILQ_REMOVE(&queue->waiting, req, list_link);
	put_in_flight(queue, req);
	return req;
}

static struct request *next_of_chain(struct fdqueue *queue, int direction)
{
	struct request *req =
		queue->is_busy[direction] ? NULL : RB_MIN(chain_tree, &queue->chain[direction]);

	if (!req)
		return NULL;
	RB_REMOVE(chain_tree, &queue->chain[direction], req);
	queue->is_busy[direction] = true;
	return req;
}

/* The oldest request of the queue still waits for earlier ones that bypass the engine. */
static bool is_barrier_clear(struct fdqueue *queue, struct request *req)
{
	queue->awaits_bypass = bypass_precedes(req, queue->since);
	return !queue->awaits_bypass;
}

/*
 * The barriers of the same kind right behind @barrier join it.  One that a bypassing request
 * precedes does not, nor do those behind it.
 */
static void join(struct fdqueue *queue, struct request *barrier)
{
	struct request *req = barrier;

	while ((req = TAILQ_NEXT(req, outstanding_link)) && req->op == barrier->op &&
	       !bypass_precedes(req, queue->since))
		req->has_joined = true;
}

struct request *fdqueue_next_joined(struct request *req)
{
	struct request *next = TAILQ_NEXT(req, outstanding_link);

	return next && next->has_joined && next->op == req->op ? next : NULL;
}

struct request *fdqueue_next(struct fdqueue *queue, bool has_room)
{
	struct request *oldest = TAILQ_FIRST(&queue->outstanding), *req;

	queue->awaits_bypass = false;
	if (request_place(oldest) == PLACE_QUEUE && request_is_barrier(oldest) &&
	    is_barrier_clear(queue, oldest)) {
		join(queue, oldest);
		return oldest;
	}
	if (queue->is_file)
		return has_room ? next_of_file(queue) : NULL;
	req = next_of_chain(queue, READS);
	return req ? req : next_of_chain(queue, WRITES);
}

bool fdqueue_is_busy(uint32_t chain)
{
	struct fdqueue key = { .fd = (int)(chain >> 1) - 1 };
	struct fdqueue *queue = RB_FIND(queue_tree, &queues, &key);

	return queue && queue->is_busy[chain & 1];
}

unsigned fdqueue_new_detached(void)
{
	static unsigned last_detached;

	return ++last_detached;
}

void fdqueue_detach(struct fdqueue *queue, unsigned detached)
{
	RB_REMOVE(queue_tree, &queues, queue);
	queue->detached = detached;
	RB_INSERT(queue_tree, &queues, queue);
}

void fdqueue_withdraw(struct request *req)
{
	struct fdqueue *queue = req->queue;

	req->is_withdrawn = true;
	if (request_is_barrier(req))
		return;
	if (queue->is_file)
		TAILQ_REMOVE(&queue->waiting, req, list_link);
	else
		RB_REMOVE(chain_tree, &queue->chain[direction_of(req)], req);
}

static void leave_flight(struct fdqueue *queue, struct request *req)
{
	int direction = direction_of(req);

	if (request_is_barrier(req))
		return;
	if (queue->is_file) {
		RB_REMOVE(range_tree, &queue->ranges[direction], req);
		queue->nr_in_flight--;
	} else {
		queue->is_busy[direction] = false;
	}
}

void fdqueue_remove(struct request *req)
{
	struct fdqueue *queue = req->queue;

	if (!req->is_withdrawn)
		leave_flight(queue, req);
	req->queue = NULL;
	TAILQ_REMOVE(&queue->outstanding, req, outstanding_link);
	if (!TAILQ_EMPTY(&queue->outstanding))
		return;
	RB_REMOVE(queue_tree, &queues, queue);
	queue->awaiting_link.tqe_next = free_queues;
	free_queues = queue;
}

struct fdqueue *fdqueue_first(int fd)
{
	struct fdqueue key = { .fd = fd };

	return RB_NFIND(queue_tree, &queues, &key);
}

struct fdqueue *fdqueue_after(struct fdqueue *queue)
{
	return RB_NEXT(queue_tree, &queues, queue);
}

void fdqueue_after_fork(void)
{
	RB_INIT(&queues);
	free_queues = NULL;
	is_static_used = false;
}
