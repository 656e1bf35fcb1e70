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

#include "fd_kind.h"

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
 * O_DIRECT writes that must allocate, or that wait for the journal, make
 * io_submit sleep, or are given back.  Once one did (fd_hints_note_refused()),
 * writes of @fd are not given to Linux AIO for a while, longer each time.
 */
bool fd_hints_refuses_writes(int fd);
void fd_hints_note_refused(int fd);
void fd_hints_note_taken(int fd); /* one was neither */

/* The descriptors @first .. @last are about to mean other files. */
void fd_hints_forget(unsigned first, unsigned last);

#endif
