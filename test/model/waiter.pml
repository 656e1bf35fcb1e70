/* SPDX-License-Identifier: MIT */
/*
 * waiter.pml - a completion against threads that wait for the request
 *
 * The control block holds the error code and the handle {record, generation},
 * which is one word and is written before the error code says EINPROGRESS. So
 * whoever sees EINPROGRESS has the handle of that request or of a later one,
 * and a record with another generation means that the request is complete.
 *
 * The waiter sets its bit in the record's interest, then looks at the error
 * code and the generation, then sleeps; the completer writes error code and
 * generation, and after a full fence looks at the interest. A waiter for one
 * request sleeps on the generation. One for several sleeps on a slot, which
 * waiters share: bit 0 says that somebody may sleep, the rest counts wakes.
 *
 *	waiter				completer
 *	v = fetch_or(slot, 1) | 1	old = slot, slot = (old + 2) & ~1
 *	look at all requests		if old & 1: wake all on the slot
 *	futex_wait(slot, v)
 *
 * The waiter registers its interest once and repeats only the lines above: the
 * bits of a record are cleared when it is used again, and then the generation
 * has changed. Checking the error codes alone would not do: a control block
 * that was submitted again says EINPROGRESS, and nobody has registered for it.
 *
 * The completer's plain stores go through a store buffer; waiters only use
 * read-modify-writes. Proved: no waiter sleeps when a request it waits for is
 * complete, and none returns before one is; for two control blocks, one of
 * which is submitted again, two records, and two waiters: one for one request
 * and one for both, or two for both which share the slot.
 * config: -DTWO_MULTI
 */

#define NR_RECORDS	2
#define SLOT_ADDRESS	9	/* of the slot, as a futex; a record's is its index + 1 */
#define ON_RECORD	1	/* bits of the interest */
#define ON_SLOT		2

typedef control_block {
	bool in_progress;	/* the error code */
	byte record;		/* the handle */
	byte generation;
	byte nr_done;		/* not in the program: completions so far */
	bool error_buffered;	/* the store buffer of its completer */
	bool generation_buffered
};

control_block cb[2];
byte generation[NR_RECORDS];
byte interest[NR_RECORDS];
bool is_used[NR_RECORDS];
byte slot;
byte sleeps_on[3];		/* per waiter: futex address, or 0 */

/* What a waiter registered for, and what it saw of the counts at that time. */
typedef registration {
	byte record[2];
	byte generation[2];
	byte nr_done[2]
};
registration reg[3];

inline wake_all(address)
{
	d_step {
		if
		:: sleeps_on[0] == address -> sleeps_on[0] = 0
		:: else
		fi;
		if
		:: sleeps_on[1] == address -> sleeps_on[1] = 0
		:: else
		fi;
		if
		:: sleeps_on[2] == address -> sleeps_on[2] = 0
		:: else
		fi
	}
}

/* A buffered store becomes visible at any time, the older one first. */
active [2] proctype store_buffer()
{
end:	do
	:: atomic { cb[_pid].error_buffered ->
		cb[_pid].error_buffered = false;
		cb[_pid].in_progress = false;
		cb[_pid].nr_done++ }
	:: atomic { !cb[_pid].error_buffered && cb[_pid].generation_buffered ->
		cb[_pid].generation_buffered = false;
		generation[cb[_pid].record]++ }
	od
}

#define FENCE		!cb[c].error_buffered && !cb[c].generation_buffered

