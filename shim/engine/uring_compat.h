/* SPDX-License-Identifier: MIT */
/* uring_compat.h - numbers of the io_uring interface that liburing 2.3 does not know. */
#ifndef RTAIO_URING_COMPAT_H
#define RTAIO_URING_COMPAT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <liburing.h>

#include "base/raw_syscall.h"

/* Linux 6.3: io_uring_register() by a registered index */
#define URING_REGISTER_USE_REGISTERED (1U << 31)

/* Linux 6.5 */
#ifndef IORING_SETUP_NO_MMAP
#define IORING_SETUP_NO_MMAP (1U << 14)
#endif
#ifndef IORING_SETUP_REGISTERED_FD_ONLY
#define IORING_SETUP_REGISTERED_FD_ONLY (1U << 15)
#endif

/* Linux 6.7: IORING_OP_FUTEX_WAIT, and the futex2 flags it takes */
#define URING_OP_FUTEX_WAIT 51
#define URING_FUTEX_U32     0x02
#define URING_FUTEX_PRIVATE 128

static inline void uring_prep_futex_wait(struct io_uring_sqe *sqe, _Atomic uint32_t *word,
					 uint32_t expected)
{
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = URING_OP_FUTEX_WAIT;
	sqe->fd = URING_FUTEX_U32 | URING_FUTEX_PRIVATE;
	sqe->addr = (uint64_t)(uintptr_t)word;
	sqe->addr2 = expected;
	sqe->addr3 = 0xffffffffu; /* any waker */
}

/* Linux 6.15 */
#define URING_FEAT_NO_IOWAIT  (1U << 17)
#define URING_ENTER_NO_IOWAIT (1U << 7)

/*
 * Like io_uring_submit_and_wait_timeout() for one completion, but the sleep does not count as
 * iowait.  @timeout may be NULL.  Needs URING_FEAT_NO_IOWAIT.
 */
static inline int uring_sleep(struct io_uring *ring, bool is_registered,
			      const struct __kernel_timespec *timeout)
{
	struct io_uring_getevents_arg arg = { .ts = (uint64_t)(uintptr_t)timeout };
	unsigned flags = IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG | URING_ENTER_NO_IOWAIT;
	unsigned tail = ring->sq.sqe_tail;

	if (is_registered)
		flags |= IORING_ENTER_REGISTERED_RING;
	ring->sq.sqe_head = tail;
	io_uring_smp_store_release(ring->sq.ktail, tail);
	return (int)RAW_SYSCALL(__NR_io_uring_enter, ring->enter_ring_fd,
				tail - io_uring_smp_load_acquire(ring->sq.khead), 1, flags, &arg,
				sizeof(arg));
}

/*
 * Tell io_uring_setup where to place the rings.  The address is the last field of both offset
 * structs; its name depends on the header's age.
 */
static inline void uring_set_memory(struct io_uring_params *params, void *rings, void *sqes)
{
	uint64_t address = (uint64_t)(uintptr_t)rings;

	memcpy((char *)(&params->cq_off + 1) - sizeof(address), &address, sizeof(address));
	address = (uint64_t)(uintptr_t)sqes;
	memcpy((char *)(&params->sq_off + 1) - sizeof(address), &address, sizeof(address));
}

#endif
