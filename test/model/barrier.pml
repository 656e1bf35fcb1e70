/* SPDX-License-Identifier: MIT */
/*
 * barrier.pml - how requests of the direct lane take part in aio_fsync()
 *
 * Per descriptor an epoch, 0 or 1, and a count of requests for each.
 *
 *	enter				barrier, in the engine, one at a time
 *	e = epoch			old = epoch
 *	count[e]++			epoch = !old
 *	full fence			full fence
 *	epoch != e: leave(e), again	v = wake_seq
 *	submit				count[old] != 0: sleep while wake_seq == v,
 *					    and read it again
 *	leave(e), at completion		fsync
 *	count[e]-- gives 0, and
 *	epoch != e: wake the engine
 *
 * "A barrier waits for e" needs no word of its own: it is epoch != e. The way
 * back of an enter that meets a new epoch is a leave like any other: it may be
 * the one the engine sees in count[old] and waits for.
 *
 * The counts change by read-modify-writes which order the read of the epoch
 * after them; the epoch is a store which may stay in a buffer up to the fence.
 *
 * Proved: when the fsync starts, all requests are complete whose submission
 * returned before aio_fsync() was called; the barrier does not wait for requests
 * that entered after the flip (they never end here), and no wake-up is lost.
 * A request that enters between the call and the flip is waited for; that is
 * harmless, as a request of this lane always ends, and its caller's next one
 * finds the new epoch.
 */

#define NR_REQ		3
#define NR_BARRIERS	3

mtype = { OUT, SUBMITTED, COMPLETE };

bool epoch;
byte count[2];
bool epoch_buffered;		/* the engine's store buffer */
bool is_seq_changed;		/* wake_seq differs from what the engine read */
bool is_waiting;
byte nr_called, nr_done;	/* aio_fsync calls */

typedef request {
	mtype state;
	bool e;
	bool lasts;		/* does not end, unless a barrier may wait for it */
	bool is_before;		/* was submitted before a pending aio_fsync */
	bool count_buffered	/* count[e]++ is not visible yet */
};
request req[NR_REQ];

active proctype store_buffer()
{
	byte i;

end:	do
	:: atomic {
		epoch_buffered ->
		epoch_buffered = false;
		/* Those that entered the old epoch up to now end some time. */
		for (i : 0 .. NR_REQ - 1) {
			if
			:: req[i].e == epoch -> req[i].lasts = false
			:: else
			fi
		}
		i = 0;
		epoch = !epoch
	}
	od
}

inline leave(k)
{
	atomic {
		assert(count[k] > 0);
		count[k]--;
		is_last = (count[k] == 0)
	};
	if
	:: is_last && epoch != k ->
		is_seq_changed = true;
		is_waiting = false
	:: else
	fi;
	is_last = false
}

/* A thread of the program that submits some requests. */
proctype caller(byte r, last)
{
	bool e, is_last;

again:	e = epoch;
#ifdef BROKEN_ENTER_NO_FENCE
	if
	:: count[e]++
	:: req[r].count_buffered = true
	fi;
#else
	count[e]++;
#endif
	if
	:: epoch != e ->
#ifdef BROKEN_LEAVE_NO_WAKE
		count[e]--;
#else
		atomic {
			if
			:: req[r].count_buffered ->
				req[r].count_buffered = false; count[e]++
			:: else
			fi
		};
		leave(e);
#endif
		goto again
	:: else
	fi;
	/* io_submit, which empties the store buffer, and its return. */
	atomic {
		req[r].e = e;
		req[r].state = SUBMITTED;
		if
		:: req[r].count_buffered -> req[r].count_buffered = false; count[e]++
		:: else
		fi;
		if
		:: epoch == e -> req[r].lasts = true
		:: true
		fi;
		e = false;
		if
		:: r < last -> r++; goto again
		:: else
		fi
	}
}

/* The kernel, and whoever reaps: completions in any order. */
active proctype reaper()
{
	bool is_last;
	byte i;

end:	do
	:: atomic {
		if
		:: req[0].state == SUBMITTED && !req[0].lasts -> i = 0
		:: req[1].state == SUBMITTED && !req[1].lasts -> i = 1
		:: req[2].state == SUBMITTED && !req[2].lasts -> i = 2
		fi;
		req[i].state = COMPLETE;
		req[i].is_before = false
	};
		leave(req[i].e);
		i = 0
	od
}

/* A thread of the program that calls aio_fsync. */
active proctype fsync_caller()
{
	byte i;

	do
	:: nr_called < NR_BARRIERS ->
		atomic {
			for (i : 0 .. NR_REQ - 1) {
				if
				:: req[i].state == SUBMITTED ->
					req[i].is_before = true;
					req[i].lasts = false
				:: else
				fi
			}
			i = 0;
			nr_called++
		}
	:: else -> break
	od;
	nr_done == NR_BARRIERS
}

active proctype engine()
{
	bool old, is_stale;
	byte i;
	bool was_before[NR_REQ];

end:	do
	:: nr_called > nr_done ->
		/* What this barrier has to wait for: all that was before it. */
		atomic {
			for (i : 0 .. NR_REQ - 1) {
				was_before[i] = req[i].is_before
			}
			i = 0;
			old = epoch
		};
		epoch_buffered = true;
#ifndef BROKEN_FLIP_NO_FENCE
		!epoch_buffered;
#endif
		do
		:: is_seq_changed = false;
			if
			:: count[old] == 0 -> break
			:: else
			fi;
			is_waiting = !is_seq_changed;
			!is_waiting
		od;
		atomic {
			for (i : 0 .. NR_REQ - 1) {
				assert(!was_before[i] || req[i].state == COMPLETE);
				was_before[i] = false
			}
			i = 0;
			nr_done++
		};
		!epoch_buffered		/* a system call or two later */
	od
}

init
{
	atomic {
		run caller(0, 1);
		run caller(2, 2)
	}
}
