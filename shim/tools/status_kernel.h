/* SPDX-License-Identifier: MIT */
/*
 * status_kernel.h - what the kernel grants to this process, for status.c
 */
#ifndef RTAIO_STATUS_KERNEL_H
#define RTAIO_STATUS_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Those of io_uring exist since Linux 6.6. */
#define URING_DISABLED "/proc/sys/kernel/io_uring_disabled"
#define URING_GROUP    "/proc/sys/kernel/io_uring_group"
#define AIO_MAX_NR     "/proc/sys/fs/aio-max-nr"

/* Who calls it?  The last ones are those of rtaio(7), "Sandboxes that kill". */
enum caller { BY_RING, BY_LIBAIO, BY_ALL };

/* A system call of the library. */
struct status_call {
	const char *name;
	long nr;
	enum caller caller;
};

extern const struct status_call status_calls[];
extern const size_t status_nr_calls;

#define RING_ENTRY 1 /* its index: no sysctl is for it */

/* What the children found, in shared memory.  One that a seccomp filter kills leaves no answer. */
struct found {
	bool has_filter;
	struct answer {
		bool is_there;
		int err; /* 0: it serves */
	} uring, libaio, unlocked, threads;
	uint32_t features; /* of the ring */
	uint32_t nr_entries;
	size_t nr_called;      /* of the calls; one may have been the end of a child */
	struct answer calls[]; /* status_nr_calls */
};

/* Ask for everything.  NULL: there is no memory. */
const struct found *status_ask(void);

/* The number in a file of sysctls, or @absent. */
long long sysctl_value(const char *path, long long absent);
bool sysctl_forbids_ring(void);

#endif
