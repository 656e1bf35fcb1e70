// SPDX-License-Identifier: MIT
/*
 * turn.c - which streams have a request in flight, for those who queue behind it.
 *
 * A place for each number (hashed) and way; of two streams that share one, the
 * later is known.  The engine is the only writer, and turns have numbers that
 * do not come again: a reader that finds the same number before and after has
 * read what belongs to it.
 */
#include "turn.h"

#include <stdatomic.h>

#define NUMBERS 256u

struct place {
	_Atomic uint64_t turn; /* 0: none */
	_Atomic uint64_t ino;
	_Atomic uint64_t dev;
	_Atomic uint32_t number;
};

static struct place places[NUMBERS][2];

static struct place *place_of(int fd, int way)
{
	return &places[(unsigned)fd % NUMBERS][way];
}

uint64_t turn_take(int fd, const struct descriptor *descriptor, int way)
{
	static uint64_t last; /* a child goes on with it */
	struct place *place = place_of(fd, way);

	/* Release: partner turn_of(), which finds out when it has read a part of either. */
	atomic_store(&place->turn, 0);
	atomic_store_explicit(&place->ino, descriptor->ino, memory_order_release);
	atomic_store_explicit(&place->dev, descriptor->dev, memory_order_release);
	atomic_store_explicit(&place->number, (unsigned)fd, memory_order_release);
	atomic_store_explicit(&place->turn, ++last, memory_order_release);
	return last;
}

void turn_end(int fd, int way, uint64_t turn)
{
	struct place *place = place_of(fd, way);

	if (atomic_load_explicit(&place->turn, memory_order_relaxed) == turn)
		atomic_store(&place->turn, 0);
}

uint64_t turn_of(int fd, const struct descriptor *descriptor, int way)
{
	struct place *place = place_of(fd, way);
	uint64_t turn = atomic_load_explicit(&place->turn, memory_order_acquire);

	if (turn == 0 ||
	    atomic_load_explicit(&place->ino, memory_order_acquire) != descriptor->ino ||
	    atomic_load_explicit(&place->dev, memory_order_acquire) != descriptor->dev ||
	    atomic_load_explicit(&place->number, memory_order_acquire) != (unsigned)fd)
		return 0;
	return turn;
}

bool turn_goes_on(int fd, int way, uint64_t turn)
{
	return atomic_load(&place_of(fd, way)->turn) == turn;
}

void turn_forget(void)
{
	for (unsigned i = 0; i < NUMBERS; i++)
		for (int way = 0; way < 2; way++)
			atomic_store_explicit(&places[i][way].turn, 0, memory_order_relaxed);
}
