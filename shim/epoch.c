// SPDX-License-Identifier: MIT
/*
 * epoch.c - which requests outside the engine came before a barrier?
 *
 * Who is on the other side: submitters raise a count, whoever completes lowers it,
 * the engine flips the epoch and waits for the old count to drain.
 * test/model/epoch.pml is the model.
 */
#include "epoch.h"

#include <stdatomic.h>

#define FD_BUCKETS 64u

struct bucket {
	_Atomic uint32_t epoch;        /* the engine flips */
	_Atomic uint32_t in_flight[2]; /* submitters raise, who completes lowers */
	bool has_barrier;              /* engine only: one at a time */
};

static struct bucket buckets[FD_BUCKETS];
static void (*drained)(void);
static _Atomic bool is_watched; /* the engine raises before it looks whether it must wait */

void epoch_init(void (*drained_)(void))
{
	drained = drained_;
}

static struct bucket *bucket_of(int fd)
{
	return &buckets[(unsigned)fd % FD_BUCKETS];
}

/* The engine may have seen this count and wait for it. */
void epoch_leave(int fd, uint32_t epoch)
{
	atomic_fetch_sub(&bucket_of(fd)->in_flight[epoch], 1);
	if (atomic_load(&is_watched))
		drained();
}

/* Raise, then look again: a flip in between would not have seen us. */
uint32_t epoch_enter(int fd)
{
	struct bucket *bucket = bucket_of(fd);

	for (;;) {
		uint32_t epoch = atomic_load(&bucket->epoch) & 1;

		atomic_fetch_add(&bucket->in_flight[epoch], 1);
		if ((atomic_load(&bucket->epoch) & 1) == epoch)
			return epoch;
		epoch_leave(fd, epoch);
	}
}

bool epoch_is_busy(int fd)
{
	struct bucket *bucket = bucket_of(fd);

	return atomic_load(&bucket->in_flight[0]) || atomic_load(&bucket->in_flight[1]);
}

bool epoch_is_any_busy(int first, int last)
{
	for (int i = 0; i <= last - first && i < (int)FD_BUCKETS; i++)
		if (epoch_is_busy(first + i))
			return true;
	return false;
}

bool epoch_open_barrier(int fd)
{
	struct bucket *bucket = bucket_of(fd);

	if (bucket->has_barrier)
		return false;
	bucket->has_barrier = true;
	atomic_fetch_add(&bucket->epoch, 1);
	return true;
}

uint32_t epoch_before(int fd)
{
	return (atomic_load(&bucket_of(fd)->epoch) & 1) ^ 1;
}

bool epoch_is_over(int fd)
{
	return atomic_load(&bucket_of(fd)->in_flight[epoch_before(fd)]) == 0;
}

void epoch_close_barrier(int fd)
{
	bucket_of(fd)->has_barrier = false;
}

void epoch_watch(bool is_on)
{
	atomic_store(&is_watched, is_on);
}

bool epoch_is_watched(void)
{
	return atomic_load(&is_watched);
}

void epoch_forget(void)
{
	for (unsigned i = 0; i < FD_BUCKETS; i++) {
		atomic_store(&buckets[i].in_flight[0], 0);
		atomic_store(&buckets[i].in_flight[1], 0);
		buckets[i].has_barrier = false;
	}
	atomic_store(&is_watched, false);
}
