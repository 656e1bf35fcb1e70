/* SPDX-License-Identifier: MIT */
/*
 * waiter.pml - completions against threads that wait for requests
 * (waiter.c, aio_suspend.c, aiocb.c, publish.c, request.c)
 *
 *	program			request_alloc(), aiocb_begin(), when the error code
 *				says that the last one is complete
 *	completer		publish_result(): aiocb_complete(), waiter_publish();
 *				then notify_deliver(), which gives the record back,
 *				waiter_wake() and waiter_wake_slots(); likewise
 *				reject() in submit.c
 *	waiter_single		suspend() with one request: waiter_wait_one()
 *	waiter_multi		suspend() with several: waiter_wait_any(), that is
 *	  raise			register_waiter()
 *	  check			is_registered(), is_known_to()
 *	handle_of, look_up	aiocb_request(), whose loads of error code and handle
 *				are one step here; request_lookup()
 *
 * A control block holds the error code and the handle {record, generation}, one
 * word that is written before the error code says EINPROGRESS. A generation is
 * odd while its request is in progress; it ends before the waiters are read:
 *
 *	waiter_wait_one			completer
 *	waiters |= bit 63		error code; generation++
 *	futex_wait(generation, own)	if waiters & bit 63: wake all on it
 *
 *	waiter_wait_any			completer
 *	waiters |= slot's bit, of all	error code; generation++
 *	v = fetch_or(slot, 1) | 1	if waiters & slot's bit:
 *	look at all: bit seen, and	    old = slot, slot = (old + 2) & ~1
 *	    then still in progress	    if old & 1: wake all on the slot
 *	futex_wait(slot, v)
 *
 * Each round does this anew: another thread may have submitted an entry again, on
 * another record, without this waiter's bit. A waiter that shares the slot may have
 * set the bit there, but too late. So only a bit that is seen before the request is
 * seen in progress is one that the completer will see.
 *
 * Both sides put a full fence between their two steps, so store buffers change
 * nothing here. A waiter changes only the waiters of a record. A bit that it leaves
 * in a record that was given back is cleared, or causes a spurious wake. A handler
 * that interrupts a waiter waits in the same slot. The interrupted sleep then goes on
 * with a new comparison, or ends, or the handler jumps out of it. (HANDLER)
 *
 * Proved: no waiter sleeps when a request it waits for is complete, and none returns
 * before one is; a generation is as its owner has left it; for two control blocks,
 * one of which is submitted again, two records, and two waiters: one for one
 * request and one for both, two for both which share the slot (the other request
 * stays in flight then), or one and the handler that interrupts it.
 * config: -DTWO_MULTI
 * config: -DHANDLER
 * BROKEN_BIT_LATE: -DHANDLER
 * BROKEN_NO_COUNT: -DHANDLER
 * BROKEN_SLOT_LATE: -DHANDLER
 */

#define NR_RECORDS	2
#define SLOT_ADDRESS	9	/* of the slot, as a futex; a record's is its index + 1 */
#define ON_GENERATION	1	/* bits of the waiters */
#define ON_SLOT		2
#define FLAG		64	/* BROKEN_FLAG_IN_GENERATION */

typedef control_block {
	bool in_progress;	/* the error code */
	byte record;		/* the handle */
	byte generation;
	byte nr_done		/* not in the program: completions so far */
};

control_block cb[2];
byte generation[NR_RECORDS];
byte waiters[NR_RECORDS];
bool is_used[NR_RECORDS];	/* not in the pool */
bool is_issued[NR_RECORDS];	/* its completer may begin */
bool of_cb[NR_RECORDS];
byte slot;
byte sleeps_on[3];		/* per waiter: futex address, or 0 */
bool is_interrupted;		/* waiter 1, by 2 */
bool is_stopped;		/* nothing moves any more */
#ifdef HANDLER
byte nr_signals = 1;
#else
byte nr_signals = 0;
#endif

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

