// SPDX-License-Identifier: MIT
/*
 * inline.c - the inline lane: requests that complete inside the submitting call.
 *
 * fd_hints.h remembers the kind of file.  A stale answer costs time, never a wrong result.
 *
 *   reads    preadv2(RWF_NOWAIT); on memory file systems, which refuse the flag, pread
 *   writes   on memory file systems pwrite; pwritev2(RWF_NOWAIT), within a page, where the file
 *            system takes it; else pwrite if a buffered write is a copy into the page cache
 *            (ext4, XFS).  A guard pauses such writes if they wait, longer each time.
 *   streams  preadv2 and pwritev2(RWF_NOWAIT) on pipes and sockets, while nothing else of that
 *            descriptor and direction is under way
 *
 * While RLIMIT_FSIZE is set, writes go to the engine (fsize_limit.h).
 */
#include "lane/inline.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "base/clock.h"
#include "base/raw_syscall.h"
#include "base/refusal.h"
#include "base/stats.h"
#include "base/thread.h"
#include "base/time_budget.h"
#include "lane/fsize_limit.h"
#include "order/filter.h"
#include "request/fd_hints.h"
#include "request/fd_kind.h"
#include "request/perform.h"
#include "request/vector.h"

#ifndef RWF_NOSIGNAL
#define RWF_NOSIGNAL 0x100 /* Linux 6.18 */
#endif

#define WAIT_SEEN_NS   300000u     /* a longer copy may have slept */
#define SLICE_MAX_NS   10000000u   /* a preempted thread seldom waits longer for its processor */
#define WATCH_NS       1000000000u /* after a copy that may have slept, watch for so long */
#define WAIT_MAX_NS    5000000u    /* most waiting; 1 % of the time is paid back */
#define WAIT_DECAY     100u
#define PAUSE_FIRST_NS UINT64_C(50000000)   /* first pause of inline copies, */
#define PAUSE_LAST_NS  UINT64_C(3200000000) /* doubled up to this */

/* Times.  Relaxed: a thread that reads an old one makes another inline copy. */
static _Atomic uint64_t paused_until_ns; /* no inline copies (ext4) before */
static _Atomic uint64_t pause_ns;        /* the last pause */
static _Atomic uint64_t watch_until_ns;
static struct time_budget waiting; /* spent by inline copies that slept */

/* The last fast copy of each thread, while they are watched. */
static struct {
	_Alignas(CACHE_LINE) _Atomic uint64_t ended_ns;
	_Atomic int fd;
} copies[THREAD_ROWS];

/* The flags of @req are known.  Noting the kind again makes the hint trusted again. */
static enum file_kind kind_of(const struct request *req)
{
	enum file_kind kind = fd_hints_recall(req->fd, req->descriptor.flags);

	if (kind == FILE_UNKNOWN)
		kind = fd_kind_find(req->fd, req->op == OP_READ);
	fd_hints_note(req->fd, req->descriptor.flags, kind);
	return kind;
}

/* The hint was wrong: note @kind. */
static void note_kind(struct request *req, enum file_kind kind)
{
	descriptor_get_flags(req->fd, &req->descriptor);
	fd_hints_note(req->fd, req->descriptor.flags, kind);
}

/*
 * A short result is the end of the file, or of what is cached.  In the second case another lane
 * reads everything again: a write could come between two parts.
 */
static bool read_cached(struct request *req, ssize_t *res)
{
	*res = perform_flagged(req, req->offset, RWF_NOWAIT);
	if (*res == -EOPNOTSUPP || *res == -ESPIPE) {
		note_kind(req, FILE_OTHER);
		return refuse(REFUSED_file_system);
	}
	if (*res < 0)
		return refuse(*res == -EAGAIN ? REFUSED_miss : REFUSED_error);
	if ((size_t)*res == req->nbytes || descriptor_ends_at(req->fd, req->offset + *res))
		return true;
	return refuse(REFUSED_miss);
}

static bool transfer_plain(const struct request *req, ssize_t *res)
{
	*res = perform_at(req, req->fd);
	return *res >= 0 || refuse(REFUSED_error);
}

/*
 * The file system may refuse the flag, or take it and then need to wait.  If its blocks are smaller
 * than a page it may write a part.  Then the rest is written at once, even if that waits: a request
 * that is done in part can go to no other lane.
 */
static bool write_cached(struct request *req, enum file_kind kind, ssize_t *res)
{
	ssize_t rest;

	*res = perform_flagged(req, req->offset, RWF_NOWAIT);
	if (*res == -EOPNOTSUPP && kind == FILE_NOWAIT_LOCAL)
		note_kind(req, FILE_NOWAIT_READS);
	if (*res > 0 && (size_t)*res < req->nbytes) {
		rest = RAW_SYSCALL(SYS_pwrite64, req->fd, (char *)req->buf + *res,
				   req->nbytes - (size_t)*res, req->offset + *res);
		*res += rest > 0 ? rest : 0;
	}
	return *res >= 0 || refuse(*res == -EAGAIN ? REFUSED_would_wait : REFUSED_error);
}

