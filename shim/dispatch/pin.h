/* SPDX-License-Identifier: MIT */
/*
 * pin.h - an open file of the program's, held for the requests that still need it.
 *
 * The file lies in the descriptor table of the keeper (pin_table.h), or, where
 * there is none, is a duplicate in the program's.  Each pin has a thread of its
 * own there, since a request may block for ever, and so may
 * the close.
 */
#ifndef RTAIO_PIN_H
#define RTAIO_PIN_H

#include "request/request.h"

struct pin;

/*
 * [keeper; engine, where there is none] A pin of @fd, a descriptor of the caller's
 * table, which the pin's thread has as well, with one holder.  NULL: no thread or
 * no memory, and @fd is the caller's still.  @is_visible: it is the program's table.
 */
struct pin *pin_make(int fd, bool is_visible);

/*
 * [holder] Perform @req on the file, after those submitted before it.  It is
 * reported as by a worker (workers.h).
 */
void pin_submit(struct pin *pin, struct request *req);

/*
 * [any thread] One more holder, or one less.  After the last one the pin's thread
 * performs what was submitted, closes the file and ends.
 */
void pin_get(struct pin *pin);
void pin_put(struct pin *pin);

/* Child of a fork: there are no pins. */
void pin_after_fork(void);

#endif
