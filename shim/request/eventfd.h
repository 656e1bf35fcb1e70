/* SPDX-License-Identifier: MIT */
/*
 * eventfd.h - the program's eventfds that requests are to be announced at.
 *
 * The descriptor may be closed, and mean another file, while a request is under way.  So each write
 * is made under a lock.  A close takes that lock as well, and marks the eventfd: nothing is written
 * afterwards.
 *
 * Any thread, also in handlers.
 */
#ifndef RTAIO_EVENTFD_H
#define RTAIO_EVENTFD_H

#include <stdbool.h>

struct eventfd;

/*
 * Begin to use the descriptor @fd.  0, -EBADF, -EINVAL (no eventfd) or -EAGAIN (too many of them).
 */
int eventfd_get(int fd, struct eventfd **out);

/* Add one, unless it was closed. */
void eventfd_signal(struct eventfd *eventfd);

/* The end of what eventfd_get() began. */
void eventfd_put(struct eventfd *eventfd);

/* [before a close] Is any of the descriptors in use here? */
bool eventfd_is_used(int first, int last);
void eventfd_close(int first, int last);

/* Child of a fork: none is in use. */
void eventfd_after_fork(void);

#endif
