/* SPDX-License-Identifier: MIT */
/*
 * aio_context.h - the process's context of Linux AIO, and its mapped event ring.
 *
 * One context serves the process.  The kernel maps its event ring into our
 * memory.  All of it is async-signal-safe.
 */
#ifndef RTAIO_AIO_CONTEXT_H
#define RTAIO_AIO_CONTEXT_H

#include <libaio.h>
#include <stdbool.h>
#include <sys/types.h>

struct aio_ring;

/* [any thread] Would the kernel make one, if there is memory and room in fs.aio-max-nr?  0 or -errno. */
int aio_context_probe(void);

/* [reaper, which may wait] See to it that there is a context.  0 or -errno. */
int aio_context_open(void);

/* [any thread] No requests: the kernel or a filter refuses one of the calls. */
bool aio_context_is_refused(void);

/* [any thread] Its ring, whose address is the context's id; NULL: none yet. */
struct aio_ring *aio_context(void);

/*
 * [any thread] io_submit: how many the kernel took, or -errno.  Where a filter
 * refuses the call there are no more requests; what is in flight is still reaped.
 */
int aio_context_submit(int nr, struct iocb *iocbs[]);

/* [any thread] A filter refuses one of the calls: no more requests; ticks reap what is in flight. */
void aio_context_refuse(void);

/* [any thread] Is there no event? */
bool aio_context_is_empty(const struct aio_ring *ring);

/* [any thread] How many events were taken, modulo the ring's size. */
unsigned aio_context_head(const struct aio_ring *ring);

/* [who holds the claim] The oldest of them; there is one. */
struct io_event aio_context_take(struct aio_ring *ring);

/*
 * [any thread] Is there an event with this result?  A look without the claim:
 * another thread may take it at the same time.
 */
bool aio_context_shows(ssize_t res);

/* Child of a fork: the context is the parent's. */
void aio_context_after_fork(void);

#endif
