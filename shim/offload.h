/* SPDX-License-Identifier: MIT */
/*
 * offload.h - requests that their submitter hands straight to a worker.
 *
 * Two kinds.  Copies that could be made in the submitting call, while the
 * program has so much work under way that it need not wait for them: then two
 * processors copy.  And what needs a thread in any case, a long transfer, a
 * buffered write or a sync, while one is idle: it is spared the way through the
 * engine.
 *
 * Runs in the program's threads, also in handlers; no lock, no memory.
 */
#ifndef RTAIO_OFFLOAD_H
#define RTAIO_OFFLOAD_H

#include <stdbool.h>

#include "fd_kind.h"
#include "request.h"

/*
 * Shall the copy @req be offloaded?  It could be made at once, unless it must
 * follow (@follows) one that was offloaded.
 */
bool offload_wants_copy(const struct request *req, enum file_kind kind, bool follows);

/* May @req be offloaded now?  Looks at its descriptor as far as it needs to. */
bool offload_accepts(struct request *req);

/*
 * Hand over @req, which has entered PLACE_OFFLOADED (bypass.h).  False: no
 * worker took it.
 */
bool offload_submit(struct request *req);

/* [worker] A copy is made. */
void offload_note_copied(const struct request *req);

/* Child of a fork: nothing is queued. */
void offload_forget(void);

#endif
