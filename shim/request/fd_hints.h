/* SPDX-License-Identifier: MIT */
/*
 * fd_hints.h - the kernel's last answers about a file descriptor.
 *
 * Asking the kernel costs as much as a small request, so the lanes that bypass the engine
 * remember the answer.  It is a hint: every call names the descriptor that the program gave,
 * and any error leads to the engine.  The close hooks drop it.
 *
 * Any thread, also in handlers; lock-free.
 */
#ifndef RTAIO_FD_HINTS_H
#define RTAIO_FD_HINTS_H

#include <stdbool.h>

#include "base/descriptor.h"

struct request;

enum file_kind {
	FILE_UNKNOWN = 0,
	FILE_OTHER,  /* calls may wait for anything: for the workers */
	FILE_STREAM, /* a pipe or socket: for the engine */
	FILE_MEMORY, /* tmpfs, hugetlbfs: waits for swap at the most */
	FILE_NOWAIT, /* takes RWF_NOWAIT; a worker that writes to it will ask whether it is local */
	FILE_NOWAIT_LOCAL,  /* the same, and is on a local file system */
	FILE_NOWAIT_COPIES, /* the same; writes are copies unless a read holds the lock (XFS) */
	FILE_NOWAIT_READS,  /* refuses RWF_NOWAIT for writes */
	FILE_COPIED_WRITES, /* the same, but its buffered writes are copies */
	FILE_DIRECT_RING, /* O_DIRECT on btrfs, which shows no device; writes are for the workers */
	FILE_DIRECT,      /* O_DIRECT on a device: Linux AIO */
	FILE_DIRECT_WAITING, /* the same, and refuses RWF_NOWAIT */
};

static inline bool file_takes_nowait_writes(enum file_kind kind)
{
	return kind >= FILE_NOWAIT && kind <= FILE_NOWAIT_COPIES;
}

/* The ring gets only files whose file system promises not to wait in io_uring_enter(). */
static inline bool file_is_for_ring(enum file_kind kind)
{
	return kind >= FILE_NOWAIT && kind <= FILE_DIRECT_WAITING;
}

/* The kind noted for @fd with these flags.  FILE_UNKNOWN: the caller finds out and notes it. */
enum file_kind fd_hints_recall(int fd, int flags);

/*
 * May the hint be used without F_GETFL?  True a few times between two notes by this thread, never
 * for O_DIRECT.  If @fd means another file by now, the inline transfer fails and goes to the
 * engine, or it is made on that file, as by glibc.
 */
bool fd_hints_trust(int fd, enum file_kind *kind, int *flags);

/* Was @fd a pipe or socket?  The caller must check that it still is. */
bool fd_hints_was_stream(int fd);

void fd_hints_note(int fd, int flags, enum file_kind kind);

/*
 * Should the next read of @fd go to the engine without an inline try?  Yes if the last ones
 * missed the page cache.  False now and then, so that hits are noticed.
 */
bool fd_hints_expects_miss(int fd);
void fd_hints_note_read(int fd, bool is_hit);

/*
 * io_submit may sleep, or a request may bounce: a write must allocate or waits for the
 * journal, the device's queue is full, the file system reads through the page cache.  Then
 * requests of the same class do not go to Linux AIO for a while, longer each time.  A class is
 * a descriptor, a direction, and whether the request is long, since devices split long ones.
 *
 * Two system calls tell whether a thread slept.  They are made only while submissions are
 * watched: after a slow one, and after requests were withheld.  One long submission without a sleep
 * tells nothing, since the host of a virtual machine may have stopped its processor.  Two in a row
 * tell that the device makes the transfers in the call.
 */
#define FD_HINTS_CLASSES_EACH 4u /* classes of a descriptor */
#define FD_HINTS_CLASSES      (DESCRIPTOR_BUCKETS * FD_HINTS_CLASSES_EACH)
unsigned fd_hints_class(const struct request *req);
bool fd_hints_withholds(unsigned class); /* true: counts the request as withheld */
bool fd_hints_is_watched(unsigned class);
void fd_hints_note_refused(unsigned class);

/* What the time of a submission tells. */
#define SUBMISSION_SLOW 1u /* the thread may have slept: watch the next ones */
#define SUBMISSION_LONG 2u /* it took still longer, and the thread was not preempted */
#define SUBMISSION_COSTLY \
	4u /* the engine is cheaper if it submits several requests by one such call */
void fd_hints_note_taken(unsigned class, unsigned signs);

/*
 * Should the engine have a request of a thread that has many at once?  Yes if most submissions were
 * costly; true counts the request.  False now and then, so that a change is noticed.
 */
bool fd_hints_prefers_engine(unsigned class);

/* The descriptors @first .. @last are about to be closed or replaced. */
void fd_hints_drop(unsigned first, unsigned last);

#endif
