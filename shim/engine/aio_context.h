/* SPDX-License-Identifier: MIT */
/*
 * aio_context.h - the process's context of Linux AIO, and its event ring, which the kernel maps.
 *
 * There is one context for each process.  All functions are async-signal-safe.
 */
#ifndef RTAIO_AIO_CONTEXT_H
#define RTAIO_AIO_CONTEXT_H

#include <libaio.h>
#include <stdbool.h>
#include <sys/types.h>

struct aio_ring;

/* [any thread] Would the kernel make a context, given memory and fs.aio-max-nr?  0 or -errno. */
int aio_context_probe(void);

/* [reaper, since io_setup may wait] Make the context, unless there is one.  0 or -errno. */
int aio_context_open(void);

/* [any thread] Does the kernel or seccomp refuse one of the calls?  Then submit nothing more. */
bool aio_context_is_refused(void);

/* [any thread] The event ring.  Its address is the context's id.  NULL: no context yet. */
struct aio_ring *aio_context(void);

/*
 * [any thread] io_submit: how many iocbs the kernel took, or -errno.  Where a seccomp filter
 * refuses the call, aio_context_is_refused() is true from then on; requests in flight are still
 * reaped.
 */
int aio_context_submit(int nr, struct iocb *iocbs[]);

/* [any thread] A seccomp filter refuses a call: submit nothing more.  The reaper's ticks reap. */
void aio_context_refuse(void);

/* [any thread] Does the ring hold no event? */
bool aio_context_is_empty(const struct aio_ring *ring);

/* [any thread] How many events were taken, modulo the ring's size. */
unsigned aio_context_head(const struct aio_ring *ring);

/* [holder of the claim] Take the oldest event.  The ring must not be empty. */
struct io_event aio_context_take(struct aio_ring *ring);

/*
 * [any thread] Does the ring hold an event with this result?  Needs no claim, so another thread may
 * take that event meanwhile.
 */
bool aio_context_shows(ssize_t res);

/* Child of a fork: the context is the parent's. */
void aio_context_after_fork(void);

#endif
