/* SPDX-License-Identifier: MIT */
/*
 * steering.h - what a descriptor number meant when it was looked at last.
 *
 * To ask the kernel what a number means costs as much as a small request, so
 * the cheap lanes remember it.  It only steers: every call names the number
 * that the program gave, and any error leads to the engine, which asks anew.
 * The hooks on close and its kin make it forget; for what they cannot see it
 * is asked again now and then.
 *
 * Any thread, also in handlers; lock-free.
 */
#ifndef RTAIO_STEERING_H
#define RTAIO_STEERING_H

#include <stdbool.h>

enum file_kind {
	FILE_UNKNOWN = 0,
	FILE_OTHER,          /* a remote file system, a device, ...: for the engine */
	FILE_STREAM,         /* a pipe or socket: likewise */
	FILE_MEMORY,         /* tmpfs, hugetlbfs: waits for swap at the most */
	FILE_CACHED,         /* reads and writes as far as NOWAIT goes */
	FILE_READABLE,       /* refuses NOWAIT writes */
	FILE_COPIED,         /* the same, but its buffered writes are copies */
	FILE_DIRECT,         /* O_DIRECT on a device of its own: Linux AIO */
	FILE_DIRECT_WAITING, /* the same, and refuses NOWAIT writes */
	/* The same, and they serve within the call: never noted, see steering_use_prompt(). */
	FILE_PROMPT,
	FILE_PROMPT_WAITING,
};

/* Its reads never miss, and its writers take no turns. */
static inline bool file_is_in_memory(enum file_kind kind)
{
	return kind == FILE_MEMORY || kind == FILE_PROMPT || kind == FILE_PROMPT_WAITING;
}

/* What @fd was with these flags; FILE_UNKNOWN: find out, and note it. */
enum file_kind steering_recall(int fd, int flags);

/*
 * For reads: may @fd be taken for what it was, without a look at its flags?
 * True a few times between two looks, never for O_DIRECT.  Should the number
 * mean another file, a read of it finds that out or is the right one.
 */
bool steering_trust(int fd, enum file_kind *kind);

/* Was @fd a pipe or socket?  Whoever relies on that asks for its inode. */
bool steering_was_stream(int fd);

void steering_note(int fd, int flags, enum file_kind kind);

/*
 * Of reads that complete at once if their data are in memory: is the next one of
 * @fd not worth the try?  So it is when one after the other has missed, and if
 * many were under way (@is_deep) a short while ago.  False now and then, so that
 * it is noticed when that changes.
 */
bool steering_expects_miss(int fd, bool is_deep);
bool steering_is_missing(int fd); /* the last ones of @fd have, however many there were */
void steering_note_read(int fd, bool is_hit);

/*
 * A device in memory (zram, brd, pmem) has served a request when io_submit
 * returns, so that a plain call does the same for less.  Is @fd, with O_DIRECT, on
 * one, as the last submissions showed?  FILE_OTHER: no; and now and then, so that
 * another one is submitted that tells.
 */
enum file_kind steering_use_prompt(int fd);
void steering_note_submission(int fd, bool was_prompt);

/* The numbers @first .. @last are about to mean other files. */
void steering_forget(unsigned first, unsigned last);

#endif
