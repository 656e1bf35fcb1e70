/* SPDX-License-Identifier: MIT */
/*
 * freelist.pml - allocation of records (request.c)
 *
 *	pop, bump, got		request_alloc(): pop_free(), take_unused()
 *	push			request_free(), push_free()
 *	trim			request_trim(): take_spare(), find_surplus(), split_spare(), discard()
 *	is_spare		PLACE_SPARE
 *
 * A Treiber stack of record indices, whose head, free_head, is one word of index and tag;
 * every pop that succeeds makes the tag one higher. When the stack is empty a
 * record is taken from those never used, by compare-and-swap of the high-water
 * index, high_water (a fetch-and-add would run away from the table's end, and wrap in the
 * end). All changes are read-modify-writes, and the link is written before the
 * push, so that store buffers change nothing.
 *
 * The engine takes the whole list now and then. If the last records are all in it,
 * it gives their memory back, which sets their generations to 0, and lowers the
 * high-water index. If another thread has raised the index meanwhile, it pushes
 * them like the others. A mark says which records it has in hand. It takes all of
 * them, since it cannot recognise a record that another thread has just taken from
 * above the high-water index and not begun. No other thread lowers the index. A record
 * that is begun has at least the highest generation that was given back,
 * generation_min.
 *
 * A popper reads the link, free_next, of a record that another thread may have taken by
 * then: the link is an atomic of its own, never a member of a union, and the
 * memory of records is never given back.
 *
 * config: -DTRIM
 * config: -DTRIM -DTWICE
 * BROKEN_GENERATION: -DTRIM
 * BROKEN_LATE: -DTRIM
 * BROKEN_EARLY: -DTRIM
 * BROKEN_LOWER: -DTRIM
 * BROKEN_MARK: -DTRIM -DTWICE
 *
 * Proved: no record has two owners, the generations of each go up, memory in use is not
 * given back, and all are free in the end, each once.
 */

#define NR_RECORDS	3
#define NONE		NR_RECORDS

/* Two records on the list, one never used. */
byte free_head = 1;		/* index, */
byte tag;			/* and tag */
byte free_next[NR_RECORDS] = { NONE, 0, 0 };
byte high_water = 2;
bool is_owned[NR_RECORDS];
byte generation[NR_RECORDS];
byte generation_min;
byte last[NR_RECORDS];		/* the highest that each has had */
bool is_spare[NR_RECORDS];

/* begin_record() */
#ifdef BROKEN_GENERATION
#define BEGIN(r)	skip
#else
#define BEGIN(r)	if :: generation[r] < generation_min -> generation[r] = generation_min :: else fi
#endif

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
	atomic { assert(!is_owned[r]); is_spare[r] = false; BEGIN(r) };

got:	atomic {
		assert(!is_owned[r]);
		is_owned[r] = true;
		generation[r]++;
		assert(generation[r] > last[r]);
		last[r] = generation[r];
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

/* request_trim() */
proctype trim()
{
	byte high, end, i, old, old_tag;
#ifdef TWICE
	bool is_again;
#endif

begin:
#ifdef BROKEN_EARLY
	high = high_water;
#endif
take:	atomic { i = free_head; free_head = NONE; tag++ };
#ifndef BROKEN_EARLY
	high = high_water; /* all of the list are below */
#endif
	do
	:: i != NONE -> is_spare[i] = true; i = free_next[i]
	:: else -> break
	od;
	end = high;
	do
	:: end > 0 && is_spare[end - 1] -> end--
	:: else -> break
	od;
	i = high;
split:	if
	:: i > 0 -> i--
	:: else -> goto drop
	fi;
	if
	:: is_spare[i] && i >= end ->
		atomic {
			if
			:: generation[i] > generation_min -> generation_min = generation[i]
			:: else
			fi;
#ifndef BROKEN_MARK
			is_spare[i] = false
#endif
		}
	:: is_spare[i] && i < end ->
		is_spare[i] = false;
push:		atomic { old = free_head; old_tag = tag };
		free_next[i] = old;
		atomic {
			if
			:: free_head == old && tag == old_tag -> free_head = i; tag++
			:: else -> goto push
			fi
		}
	:: else
	fi;
	goto split;

drop:
#ifdef BROKEN_LATE
	atomic { (high_water == high) -> high_water = end };
#endif
	i = high;
	do
	:: i > end -> atomic { i--; assert(!is_owned[i]); generation[i] = 0; free_next[i] = 0 }
	:: else -> break
	od;
#ifdef BROKEN_LOWER
	high_water = end;
	goto out;
#endif
#ifndef BROKEN_LATE
	atomic {
		if
		:: high_water == high -> high_water = end; goto out
		:: else
		fi
	};
	i = high;
back:	if
	:: i > end -> i--
	:: else -> goto out
	fi;
	BEGIN(i);
again:	atomic { old = free_head; old_tag = tag };
	free_next[i] = old;
	atomic {
		if
		:: free_head == old && tag == old_tag -> free_head = i; tag++; goto back
		:: else -> goto again
		fi
	};
#endif
out:
#ifdef TWICE
	if
	:: !is_again -> is_again = true; high = 0; end = 0; i = 0; old = 0; old_tag = 0; goto begin
	:: else
	fi
#endif
}

init
{
	byte i, n;

	atomic {
		run program(2);
#if defined(TWICE)
		run program(1);
		run trim()
#elif defined(TRIM)
		run program(2);
		run trim()
#else
		run program(2);
		run program(1)
#endif
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
