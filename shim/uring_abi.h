/* SPDX-License-Identifier: MIT */
/*
 * uring_abi.h - parts of the io_uring interface that are newer than the
 * headers of liburing 2.3, by their numbers in the kernel's interface.
 */
#ifndef RTAIO_URING_ABI_H
#define RTAIO_URING_ABI_H

#include <stdint.h>
#include <string.h>

#include <liburing.h>

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

/*
 * Tell io_uring_setup where the program wants the rings to be.  The field is
 * the last of both offset structs; its name depends on the header's age.
 */
static inline void uring_set_memory(struct io_uring_params *params, void *rings, void *sqes)
{
	uint64_t address = (uint64_t)(uintptr_t)rings;

	memcpy((char *)(&params->cq_off + 1) - sizeof(address), &address, sizeof(address));
	address = (uint64_t)(uintptr_t)sqes;
	memcpy((char *)(&params->sq_off + 1) - sizeof(address), &address, sizeof(address));
}

#endif
