/* SPDX-License-Identifier: MIT */
/*
 * pin.h - an open file of the program's, held for the requests that still need it.
 *
 * The file is in the descriptor table of the keeper (keeper.h).  Without a keeper it is a
 * duplicate in the program's table.  Each pin has a thread of its own, since a request may block
 * for ever, and so may the close.
 */
#ifndef RTAIO_PIN_H
#define RTAIO_PIN_H

#include "request/request.h"

struct pin;

/*
 * [keeper; without one the engine] Make a pin with one holder.  The pin owns @fd, a descriptor in
 * the caller's table, which the pin's thread shares.  NULL: no thread or no memory, and the
 * caller keeps @fd.  @is_visible: the table is the program's.
 */
struct pin *pin_make(int fd, bool is_visible);

/* [holder] Perform @req on the file, after earlier ones.  Reported as by a worker (workers.h). */
void pin_submit(struct pin *pin, struct request *req);

/*
 * [any thread] One more holder, or one less.  Without holders, the pin's thread performs the
 * requests that it has, closes the file and ends.
 */
void pin_get(struct pin *pin);
void pin_put(struct pin *pin);

/* Child of a fork: there are no pins. */
void pin_after_fork(void);

#endif
