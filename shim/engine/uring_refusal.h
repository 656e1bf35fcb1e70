/* SPDX-License-Identifier: MIT */
/*
 * uring_refusal.h - the reason why io_uring cannot be used, and the remedy.
 */
#ifndef RTAIO_URING_REFUSAL_H
#define RTAIO_URING_REFUSAL_H

struct uring_refusal {
	const char *reason;
	const char *remedy;
};

/* @err is the errno value of a failed uring_setup().  Every value has an answer. */
struct uring_refusal uring_refusal(int err);

#endif
