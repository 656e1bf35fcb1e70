// SPDX-License-Identifier: MIT
/*
 * uring_setup.c - make the best ring that this kernel and these limits allow.
 *
 * Each kind of ring is really tried, the best first:
 *
 *   hidden    NO_MMAP | REGISTERED_FD_ONLY | SINGLE_ISSUER | DEFER_TASKRUN
 *   deferred  SINGLE_ISSUER | DEFER_TASKRUN
 *   coop      COOP_TASKRUN
 *   plain     nothing
 *
 * If memory is refused, a kind is tried with fewer entries: Linux 6.5 to 6.9 want contiguous memory
 * for a hidden ring, and one page always is.  The ring's size bounds a batch, never the number of
 * requests in flight.
 *
 * liburing 2.3 cannot set up hidden rings.  So that is done by hand here, by filling in struct
 * io_uring; liburing then uses the ring.  If it cannot enter it, the next kind is tried.
 */
#include "engine/uring_setup.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/descriptor.h"
#include "base/page.h"
#include "base/raw_syscall.h"
#include "base/valgrind.h"
#include "engine/uring_compat.h"

#define ENTRIES_MAX     256u
#define ENTRIES_MIN     64u /* 64 SQEs fill a page of 4 KiB, the smallest that there is */
#define CQES_PER_SQE    2u
#define RING_HEADER_MAX 1024u /* the kernel's struct io_rings has about 320 bytes */
#define ENOMEM_RETRIES  5

/*
 * The bit of io_uring.int_flags that makes liburing enter a ring by its registered index.  It is
 * internal to liburing, which changed it in 2.8.
 */
#if defined(IO_URING_VERSION_MAJOR) && \
	(IO_URING_VERSION_MAJOR > 2 || \
	 (IO_URING_VERSION_MAJOR == 2 && IO_URING_VERSION_MINOR >= 8))
#define INT_FLAG_REG_RING IORING_ENTER_REGISTERED_RING
#else
#define INT_FLAG_REG_RING 1
#endif

static const struct attempt {
	unsigned feature; /* 0: always allowed */
	unsigned flags;
} attempts[] = {
	{ URING_HIDDEN, IORING_SETUP_NO_MMAP | IORING_SETUP_REGISTERED_FD_ONLY |
				IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN },
	{ URING_DEFER, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN },
	{ URING_COOP, IORING_SETUP_COOP_TASKRUN },
	{ 0, 0 },
};

/* Point liburing's struct at rings that lie at @rings and @sqes. */
static void set_ring_pointers(struct io_uring *ring, const struct io_uring_params *params,
			      char *rings, void *sqes)
{
	struct io_uring_sq *sq = &ring->sq;
	struct io_uring_cq *cq = &ring->cq;

	sq->khead = (unsigned *)(rings + params->sq_off.head);
	sq->ktail = (unsigned *)(rings + params->sq_off.tail);
	sq->kring_mask = (unsigned *)(rings + params->sq_off.ring_mask);
	sq->kring_entries = (unsigned *)(rings + params->sq_off.ring_entries);
	sq->kflags = (unsigned *)(rings + params->sq_off.flags);
	sq->kdropped = (unsigned *)(rings + params->sq_off.dropped);
	sq->array = (unsigned *)(rings + params->sq_off.array);
	sq->sqes = sqes;
	sq->ring_mask = *sq->kring_mask;
	sq->ring_entries = *sq->kring_entries;
	for (unsigned i = 0; i < sq->ring_entries; i++)
		sq->array[i] = i; /* some versions of liburing never write it */

	cq->khead = (unsigned *)(rings + params->cq_off.head);
	cq->ktail = (unsigned *)(rings + params->cq_off.tail);
	cq->kring_mask = (unsigned *)(rings + params->cq_off.ring_mask);
	cq->kring_entries = (unsigned *)(rings + params->cq_off.ring_entries);
	cq->koverflow = (unsigned *)(rings + params->cq_off.overflow);
	cq->cqes = (struct io_uring_cqe *)(rings + params->cq_off.cqes);
	cq->kflags = params->cq_off.flags ? (unsigned *)(rings + params->cq_off.flags) : NULL;
	cq->ring_mask = *cq->kring_mask;
	cq->ring_entries = *cq->kring_entries;
}

