/* SPDX-License-Identifier: MIT */
/*
 * served.h - files of a server that answers when it is told to
 *
 * A file system in user space whose files hold 1 MiB of pattern_at() each, made
 * by their first lookup.  It stands for a hung server and for a dead disk:
 * reads, writes and syncs of files whose name begins with "held" get no answer
 * until served_release(), but for syncs of those with "synced" in their name.
 * The attributes of files with "secret" in their name are told no earlier.  A read of
 * a file with "short" in it gives half.  Files have no page cache unless their name
 * has "cached" in it, and the server keeps no close() waiting unless it has
 * "flushed".
 */
#ifndef RTAIO_TEST_SERVED_H
#define RTAIO_TEST_SERVED_H

#include "transparency.h"

#define SERVED_SIZE (1 << 20)

/*
 * Start a server, before AIO is used; in a child of in_child(), with which it ends.
 * False: the machine cannot have it, and the reason is printed.
 */
bool served_start(void);

/*
 * May a file be closed of which a write or a sync is held?  Before Linux 5.16 close() waits for
 * those.  False: the reason is printed.
 */
bool served_may_close(void);

int served_open(const char *name, int flags);

/* How many requests the server holds. */
unsigned int served_nr_held(void);

/* It answers all that it holds, and later requests at once. */
void served_release(void);

/* From now on each look at a file sees another inode number, or finds it to be bad (EIO). */
void served_change_inodes(void);
void served_spoil_inodes(void);

#endif
