/* SPDX-License-Identifier: MIT */
/*
 * epoch.pml - how requests of the direct lane take part in aio_fsync()
 * (epoch.c, direct.c, fdqueue.c, pump.c)
 *
 *	caller			direct_enter(): epoch_enter(); direct_submit()
 *	reaper			direct_leave(): epoch_leave(); on_direct_drained()
 *				in completion.c
 *	engine			is_epoch_over() and its caller in fdqueue.c
 *	  await			pump(), await_direct(), pump_awaiting()
 *	  look			epoch_is_over(); direct_precedes_barrier() for a tick,
 *				pump_watch_awaiting()
 *
 * Per bucket of descriptors an epoch, 0 or 1, and a count of requests for each.
 *
 *	epoch_enter			barrier, in the engine, one at a time
 *	e = epoch			epoch_is_over: in_flight[!epoch] == 0,
 *	in_flight[e]++			    else wait
 *	epoch != e: epoch_leave,	epoch_open_barrier: epoch = !epoch
 *	    again			epoch_is_over, else wait
 *	io_submit			fsync
 *
 *	epoch_leave, at completion	wait
 *	in_flight[e]--			is_watched = true, look again;
 *	is_watched and not is_posted:	then sleep until is_posted, lower it,
 *	    is_posted, wake		look again
 *
 * The way back of an enter that meets a new epoch is a leave like any other: it
 * may be the one the engine sees in in_flight and waits for.
 *
 * A thread may be interrupted between the two by a handler which calls aio_fsync
 * and waits for it. So the engine does not wait for requests whose call has not
 * returned, to which no order is due: a tick asks the records, one by one, for
 * those that count in the epoch and are no longer `submitting`. What was let pass
 * in this way is left behind in its count. The next barrier could flip to that
 * very count and miss it: therefore the look before the flip. (HANDLER)
 *
 * All changes are read-modify-writes, so no store buffer is needed here.
 *
 * Proved: when the fsync starts, all requests are complete whose submission
 * returned before aio_fsync() was called; the barrier does not wait for requests
 * that entered after the flip (they never end here), and no wake-up is lost.
 * A request that enters between the call and the flip is waited for; that is
 * harmless, as a request of this lane always ends, and its caller's next one
 * finds the new epoch.
 * config: -DHANDLER
 * BROKEN_WAITS_FOR_CALLS: -DHANDLER
 * BROKEN_NO_LOOK_BEFORE: -DHANDLER
 */

#define NR_REQ		3
#ifdef HANDLER
#define NR_BARRIERS	1
byte nr_signals = 1;
#else
#define NR_BARRIERS	3
byte nr_signals = 0;
#endif

mtype = { OUT, SUBMITTED, COMPLETE };

bool epoch;
byte in_flight[2];
bool is_watched;
bool is_posted;			/* a message "drained" lies in the inbox */
byte nr_called, nr_done;	/* aio_fsync calls */

typedef request {
	mtype state;
	bool e;
	bool submitting;	/* its call has not returned */
	bool is_counted;	/* in in_flight[e], as far as the records tell */
	bool lasts;		/* does not end, unless a barrier may wait for it */
	bool is_before		/* was submitted before a pending aio_fsync */
};
request req[NR_REQ];

inline epoch_leave(k)
{
	atomic {
		assert(in_flight[k] > 0);
		in_flight[k]--
	};
	if
	:: is_watched -> is_posted = true
	:: else
	fi
}

/* aio_fsync(), and what it has to wait for. */
inline call_fsync()
{
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

/* The handler of a signal: only before the call returns is it of interest. */
inline may_be_interrupted()
{
	if
	:: atomic { nr_signals > 0 -> nr_signals--; call_fsync(); mine = nr_called };
		atomic { nr_done >= mine -> mine = 0 }
	:: true
	fi
}

/* A thread of the program that submits some requests. */
proctype caller(byte r, last)
{
	bool e;
	byte i, mine;

again:	req[r].submitting = true;
enter:	e = epoch;
	in_flight[e]++;
	may_be_interrupted();
	if
	:: epoch != e ->
#ifdef BROKEN_LEAVE_NO_WAKE
		in_flight[e]--;
#else
		epoch_leave(e);
#endif
		goto enter
	:: else
	fi;
	/* io_submit */
	atomic { req[r].e = e; req[r].is_counted = true };
	may_be_interrupted();
	/* Its return. */
	atomic {
		req[r].submitting = false;
		req[r].state = SUBMITTED;
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
	byte i;

end:	do
	:: atomic {
		if
		:: req[0].state == SUBMITTED && !req[0].lasts -> i = 0
		:: req[1].state == SUBMITTED && !req[1].lasts -> i = 1
		:: req[2].state == SUBMITTED && !req[2].lasts -> i = 2
		fi;
		req[i].state = COMPLETE;
		req[i].is_counted = false;
		req[i].is_before = false
	};
		epoch_leave(req[i].e);
		i = 0
	od
}

/* A thread of the program that calls aio_fsync. */
active proctype fsync_caller()
{
	byte i, n;

	do
	:: n < NR_BARRIERS -> atomic { call_fsync(); n++ }
	:: else -> break
	od;
	nr_done == nr_called
}

/* fdqueue.c's is_epoch_over(); the second half is what a tick allows. */
inline look(k)
{
	if
	:: in_flight[k] == 0 -> is_over = true
#if defined(HANDLER) && !defined(BROKEN_WAITS_FOR_CALLS)
	:: in_flight[k] != 0 ->
		is_over = true;
		do
		:: atomic { i < NR_REQ ->
			if
			:: req[i].is_counted && req[i].e == k && !req[i].submitting ->
				is_over = false
			:: else
			fi;
			i++
		}
		:: atomic { i == NR_REQ -> i = 0; break }
		od
#else
	:: else
#endif
	fi
}

/* Until nothing is left in in_flight[k] that the barrier has to wait for. */
inline await(k)
{
	is_over = false;
	do
	:: look(k);
		if
		:: is_over -> break
		:: else
		fi;
		if
		:: !is_watched ->
#ifdef BROKEN_WATCH_LATE
			look(k);
			if
			:: is_over -> break
			:: else
			fi;
#endif
			is_watched = true
#ifdef BROKEN_WATCH_LATE
			; is_posted; is_posted = false
#endif
		:: else ->
			if
			:: is_posted
#if defined(HANDLER) && !defined(BROKEN_WAITS_FOR_CALLS)
			:: true			/* a tick */
#endif
			fi;
			is_posted = false
		fi
	od;
	is_over = false
}

active proctype engine()
{
	bool old, is_over;
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
#ifndef BROKEN_NO_LOOK_BEFORE
		await(!old);
#endif
		atomic {
			/* Those that entered the old epoch up to now end some time. */
			for (i : 0 .. NR_REQ - 1) {
				if
				:: req[i].e == old -> req[i].lasts = false
				:: else
				fi
			}
			i = 0;
			epoch = !epoch
		};
		await(old);
		atomic {
			for (i : 0 .. NR_REQ - 1) {
				assert(!was_before[i] || req[i].state == COMPLETE);
				was_before[i] = false
			}
			i = 0;
			nr_done++
		};
		atomic { is_watched = false; is_posted = false }
	od
}

init
{
	atomic {
#ifdef HANDLER
		run caller(0, 0);
#else
		run caller(0, 1);
#endif
		run caller(2, 2)
	}
}