/* The kernel refuses a part that does not begin a page. */
static int setup_hidden(struct uring *uring, unsigned entries, struct io_uring_params *params)
{
	size_t sqes_bytes = page_round_up(entries * sizeof(struct io_uring_sqe));
	size_t rings_bytes =
		page_round_up(RING_HEADER_MAX + params->cq_entries * sizeof(struct io_uring_cqe) +
			      entries * sizeof(unsigned));
	char *memory;
	int index;
	long base;

	/* Shared memory is not copied on a fork, and MADV_DONTFORK keeps it out of the child. */
	base = RAW_SYSCALL(SYS_mmap, NULL, sqes_bytes + rings_bytes, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (raw_is_error(base))
		return -ENOMEM;
	memory = (char *)base;
	RAW_SYSCALL(SYS_madvise, memory, sqes_bytes + rings_bytes, MADV_DONTFORK);
	uring_set_memory(params, memory + sqes_bytes, memory);
	index = (int)RAW_SYSCALL(__NR_io_uring_setup, entries, params);
	if (index < 0) {
		RAW_SYSCALL(SYS_munmap, memory, sqes_bytes + rings_bytes);
		return index;
	}
	uring->memory = memory;
	uring->memory_bytes = sqes_bytes + rings_bytes;
	uring->ring.ring_fd = uring->ring.enter_ring_fd = index;
	uring->ring.int_flags = INT_FLAG_REG_RING;
	uring->ring.flags = params->flags;
	uring->ring.features = params->features;
	set_ring_pointers(&uring->ring, params, memory + sqes_bytes, memory);
	return 0;
}

/*
 * A ring with a descriptor: enter it by a registered index and close the descriptor.  Before 5.18
 * move the descriptor above those of the program.
 */
static int hide_descriptor(struct uring *uring)
{
	struct io_uring *ring = &uring->ring;
	int fd = descriptor_adopt(ring->ring_fd);

	ring->ring_fd = fd;
	if (fd < 0)
		return fd;
	if ((config.uring_features & URING_REGISTERED) && io_uring_register_ring_fd(ring) == 1) {
		uring->features |= URING_REGISTERED;
		descriptor_close_own(fd);
		ring->ring_fd = -1;
	} else {
		ring->enter_ring_fd = fd;
	}
	return 0;
}

static int setup_visible(struct uring *uring, unsigned entries, struct io_uring_params *params)
{
	int ret = io_uring_queue_init_params(entries, &uring->ring, params);

	if (ret < 0)
		return ret;
	io_uring_ring_dontfork(&uring->ring);
	ret = hide_descriptor(uring);
	if (ret < 0)
		io_uring_queue_exit(&uring->ring);
	return ret;
}

static int try_setup(struct uring *uring, const struct attempt *attempt, unsigned entries)
{
	struct io_uring_params params = {
		.flags = attempt->flags | IORING_SETUP_CQSIZE,
		.cq_entries = entries * CQES_PER_SQE,
	};
	int ret;

	*uring = (struct uring){ .features = attempt->feature };
	if (attempt->feature == URING_HIDDEN)
		ret = setup_hidden(uring, entries, &params);
	else
		ret = setup_visible(uring, entries, &params);
	if (ret < 0)
		return ret;
	if (!(params.features & IORING_FEAT_NODROP) || !(params.features & IORING_FEAT_FAST_POLL)) {
		uring_teardown(uring);
		return -ENOSYS; /* before 5.7: workers serve better */
	}
	if (params.features & URING_FEAT_NO_IOWAIT)
		uring->features |= config.uring_features & URING_NO_IOWAIT;
	return 0;
}

/* The kernel frees the memory of a closed ring late: retry for a while. */
static int try_for_a_while(struct uring *uring, const struct attempt *attempt, unsigned entries)
{
	int ret = -ENOMEM;

	for (int i = 0; ret == -ENOMEM && i < ENOMEM_RETRIES; i++) {
		if (i > 0)
			clock_pause(1000000);
		ret = try_setup(uring, attempt, entries);
	}
	return ret;
}

static int try_sizes(struct uring *uring, const struct attempt *attempt)
{
	int ret = try_setup(uring, attempt, ENTRIES_MAX);

	if (ret < 0 && ret != -EPERM && ret != -ENOSYS)
		ret = try_for_a_while(uring, attempt, ENTRIES_MIN);
	return ret;
}

/*
 * Can the ring be entered, and does it know futexes?  Try a futex wait for a wrong value, which the
 * kernel ends at once.
 */
static int try_entry(struct uring *uring)
{
	static _Atomic uint32_t word;
	struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);
	struct io_uring_cqe *cqe = NULL;
	int ret;

	if (!sqe)
		return -EAGAIN;
	uring_prep_futex_wait(sqe, &word, 1);
	ret = io_uring_submit(&uring->ring);
	if (ret < 0)
		return ret;
	do
		ret = io_uring_wait_cqe(&uring->ring, &cqe);
	while (ret == -EINTR);
	if (ret < 0)
		return ret;
	if (cqe->res == -EAGAIN && (config.uring_features & URING_FUTEX))
		uring->features |= URING_FUTEX;
	io_uring_cqe_seen(&uring->ring, cqe);
	return 0;
}

int uring_setup(struct uring *uring)
{
	int ret = -ENOSYS;

	if (valgrind_is_here())
		return -EOPNOTSUPP;
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		if (attempts[i].feature && !(config.uring_features & attempts[i].feature))
			continue;
		ret = try_sizes(uring, &attempts[i]);
		if (ret == 0) {
			ret = try_entry(uring);
			if (ret < 0)
				uring_teardown(uring);
		}
		if (ret == 0 || ret == -EPERM || ret == -ENOSYS)
			break;
	}
	return ret;
}

/*
 * The registered index is the only reference to a ring without a descriptor.  Kernels before 6.3
 * release it when the thread ends, which is about to happen.
 */
static void release_index(struct uring *uring)
{
	unsigned index = (unsigned)uring->ring.enter_ring_fd;
	struct io_uring_rsrc_update update = { .offset = index };

	RAW_SYSCALL(__NR_io_uring_register, index,
		    IORING_UNREGISTER_RING_FDS | URING_REGISTER_USE_REGISTERED, &update, 1);
}

bool uring_is_intact(const struct uring *uring)
{
	return uring->memory || uring->features & URING_REGISTERED ||
	       descriptor_is_own(uring->ring.ring_fd);
}

void uring_teardown(struct uring *uring)
{
	if (uring->memory) {
		release_index(uring);
		RAW_SYSCALL(SYS_munmap, uring->memory, uring->memory_bytes);
		uring->memory = NULL;
		return;
	}
	if (uring->features & URING_REGISTERED)
		release_index(uring); /* liburing tries that again, which fails without harm */
	else if (!uring_is_intact(uring))
		uring->ring.ring_fd = -1; /* liburing must not close the program's file */
	io_uring_queue_exit(&uring->ring);
}