active [NR_RECORDS] proctype completer()
{
	byte mine, seen;
	bool wakes;

end:	do
	:: atomic { is_issued[_pid] ->
		is_issued[_pid] = false;
		mine = generation[_pid] };
#ifdef BROKEN_NO_FENCE
		seen = waiters[_pid];
#endif
		atomic { cb[of_cb[_pid]].in_progress = false; cb[of_cb[_pid]].nr_done++ };
#ifdef BROKEN_REJECT_UNTOLD
		if
		:: goto free
		:: true
		fi;
#endif
		atomic { assert(generation[_pid] == mine); generation[_pid] = mine + 1 };
		d_step {
#ifndef BROKEN_NO_FENCE
			seen = waiters[_pid];
#endif
			is_used[_pid] = false;
			mine = 0
		};
		if
		:: seen & ON_GENERATION -> wake_all(_pid + 1)
		:: else
		fi;
		if
		:: seen & ON_SLOT ->
			d_step {
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
			fi
		:: else
		fi;
		d_step { seen = 0; wakes = false }
#ifdef BROKEN_REJECT_UNTOLD
		; goto end;
free:		atomic { is_used[_pid] = false; mine = 0; goto end }
#endif
	od
}

/*
 * Submits control block c, and again; in the beginning it has done so. The last
 * may take for ever. A late bit between the two steps of request_alloc() is as
 * good as one after them, so they are one.
 */
inline alloc()
{
	d_step {
		!is_used[0] || !is_used[1] ->
		i = (is_used[0] -> 1 : 0);
		is_used[i] = true;
		waiters[i] = 0;
		assert(generation[i] % 2 == 0);
		generation[i]++
	}
}

inline begin_block()
{
#ifdef BROKEN_HANDLE_LATE
	atomic { cb[c].in_progress = true };
#endif
	d_step { cb[c].record = i; cb[c].generation = generation[i]; of_cb[i] = c };
#ifndef BROKEN_HANDLE_LATE
	cb[c].in_progress = true
#endif
}

proctype program(byte c, i, rounds)
{
submitted:
	if
	:: atomic { is_issued[i] = true; i = 0; rounds-- }
	:: rounds == 1 -> goto out		/* stays in flight */
	fi;
	!cb[c].in_progress;			/* aio_error() */
	if
	:: rounds > 0 ->
		alloc();
		begin_block();
		goto submitted
	:: else
	fi;
out:	skip
}

/* Control block k's handle, if it is in progress. Whether it is still good is asked below. */
inline handle_of(k)
{
	atomic {
		if
		:: !cb[k].in_progress -> goto ended
		:: else -> record = cb[k].record; mine = cb[k].generation
		fi
	}
}

/* request_lookup() */
inline look_up()
{
	if
	:: generation[record] != mine -> goto ended
	:: else
	fi
}

inline forget()
{
	d_step { record = 0; mine = 0; v = 0 }
}

/* The call, and what was complete then: for the proof. */
inline begin(k)
{
	atomic {
		if
		:: !cb[k].in_progress -> goto out
		:: else -> was_done[k] = cb[k].nr_done
		fi
	}
}

/* What a census says, and what is so. */
#define IS_OVER(k)	(!cb[k].in_progress || generation[cb[k].record] != cb[k].generation)
#define HAS_ENDED(k)	(cb[k].nr_done > was_done[k])

inline may_be_interrupted()
{
	if
	:: atomic { me == 1 && nr_signals > 0 -> nr_signals--; is_interrupted = true };
		!is_interrupted || is_stopped;
		if
		:: true
		:: goto out		/* jumps */
		fi
	:: true
	fi
}

/* aio_suspend() for control block 0. */
proctype waiter_single(byte me)
{
	byte record, mine, v, was_done[2];

	begin(0);
round:	handle_of(0);
	look_up();
#ifdef BROKEN_FLAG_IN_GENERATION
	generation[record] = generation[record] | FLAG;
	mine = mine | FLAG;
#else
	waiters[record] = waiters[record] | ON_GENERATION;
#endif
	/* futex_wait: the kernel compares and queues in one step. */
	atomic {
		if
		:: generation[record] != mine -> goto ended
		:: else -> sleeps_on[me] = record + 1
		fi;
		forget()
	};
end_sleep:
	sleeps_on[me] == 0;
	goto round;

	/* The next look of suspend(): it may be in progress again. */
ended:	forget();
	if
	:: atomic { IS_OVER(0) -> assert(HAS_ENDED(0)) }
	:: atomic { !IS_OVER(0) -> goto round }
	fi;
out:	forget()
}

inline raise(k)
{
	handle_of(k);
	waiters[record] = waiters[record] | ON_SLOT
}

inline check(k)
{
	handle_of(k);
#ifdef BROKEN_BIT_LATE
	look_up();
#endif
	may_be_interrupted();
	if
	:: !(waiters[record] & ON_SLOT) -> goto ended
	:: else
	fi;
#ifndef BROKEN_BIT_LATE
	look_up()
#endif
}

/* aio_suspend() for both. */
proctype waiter_multi(byte me)
{
	byte record, mine, v, was_done[2];

end:	if
#ifdef HANDLER
	:: me == 2 && is_interrupted
	:: me != 2
#else
	:: true
#endif
	fi;
	begin(0);
	begin(1);
round:
	raise(0);
	raise(1);
#ifdef BROKEN_SLOT_LATE
	check(0);
	check(1);
	atomic { slot = slot | 1; v = slot };
#else
	atomic { slot = slot | 1; v = slot };
	check(0);
	check(1);
#endif
sleep:	atomic {
		if
		:: slot != v -> goto ended
		:: else -> sleeps_on[me] = SLOT_ADDRESS; record = 0; mine = 0
		fi
	};
end_sleep:
	if
	:: atomic { sleeps_on[me] == 0 -> forget(); goto round }
	:: atomic { me == 1 && nr_signals > 0 ->
		nr_signals--;
		sleeps_on[me] = 0;
		is_interrupted = true };
		!is_interrupted || is_stopped;
		if
		:: goto sleep		/* SA_RESTART */
		:: goto out		/* EINTR, or it jumps */
		fi
	fi;

ended:	forget();
	if
	:: atomic { IS_OVER(0) || IS_OVER(1) -> assert(HAS_ENDED(0) || HAS_ENDED(1)) }
	:: atomic { !IS_OVER(0) && !IS_OVER(1) -> goto round }
	fi;
out:	forget();
	atomic {
		was_done[0] = 0; was_done[1] = 0;
		if
		:: me == 2 -> is_interrupted = false
		:: else
		fi
	}
}

/* Nothing moves any more: a process that still sleeps must have a reason. */
init
{
	atomic {
		is_used[0] = true; generation[0] = 1; of_cb[0] = 0;
		cb[0].record = 0; cb[0].generation = 1; cb[0].in_progress = true;
		is_used[1] = true; generation[1] = 1; of_cb[1] = 1;
		cb[1].record = 1; cb[1].generation = 1; cb[1].in_progress = true;
		run program(0, 0, 2);
#ifndef TWO_MULTI
		run program(1, 1, 1);
#endif
#if defined(TWO_MULTI) || defined(HANDLER)
		run waiter_multi(2);
#else
		run waiter_single(0);
#endif
		run waiter_multi(1)
	};
	timeout;
	assert(!sleeps_on[0] || cb[0].in_progress);
	assert(!sleeps_on[1] || cb[0].in_progress && cb[1].in_progress);
	assert(!sleeps_on[2] || cb[0].in_progress && cb[1].in_progress);
	is_stopped = true
}
