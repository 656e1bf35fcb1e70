/* SPDX-License-Identifier: MIT */
/*
 * frozen.h - files on a disk that can be stopped
 *
 * A file system of its own on a loop device, ext4 or another type.  While it is frozen, as for a
 * snapshot, a thread that writes to it sleeps, and no signal reaches it.
 */
#ifndef RTAIO_TEST_FROZEN_H
#define RTAIO_TEST_FROZEN_H

#include "transparency.h"

/*
 * Make it, before AIO is used; in a child of in_child(), with which it ends.
 * False: the machine cannot have it, and the reason is printed.
 */
bool frozen_start(void);
bool frozen_start_as(const char *type, const char *options);

/* A loop device over @image, until the descriptor that is returned is closed; -1: none. */
int frozen_attach(const char *image, char device[32]);

/* A new, unlinked file on it. */
int frozen_file(int extra_flags);

/* Stop it, and let it go on; it goes on by itself after the default deadline and some seconds. */
void frozen_stop(void);
void frozen_go_on(void);

#endif