/* Leave such writes to other lanes for a while, longer each time. */
static void pause_copies(uint64_t now)
{
	uint64_t pause = atomic_load_explicit(&pause_ns, memory_order_relaxed) * 2;

	/* Long after the last pause this is another congestion. */
	if (pause == 0 || now > atomic_load(&paused_until_ns) + 2 * PAUSE_LAST_NS)
		pause = PAUSE_FIRST_NS;
	if (pause > PAUSE_LAST_NS)
		pause = PAUSE_LAST_NS;
	atomic_store(&pause_ns, pause);
	atomic_store(&paused_until_ns, now + pause);
	stats_inc(inline_pauses);
}

/* One long wait is too much; short ones must be rare. */
static void add_wait(uint64_t waited, uint64_t now)
{
	if (time_budget_spend(&waiting, waited, now, WAIT_DECAY) <= WAIT_MAX_NS)
		return;
	pause_copies(now);
	time_budget_clear(&waiting);
}

static void note_copy(int fd, uint64_t ended_ns)
{
	unsigned row = thread_row();

	atomic_store(&copies[row].fd, fd);
	atomic_store(&copies[row].ended_ns, ended_ns);
}

/*
 * Did another thread copy to the same file meanwhile?  Then this one waited for the file's lock,
 * not for the disk.  A thread that writes its pair just now gives a wrong answer once.
 */
static bool was_locked_out(int fd, uint64_t since)
{
	for (unsigned row = 0; row < thread_nr_rows(); row++)
		if (atomic_load(&copies[row].ended_ns) > since &&
		    descriptor_is_same_file(fd, atomic_load(&copies[row].fd)))
			return true;
	return false;
}

/* Was the thread preempted in the slow copy that just ended, or since the slow copy before it? */
static bool was_preempted(const struct thread_switches *now)
{
	static _Thread_local long nr_seen __attribute__((tls_model("initial-exec")));
	bool is_new = now->nr_preemptions != nr_seen;

	nr_seen = now->nr_preemptions;
	return is_new;
}

/*
 * A slow copy has slept, or its thread was preempted.  Two system calls, before and after a copy,
 * tell which.  The first costs half as much as a short copy.  So it is made only for a while after
 * a slow copy that preemption does not explain: each copy on a busy machine would pay for it.
 */
static bool write_copied(struct request *req, uint64_t began, ssize_t *res)
{
	bool is_watched = began < atomic_load_explicit(&watch_until_ns, memory_order_relaxed);
	struct thread_switches switches;
	bool is_done;
	long sleeps = 0;
	uint64_t ended;

	if (is_watched)
		sleeps = thread_switches().nr_sleeps;
	is_done = transfer_plain(req, res);
	ended = clock_now_ns();
	if (ended - began < WAIT_SEEN_NS) {
		if (is_watched)
			note_copy(req->fd, ended);
		return is_done;
	}
	switches = thread_switches();
	if (is_watched && switches.nr_sleeps != sleeps && !was_locked_out(req->fd, began))
		add_wait(ended - began, ended);
	if (!was_preempted(&switches) || ended - began > SLICE_MAX_NS)
		atomic_store(&watch_until_ns, ended + WATCH_NS);
	return is_done;
}

static bool read_at_once(struct request *req, enum file_kind kind, ssize_t *res)
{
	bool is_hit;

	if (kind == FILE_MEMORY)
		return transfer_plain(req, res);
	is_hit = read_cached(req, res);
	fd_hints_note_read(req->fd, is_hit);
	return is_hit;
}

/* The clock is read once, since that takes a good part of the time of a short write. */
static bool write_at_once(struct request *req, enum file_kind kind, ssize_t *res)
{
	uint64_t now = clock_now_ns();

	if (fsize_limit_is_set(now))
		return refuse(REFUSED_limit);
	if (kind == FILE_MEMORY)
		return transfer_plain(req, res);
	if (file_takes_nowait_writes(kind))
		return write_cached(req, kind, res);
	if (kind != FILE_COPIED_WRITES)
		return refuse(REFUSED_file_system);
	if (now < atomic_load_explicit(&paused_until_ns, memory_order_relaxed))
		return refuse(REFUSED_paused);
	return write_copied(req, now, res);
}

