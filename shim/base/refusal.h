/* SPDX-License-Identifier: MIT */
/*
 * refusal.h - why a cheaper lane did not take a request.
 *
 * A lane that refuses notes its reason in a variable of the thread.  The submitting call tells it
 * to the observer, if there is one (observer.h).
 */
#ifndef RTAIO_REFUSAL_H
#define RTAIO_REFUSAL_H

#include <stdbool.h>
#include <stdint.h>

/* X(name, what a report says of such a request) */
#define REFUSALS(X)                                                              \
	X(none, "nothing was refused")                                           \
	X(switched_off, "the lane is switched off")                              \
	X(backend, "the backend that was asked for does without the lane")       \
	X(sync, "a sync, or an O_SYNC write, waits for the disk")                \
	X(notification, "its notification must come after the call")             \
	X(length, "its length is none that the lane serves")                     \
	X(direct, "O_DIRECT: its data are not in memory")                        \
	X(descriptor, "its descriptor allows no transfer")                       \
	X(file_system, "the file, or its file system, takes no RWF_NOWAIT")      \
	X(miss, "its data were not in memory")                                   \
	X(would_wait, "the file system would have waited")                       \
	X(paused, "writes had waited inside the call: the lane paused")          \
	X(page, "a write across pages, or of a vector, would not be made whole") \
	X(overlap, "an earlier request in flight may overlap it")                \
	X(busy, "earlier requests of the pipe or socket were incomplete")        \
	X(not_ready, "the pipe or socket was not ready")                         \
	X(ahead, "its thread submitted far ahead: the calls are kept short")     \
	X(limit, "RLIMIT_FSIZE is set")                                          \
	X(first, "the file was not known yet: one of its first requests")        \
	X(context, "there is no context of Linux AIO yet, or at all")            \
	X(in_flight, "enough bytes of O_DIRECT were in flight")                  \
	X(congested, "the device's queue was full")                              \
	X(batches, "the device is faster with several requests by one call")     \
	X(error, "it failed")

enum refusal {
#define X(name, text) REFUSED_##name,
	REFUSALS(X)
#undef X
		REFUSED_NR,
};

extern _Thread_local uint8_t refusal_last __attribute__((tls_model("initial-exec")));

/* Always false. */
static inline bool refuse(enum refusal why)
{
	refusal_last = (uint8_t)why;
	return false;
}

#endif
