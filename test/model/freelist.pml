/* SPDX-License-Identifier: MIT */
/*
 * freelist.pml - allocation of records (request.c)
 *
 *	pop, bump, got		request_alloc(): pop_free(), take_unused()
 *	push			request_free()
 *
 * A Treiber stack of record indices, whose head, free_head, is one word of index and tag;
 * every pop that succeeds makes the tag one higher. When the stack is empty a
 * record is taken from those never used, by compare-and-swap of the high-water
 * index, high_water (a fetch-and-add would run away from the table's end, and wrap in the
 * end). All changes are read-modify-writes, and the link is written before the
 * push, so that store buffers change nothing.
 *
 * A popper reads the link, free_next, of a record that another thread may have taken by
 * then: the link is an atomic of its own, never a member of a union, and the
 * memory of records is never given back.
 *
 * Proved: no record has two owners, and all are free in the end, each once.
 */

#define NR_RECORDS	3
#define NONE		NR_RECORDS

/* Two records on the list, one never used. */
byte free_head = 1;		/* index, */
byte tag;			/* and tag */
byte free_next[NR_RECORDS] = { NONE, 0, 0 };
byte high_water = 2;
bool is_owned[NR_RECORDS];

/* Allocates a few times, holds up to two, gives them back in any order. */
proctype program(byte nr_allocs)
{
	byte held = NONE, held_too = NONE;
	byte r = NONE, old, old_tag;
	byte new;

next:	if
	:: nr_allocs > 0 && held_too == NONE -> nr_allocs--
	:: atomic { held != NONE -> r = held; held = held_too; held_too = NONE; goto free }
	:: atomic { held_too != NONE -> r = held_too; held_too = NONE; goto free }
	:: nr_allocs == 0 && held == NONE -> goto out
	fi;

pop:	atomic { old = free_head; old_tag = tag };
	if
	:: old == NONE -> goto bump
	:: else
	fi;
	new = free_next[old];
	atomic {
		if
#ifdef BROKEN_NO_TAG
		:: free_head == old ->
#else
		:: free_head == old && tag == old_tag ->
#endif
			free_head = new; tag++; r = old; goto got
		:: else -> goto pop
		fi
	};

bump:	old = high_water;
	if
	:: old == NR_RECORDS -> goto failed
	:: else
	fi;
#ifdef BROKEN_HIGH_WATER
	high_water = old + 1;
#else
	atomic {
		if
		:: high_water == old -> high_water++
		:: else -> goto bump
		fi
	};
#endif
	r = old;

got:	atomic {
		assert(!is_owned[r]);
		is_owned[r] = true;
		if
		:: held == NONE -> held = r
		:: else -> held_too = r
		fi;
		r = NONE; old = 0; old_tag = 0; new = 0;
		goto next
	};

failed:	old = 0; old_tag = 0;
	goto next;

free:	is_owned[r] = false;
push:	atomic { old = free_head; old_tag = tag };
	free_next[r] = old;
	atomic {
		if
		:: free_head == old && tag == old_tag -> free_head = r
		:: else -> goto push
		fi;
		r = NONE; old = 0; old_tag = 0;
		goto next
	};
out:	skip
}

init
{
	byte i, n;

	atomic {
		run program(2);
		run program(2);
		run program(1)
	};
	_nr_pr == 1;
	i = free_head;
	n = NR_RECORDS - high_water;
	do
	:: i != NONE -> assert(n < NR_RECORDS); n++; i = free_next[i]
	:: else -> break
	od;
	assert(n == NR_RECORDS)
}
