/* SPDX-License-Identifier: MIT */
/*
 * tsan.h - what ThreadSanitizer cannot see.
 *
 * A thread writes a record and submits it; perhaps another one reaps its completion and reads it.
 * The kernel orders the two by its own accesses to the ring.
 */
#ifndef RTAIO_TSAN_H
#define RTAIO_TSAN_H

/*
 * A function that reads a record which its owner may just give to another request.  Its caller
 * checks the generation afterwards, and ignores what was read if it has changed.
 */
#ifdef __SANITIZE_THREAD__
#define TSAN_CHECKED_LATER __attribute__((no_sanitize_thread))
#else
#define TSAN_CHECKED_LATER
#endif

#ifdef __SANITIZE_THREAD__
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
#endif

/* Before @record is submitted. */
static inline void tsan_submit(void *record)
{
#ifdef __SANITIZE_THREAD__
	__tsan_release(record);
#else
	(void)record;
#endif
}

/* Once its completion is seen. */
static inline void tsan_reap(void *record)
{
#ifdef __SANITIZE_THREAD__
	__tsan_acquire(record);
#else
	(void)record;
#endif
}

#endif
