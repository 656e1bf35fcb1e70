// SPDX-License-Identifier: MIT
/*
 * aio_context.c - the process's context of Linux AIO, and its event ring, which the kernel maps.
 *
 * The kernel appends events at the tail.  The thread that holds the claim (event_ring.c) takes them
 * at the head.  Any thread may read.
 */
#include "engine/aio_context.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "base/process.h"
#include "base/raw_syscall.h"
#include "base/tsan.h"
#include "base/valgrind.h"

/*
 * fs.aio-max-nr is one limit for the machine, and io_setup charges the number that is asked for.
 * The kernel raises it to four for each CPU, doubles that and fills a page: 127 on two CPUs.
 */
#define CONTEXT_EVENTS 1
#define RING_MAGIC     0xa10a10a1u

/* libaio's functions of these names call syscall(), which may be the program's. */
#define io_setup(nr, context)      ((int)RAW_SYSCALL(SYS_io_setup, nr, context))
#define io_submit(context, nr, cb) ((int)RAW_SYSCALL(SYS_io_submit, context, nr, cb))
#define io_destroy(context)        RAW_SYSCALL(SYS_io_destroy, context)

/* The kernel's ring, as fs/aio.c lays it out and libaio reads it. */
struct aio_ring {
	unsigned id;
	unsigned nr;
	_Atomic unsigned head; /* the holder of the claim writes */
	_Atomic unsigned tail; /* the kernel writes */
	unsigned magic;
	unsigned compat_features;
	unsigned incompat_features;
	unsigned header_length;
	struct io_event events[];
};

static _Atomic(struct aio_ring *) context; /* NULL: none yet; its address is the context's id */
static _Atomic bool is_refused;            /* for good, by the kernel or seccomp */
static size_t ring_bytes;                  /* a child cannot ask its parent's ring */

int aio_context_probe(void)
{
	int ret;

	if (valgrind_is_here())
		return -EOPNOTSUPP;
	ret = io_setup(0, &(io_context_t){ NULL }); /* 0 events are always refused with EINVAL */
	return ret == -EINVAL ? 0 : ret;
}

int aio_context_open(void)
{
	struct aio_ring *ring = NULL;
	int ret;

	if (aio_context())
		return 0;
	ret = valgrind_is_here() ? -EOPNOTSUPP : io_setup(CONTEXT_EVENTS, &ring);
	if (ret == 0 && (ring->magic != RING_MAGIC || ring->incompat_features)) {
		io_destroy(ring);
		ret = -ENOSYS;
	}
	if (ret == 0) {
		ring_bytes = sizeof(*ring) + ring->nr * sizeof(struct io_event);
		/* As Linux 7.2 does by itself: no child has a copy of the mapping. */
		RAW_SYSCALL(SYS_madvise, ring, ring_bytes, MADV_DONTFORK);
		atomic_store(&context, ring);
	}
	if (ret == -EPERM || ret == -ENOSYS || ret == -EOPNOTSUPP)
		aio_context_refuse();
	return ret;
}

/* Relaxed: a thread that reads an old value is refused again by the kernel. */
bool aio_context_is_refused(void)
{
	return atomic_load_explicit(&is_refused, memory_order_relaxed);
}

struct aio_ring *aio_context(void)
{
	return atomic_load_explicit(&context, memory_order_acquire);
}

void aio_context_refuse(void)
{
	atomic_store(&is_refused, true);
}

int aio_context_submit(int nr, struct iocb *iocbs[])
{
	int ret;

	for (int i = 0; i < nr; i++)
		tsan_submit(iocbs[i]->data);
	ret = io_submit((io_context_t)aio_context(), nr, iocbs);
	if (ret == -EPERM || ret == -ENOSYS)
		aio_context_refuse();
	return ret;
}

static unsigned next_of(const struct aio_ring *ring, unsigned index)
{
	return index + 1 == ring->nr ? 0 : index + 1;
}

bool aio_context_is_empty(const struct aio_ring *ring)
{
	return atomic_load_explicit(&ring->head, memory_order_acquire) ==
	       atomic_load_explicit(&ring->tail, memory_order_acquire);
}

/* Relaxed: the caller only compares it with a later value. */
unsigned aio_context_head(const struct aio_ring *ring)
{
	return atomic_load_explicit(&ring->head, memory_order_relaxed);
}

struct io_event aio_context_take(struct aio_ring *ring)
{
	/*
	 * Only the holder of the claim writes the head.  aio_context_is_empty() has acquired the
	 * tail.
	 */
	unsigned head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	struct io_event event = ring->events[head];

	/* Partner: the kernel, which writes an event there when it sees the new head. */
	atomic_store_explicit(&ring->head, next_of(ring, head), memory_order_release);
	tsan_reap(event.data);
	return event;
}

bool aio_context_shows(ssize_t res)
{
	struct aio_ring *ring = aio_context();
	unsigned tail;

	if (!ring)
		return false;
	tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
	for (unsigned i = atomic_load_explicit(&ring->head, memory_order_relaxed); i != tail;
	     i = next_of(ring, i))
		if ((ssize_t)__atomic_load_n(&ring->events[i].res, __ATOMIC_RELAXED) == res)
			return true;
	return false;
}

/*
 * In a child of fork().  A handler may have forked amid a call that reads the ring.  In the child
 * that call must find an empty ring, not unmapped memory.  Nothing of the program's is replaced: a
 * kernel that does not know the flag maps elsewhere.
 */
static void map_empty_ring(void)
{
	static struct aio_ring *empty;
	static size_t empty_bytes;
	struct aio_ring *parents = aio_context();
	long at;

	if (!parents || parents == empty)
		return;
	if (empty) /* the grandparent's */
		RAW_SYSCALL(SYS_munmap, empty, empty_bytes);
	at = RAW_SYSCALL(SYS_mmap, parents, ring_bytes, PROT_READ,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	empty = at == (long)parents ? parents : NULL;
	empty_bytes = ring_bytes;
	if (!empty && !raw_is_error(at))
		RAW_SYSCALL(SYS_munmap, at, ring_bytes);
}

__attribute__((constructor)) static void at_load(void)
{
	process_at_fork(map_empty_ring);
}

void aio_context_after_fork(void)
{
	atomic_store(&context, NULL);
	atomic_store(&is_refused, false);
}