/* Submits control block c and completes it, and again. The last may take for ever. */
proctype program(byte c, rounds)
{
	byte i;
	bool wakes;

	do
	:: rounds > 0 ->
		/* A new record: any free one. */
		atomic {
			if
			:: !is_used[0] -> i = 0
			:: !is_used[1] -> i = 1
			fi;
			is_used[i] = true
		};
		interest[i] = 0;
#ifdef BROKEN_HANDLE_LATE
		atomic { cb[c].in_progress = true };
#endif
		d_step { cb[c].record = i; cb[c].generation = generation[i]; i = 0 };
#ifndef BROKEN_HANDLE_LATE
		cb[c].in_progress = true;
#endif
		if
		:: true
		:: rounds == 1 -> break		/* stays in flight */
		fi;

		atomic { cb[c].error_buffered = true; cb[c].generation_buffered = true };
#ifndef BROKEN_NO_FENCE
		FENCE;
#endif
		i = interest[cb[c].record];
		if
		:: i & ON_RECORD -> atomic { FENCE; wake_all(cb[c].record + 1) }
		:: else
		fi;
		if
		:: i & ON_SLOT ->
			d_step {
				FENCE;
				wakes = slot & 1;
#ifdef BROKEN_NO_COUNT
				slot = slot & 254
#else
				slot = (slot + 2) & 254
#endif
			};
			if
			:: wakes -> wake_all(SLOT_ADDRESS)
			:: else
			fi;
			wakes = false
		:: else
		fi;
		/* Gives the record back, with a read-modify-write. */
		d_step { FENCE; is_used[cb[c].record] = false; i = 0; rounds-- }
	:: else -> break
	od
}

/* aio_error(), and the handle if it is in progress; nr_done is for the proof. */
inline look_up(k)
{
	atomic {
		if
		:: !cb[k].in_progress -> goto out
		:: else -> reg[me].nr_done[k] = cb[k].nr_done
		fi
	};
	d_step {
		reg[me].record[k] = cb[k].record;
		reg[me].generation[k] = cb[k].generation
	}
}

inline check_error(k)
{
	if
	:: !cb[k].in_progress -> goto complete
	:: else
	fi
}

inline check_generation(k)
{
	if
	:: generation[reg[me].record[k]] != reg[me].generation[k] -> goto complete
	:: else
	fi
}

inline forget()
{
	d_step {
		reg[me].record[0] = 0; reg[me].record[1] = 0;
		reg[me].generation[0] = 0; reg[me].generation[1] = 0;
		reg[me].nr_done[0] = 0; reg[me].nr_done[1] = 0
	}
}

/* aio_suspend() for control block 0. */
proctype waiter_single(byte me)
{
	look_up(0);
	interest[reg[me].record[0]] = interest[reg[me].record[0]] | ON_RECORD;
check:	check_error(0);
	/* futex_wait: the kernel compares and queues in one step. */
	atomic {
		if
		:: generation[reg[me].record[0]] != reg[me].generation[0] -> goto complete
		:: else -> sleeps_on[me] = reg[me].record[0] + 1
		fi
	};
end_sleep:
	sleeps_on[me] == 0;
	goto check;
complete:
	assert(cb[0].nr_done > reg[me].nr_done[0]);
out:	forget()
}

/* aio_suspend() for both. */
proctype waiter_multi(byte me)
{
	byte v;

	look_up(0);
	interest[reg[me].record[0]] = interest[reg[me].record[0]] | ON_SLOT;
	look_up(1);
	interest[reg[me].record[1]] = interest[reg[me].record[1]] | ON_SLOT;
check:
#ifdef BROKEN_SLOT_LATE
	check_error(0);
	check_error(1);
	check_generation(0);
	check_generation(1);
	atomic { slot = slot | 1; v = slot };
#else
	atomic { slot = slot | 1; v = slot };
	check_error(0);
	check_error(1);
#ifndef BROKEN_NO_GENERATION
	check_generation(0);
	check_generation(1);
#endif
#endif
	atomic {
		if
		:: slot != v -> v = 0; goto check
		:: else -> sleeps_on[me] = SLOT_ADDRESS; v = 0
		fi
	};
end_sleep:
	sleeps_on[me] == 0;
	goto check;
complete:
	assert(cb[0].nr_done > reg[me].nr_done[0] || cb[1].nr_done > reg[me].nr_done[1]);
out:	forget()
}

#define STALE(w, k)	(generation[reg[w].record[k]] != reg[w].generation[k])

/* Nothing moves any more: whoever sleeps must have a reason. */
init
{
	atomic {
		run program(0, 2);
		run program(1, 1);
#ifdef TWO_MULTI
		run waiter_multi(2);
#else
		run waiter_single(0);
#endif
		run waiter_multi(1)
	};
	timeout;
	assert(!sleeps_on[0] || !STALE(0, 0));
	assert(!sleeps_on[1] || !STALE(1, 0) && !STALE(1, 1));
	assert(!sleeps_on[2] || !STALE(2, 0) && !STALE(2, 1))
}