/* Is the call likely to succeed without waiting? */
static bool is_worth_a_try(const struct request *req, enum file_kind kind)
{
	/* The engine submits likely misses together. */
	if (req->op == OP_READ)
		return kind == FILE_MEMORY || !fd_hints_expects_miss(req->fd) ||
		       refuse(REFUSED_miss);
	/* Nor is the rest of a vector, of which the file system may write a part. */
	if (file_takes_nowait_writes(kind) && (req->vector || !request_is_in_one_page(req)))
		return refuse(REFUSED_page);
	if (kind == FILE_NOWAIT_READS)
		return refuse(REFUSED_file_system);
	return !(req->descriptor.flags & (O_SYNC | O_DSYNC)) || refuse(REFUSED_sync);
}

/*
 * A write of at most PIPE_BUF is made whole, but for a socket under memory pressure: another lane
 * writes the rest.  The program must not see SIGPIPE.  An error is final: a socket reports some
 * only once.
 */
static bool transfer_at_stream(struct request *req, ssize_t *res)
{
	*res = perform_nowait(req, req->op == OP_WRITE ? RWF_NOSIGNAL : 0);
	if (*res == -EAGAIN || *res == -EOPNOTSUPP)
		return refuse(*res == -EAGAIN ? REFUSED_not_ready : REFUSED_file_system);
	if (req->op == OP_READ || *res < 0 || (size_t)*res >= req->nbytes)
		return true;
	request_advance(req, (size_t)*res);
	return refuse(REFUSED_not_ready);
}

/* A request must not overtake others of its descriptor and direction. */
static bool accepts_stream(const struct request *req)
{
	struct filter_range range = filter_range_of(req);

	if (req->descriptor.is_assumed || filter_depth(FILTER_STREAMS, &range) > 0)
		return refuse(REFUSED_busy);
	if (req->op == OP_WRITE && req->nbytes > PIPE_BUF)
		return refuse(REFUSED_length);
	return perform_nowait_is_plain(req) || refuse(REFUSED_file_system);
}

bool inline_perform(struct request *req, enum file_kind kind, ssize_t *res)
{
	if (kind == FILE_STREAM)
		return transfer_at_stream(req, res);
	return req->op == OP_WRITE ? write_at_once(req, kind, res) : read_at_once(req, kind, res);
}

/*
 * XFS takes RWF_NOWAIT for writes, but refuses them at each new time stamp and while another write
 * is under way.  Then each further write would be refused, too.  A plain write waits for reads of
 * the descriptor that wait for the disk, so it is made only if there are none.
 */
static enum file_kind kind_now(const struct request *req, enum file_kind kind, bool is_clear)
{
	if (kind != FILE_NOWAIT_COPIES || req->op == OP_READ)
		return kind;
	return is_clear ? FILE_COPIED_WRITES : FILE_NOWAIT_LOCAL;
}

/*
 * The hint may be older than a change of O_APPEND.  Then the range of a write is not known, which
 * matters only while other requests of the descriptor are in flight.
 */
static bool trusts_hint(struct request *req, bool is_clear, enum file_kind *kind)
{
	if (req->descriptor.has_flags || !fd_hints_trust(req->fd, kind, &req->descriptor.flags))
		return false;
	*kind = kind_now(req, *kind, is_clear);
	return req->op == OP_READ ||
	       ((*kind == FILE_MEMORY || *kind == FILE_COPIED_WRITES) && is_clear);
}

/* Its flags are known, if its range depends on them. */
static bool may_conflict(const struct request *req)
{
	struct filter_range range = filter_range_of(req);

	return filter_may_conflict_anywhere(&range);
}

bool inline_accepts(struct request *req, enum file_kind *kind)
{
	bool is_clear;

	if (req->nbytes == 0 || req->nbytes > INLINE_BYTES_MAX || req->offset < 0)
		return refuse(REFUSED_length);
	if (req->descriptor.has_type) { /* known here of streams only */
		*kind = FILE_STREAM;
		return accepts_stream(req);
	}
	is_clear = filter_is_clear(req->fd, req->op == OP_WRITE);
	if (!trusts_hint(req, is_clear, kind)) {
		descriptor_get_flags(req->fd, &req->descriptor);
		if (req->descriptor.err || req->descriptor.flags & O_PATH)
			return refuse(REFUSED_descriptor);
		if (req->descriptor.flags & O_DIRECT)
			return refuse(REFUSED_direct);
		*kind = kind_now(req, kind_of(req), is_clear);
	}
	if (*kind == FILE_OTHER || *kind == FILE_STREAM)
		return refuse(*kind == FILE_STREAM ? REFUSED_first : REFUSED_file_system);
	if (!is_clear && may_conflict(req))
		return refuse(REFUSED_overlap);
	return is_worth_a_try(req, *kind);
}
