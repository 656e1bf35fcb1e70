/* SPDX-License-Identifier: MIT */
/*
 * uring_setup.h - make the best ring that this kernel and these limits allow.
 *
 * Call it only on the thread that will own the ring, never on a thread of the program: closing a
 * ring interrupts every thread that ever entered it.
 */
#ifndef RTAIO_URING_SETUP_H
#define RTAIO_URING_SETUP_H

#include <liburing.h>
#include <stdbool.h>
#include <stddef.h>

/* Features of a ring.  RTAIO_TEST_URING masks them so that tests can play an older kernel. */
enum uring_feature {
	URING_HIDDEN = 1u << 0,     /* no descriptor, no mapping (6.5) */
	URING_DEFER = 1u << 1,      /* SINGLE_ISSUER | DEFER_TASKRUN (6.1) */
	URING_COOP = 1u << 2,       /* COOP_TASKRUN (5.19) */
	URING_REGISTERED = 1u << 3, /* ring descriptor registered and closed (5.18) */
	URING_FUTEX = 1u << 4,      /* IORING_OP_FUTEX_WAIT (6.7) */
	URING_NO_IOWAIT = 1u << 5,  /* a sleep need not count as iowait (6.15) */
};

struct uring {
	struct io_uring ring; /* liburing's; entered through a registered index where possible */
	unsigned features;    /* enum uring_feature bits in force */
	void *memory;         /* of a hidden ring; else NULL */
	size_t memory_bytes;
};

int uring_setup(struct uring *uring);

/* Does the ring's descriptor still mean the ring?  The program may have closed it. */
bool uring_is_intact(const struct uring *uring);

void uring_teardown(struct uring *uring);

#endif
