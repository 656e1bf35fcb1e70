/* SPDX-License-Identifier: MIT */
/*
 * fd_hints.h - what a file descriptor meant when it was looked at last.
 *
 * To ask the kernel costs as much as a small request, so the cheap lanes
 * remember the answer.  It is a hint: every call names the descriptor that the
 * program gave, and any error leads to the engine.  The hooks on close and its
 * kin make it forget.
 *
 * Any thread, also in handlers; lock-free.
 */
#ifndef RTAIO_FD_HINTS_H
#define RTAIO_FD_HINTS_H

#include <stdbool.h>

struct request;

enum file_kind {
	FILE_UNKNOWN = 0,
	FILE_OTHER,          /* it may wait for anything: for the workers */
	FILE_STREAM,         /* a pipe or socket: for the engine */
	FILE_MEMORY,         /* tmpfs, hugetlbfs: waits for swap at the most */
	FILE_CACHED,         /* as far as NOWAIT goes; a worker that writes is to ask more */
	FILE_ASKED,          /* the same, and it has asked */
	FILE_READABLE,       /* refuses NOWAIT writes */
	FILE_COPIED,         /* the same, but its buffered writes are copies */
	FILE_RING,           /* O_DIRECT on btrfs, which has no device of its own */
	FILE_DIRECT,         /* O_DIRECT on a device of its own: Linux AIO */
	FILE_DIRECT_WAITING, /* the same, and refuses NOWAIT */
};

static inline bool file_takes_nowait_writes(enum file_kind kind)
{
	return kind == FILE_CACHED || kind == FILE_ASKED;
}

/*
 * May io_uring have it?  Only where the file system promises not to wait in
 * the submitting call: elsewhere the engine would wait for a server.
 */
static inline bool file_is_for_ring(enum file_kind kind)
{
	return kind >= FILE_CACHED && kind <= FILE_DIRECT_WAITING;
}

/* What @fd was with these flags; FILE_UNKNOWN: find out, and note it. */
enum file_kind fd_hints_recall(int fd, int flags);

/*
 * For reads: may @fd be taken for what it was, without a look at its flags?
 * True a few times between two looks, never for O_DIRECT.  Should it mean another
 * file by now, a read of it finds that out or is the right one.
 */
bool fd_hints_trust(int fd, enum file_kind *kind);

/* Was @fd a pipe or socket?  Whoever relies on that asks whether it still is. */
bool fd_hints_was_stream(int fd);

void fd_hints_note(int fd, int flags, enum file_kind kind);

/*
 * Of reads that complete at once if their data are in memory: is the next one of
 * @fd not worth the try?  So it is when one after the other has missed, and if
 * many were under way (@is_deep) a short while ago.  False now and then, so that
 * it is noticed when that changes.
 */
bool fd_hints_expects_miss(int fd, bool is_deep);
bool fd_hints_is_missing(int fd); /* the last ones of @fd have, however many there were */
void fd_hints_note_read(int fd, bool is_hit);

/*
 * io_submit may sleep, or the kernel may give a request back that would have to: a
 * write must allocate or waits for the journal, the device's queue is full, the file
 * system reads through the page cache.  After that, requests like it do not go to
 * Linux AIO for a while, longer each time.  Alike are those of one descriptor and
 * direction, the long ones (which devices split) apart from the others.
 *
 * Whether a thread slept takes two system calls to know.  They are made only while
 * submissions are watched: after a slow one, and after a pause.
 */
unsigned fd_hints_sort(const struct request *req);
bool fd_hints_withholds(unsigned sort);  /* counts the request that is withheld */
bool fd_hints_is_watched(unsigned sort); /* the next submission */
void fd_hints_note_refused(unsigned sort);
void fd_hints_note_taken(unsigned sort, bool is_slow);

/* The descriptors @first .. @last are about to mean other files. */
void fd_hints_drop(unsigned first, unsigned last);

#endif
