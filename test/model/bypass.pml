/* SPDX-License-Identifier: MIT */
/*
 * bypass.pml - how requests that bypass the engine are found
 * (bypass.c, bypass_events.c, direct.c, offload.c, fdqueue.c, schedule.c, cancel.c)
 *
 *	submitter		bypass_enter(); offload_submit() or direct_submit();
 *				bypass_return()
 *	completer		complete(), on_direct_bounce(); bypass_leave()
 *	call			enter_engine(), of aio_fsync() or of a transfer
 *	engine			schedule(): issue_all(), await_bypass(), schedule_awaiting()
 *	  look			waits_for_bypass() or is_barrier_clear(), which ask
 *				bypass_precedes()
 *	  accept		accept_request(), take_bounced()
 *
 *	bypass_enter			engine, with a later request
 *	mark SUBMITTING			look at the slots: none is earlier: issue
 *	sequence number, slot, filter		is_watched = true, look again
 *	give it away			sleep until "drained" is posted, look again
 *	bypass_return: clear the mark
 *					complete
 *					filter, result
 *					slot = NULL; is_watched: post "drained"
 *
 * Only a request that has an older sequence number and is no longer marked is earlier: a handler
 * may interrupt a thread in its call, submit a barrier and wait for it. (HANDLER)
 * A request that Linux AIO gives back keeps its slot until the engine has it in a
 * queue. The real engine also searches at each tick; here it has none. A transfer
 * searches only if the filter says "perhaps".
 *
 * Proved without a configuration: when the engine starts a request, all earlier
 * requests that it must wait for have had their effect, if their calls returned before
 * its own call began; it waits neither for later requests (which never end here) nor
 * for calls that have not returned; no wake is lost.
 *
 * In the other configuration aio_cancel() for a whole descriptor meets a record that
 * ends and is used again. (REUSE)
 *
 *	user			request_alloc(), draft_make_record(), bypass_enter(),
 *				workers_offer(); then cancel_and_wait()
 *	worker			take(), pool_order_remove(); on_performed()
 *	canceller		bypass_next(): find(), read_handle();
 *				cancel_bypassing(): workers_withdraw(), goes_on()
 *
 * Between alloc and enter the record has the generation of the new request, but still
 * the old descriptor. So the descriptor counts only if the record is seen in its slot
 * after the generation was read. On a processor that orders less than the model the
 * fence of request_alloc() lets nobody see the new generation and the old slot.
 *
 * Proved: a request that is found is on the descriptor that was asked for, and so is one
 * that is withdrawn; a program that has seen the results of all its requests that bypass
 * the engine is told that all are done; one that is told so has none in progress. A user may also close its descriptor before it asks, so
 * that cancel_all() finds a request that is older than quiesce_since(): it is counted, but
 * not withdrawn.
 * config: -DHANDLER
 * config: -DREUSE
 * BROKEN_WAITS_FOR_CALLS: -DHANDLER
 * BROKEN_MARK_LATE: -DHANDLER
 * BROKEN_FIELDS_EARLY: -DREUSE
 * BROKEN_NO_LOOK_AFTER: -DREUSE
 * BROKEN_GENERATION_UNLOCKED: -DREUSE
 * BROKEN_PUBLISHING_UNMARKED: -DREUSE
 * BROKEN_ENDED_COUNTS: -DREUSE
 * BROKEN_OLDER_IS_SKIPPED: -DREUSE
 * BROKEN_OLDER_IS_WITHDRAWN: -DREUSE
 */

#ifndef REUSE

#define NR_REQ		2
#define NR_CALLS	1	/* of requests of the engine's */
#ifdef HANDLER
byte nr_signals = 1;
#else
byte nr_signals = 0;
#endif

byte last_seq;
bool is_watched;
bool is_drained;		/* the message lies in the inbox */
byte nr_called, nr_done;
byte last_call;			/* its sequence number */

typedef request {
	bool submitting;
	byte submit_seq;
	bool in_slot, in_filter;
	bool is_given;		/* to the kernel, or a worker */
	bool has_returned;
	bool has_effect;
	bool is_bounced;	/* the message lies in the inbox */
	bool lasts		/* does not end, unless one may wait for it */
};
request req[NR_REQ];

typedef call_of_engine {
	byte submit_seq;
	bool is_barrier;
	bool is_after[NR_REQ]	/* must wait for it */
};
call_of_engine calls[NR_CALLS];

inline bypass_leave(k)
{
#ifdef BROKEN_WATCH_READ_EARLY
	was_watched = is_watched;
	req[k].in_slot = false;
	is_drained = is_drained || was_watched;
	was_watched = false
#else
	req[k].in_slot = false;
	if
	:: is_watched -> is_drained = true
	:: else
	fi
#endif
}

inline call()
{
	d_step {
		for (i : 0 .. NR_REQ - 1) {
			after[i] = req[i].has_returned && !req[i].has_effect
		}
		i = 0
	};
	d_step { last_seq++; mine = last_seq };
	atomic {				/* the push */
		calls[nr_called].submit_seq = mine;
		if
		:: calls[nr_called].is_barrier = true
		:: true
		fi;
		d_step {
			for (i : 0 .. NR_REQ - 1) {
				calls[nr_called].is_after[i] = after[i];
				after[i] = false
			}
			i = 0;
			if
			:: last_call < mine -> last_call = mine
			:: else
			fi;
			nr_called++;
			mine = nr_called
		}
	}
}

inline may_be_interrupted()
{
	if
	:: atomic { nr_signals > 0 -> nr_signals-- };
		call();
		atomic { nr_done >= mine -> mine = 0 }
	:: true
	fi
}

proctype submitter(byte r)
{
	byte i, mine;
	bool after[NR_REQ];

#ifndef BROKEN_MARK_LATE
	req[r].submitting = true;
#endif
	d_step { last_seq++; req[r].submit_seq = last_seq };
	may_be_interrupted();
	req[r].in_slot = true;
#ifdef BROKEN_MARK_LATE
	may_be_interrupted();
	req[r].submitting = true;
#endif
	req[r].in_filter = true;
	may_be_interrupted();
	atomic {
		req[r].is_given = true;
		if
		:: req[r].lasts = true
		:: true
		fi
	};
	may_be_interrupted();
	d_step { req[r].submitting = false; req[r].has_returned = true }
}

#define MAY_END(k)	(req[k].is_given && (!req[k].lasts || req[k].submit_seq < last_call))

/* The kernel or a worker, in any order. */
active proctype completer()
{
	byte k;
#ifdef BROKEN_WATCH_READ_EARLY
	bool was_watched;
#endif

end:	do
	:: atomic {
		if
		:: MAY_END(0) -> k = 0
		:: MAY_END(1) -> k = 1
		fi;
		req[k].is_given = false
	};
		if
		:: req[k].has_effect = true;
			req[k].in_filter = false;
			bypass_leave(k)
		:: true ->
#ifdef BROKEN_BOUNCE_LEAVES
			bypass_leave(k);
#endif
			req[k].is_bounced = true
		fi;
		k = 0
	od
}

/* A thread of the program that submits something to the engine. */
proctype caller()
{
	byte i, mine;
	bool after[NR_REQ];

	call()
}

#ifdef BROKEN_NO_STAMP
#define IS_OLDER(k)	true
#else
#define IS_OLDER(k)	(req[k].submit_seq < calls[nr_done].submit_seq)
#endif
#ifdef BROKEN_WAITS_FOR_CALLS
#define GOES_ON(k)	false
#else
#define GOES_ON(k)	req[k].submitting
#endif

inline look()
{
	is_over = true;
	do
	:: atomic { i < NR_REQ ->
		if
		:: !calls[nr_done].is_barrier && !req[i].in_filter
		:: calls[nr_done].is_barrier || req[i].in_filter ->
			if
			:: req[i].in_slot && IS_OLDER(i) && !GOES_ON(i) -> is_over = false
			:: else
			fi
		fi;
		i++
	}
	:: atomic { i == NR_REQ -> i = 0; break }
	od
}

/* What came back has its place in the queue, by its sequence number; then it leaves. */
inline accept(k)
{
	if
	:: req[k].is_bounced ->
		atomic { req[k].is_bounced = false; req[k].has_effect = true };
		req[k].in_filter = false;
		bypass_leave(k)
	:: else
	fi
}

#define HAS_MESSAGE	(is_drained || req[0].is_bounced || req[1].is_bounced)

inline receive()
{
	is_drained = false;
	accept(0);
	accept(1)
}

active proctype engine()
{
	byte i;
	bool is_over;
#ifdef BROKEN_WATCH_READ_EARLY
	bool was_watched;
#endif

end:	do
	:: nr_called == nr_done && HAS_MESSAGE -> receive()
	:: nr_called > nr_done ->
		look();
		if
		:: !is_over ->
#ifdef BROKEN_WATCH_LATE
			look();
			is_watched = true;
#else
			is_watched = true;
			look();
#endif
			do
			:: is_over -> break
			:: !is_over && HAS_MESSAGE -> receive(); look()
			od
		:: else
		fi;
		is_watched = false;
		atomic {
			for (i : 0 .. NR_REQ - 1) {
				assert(!calls[nr_done].is_after[i] || req[i].has_effect)
			}
			i = 0;
			is_over = false;
			nr_done++
		}
	od
}

init
{
	atomic {
		run submitter(0);
		run submitter(1);
#ifndef HANDLER
		run caller()
#endif
	}
}

#else

#define NR_ROUNDS	2	/* of each user */

mtype = { NONE, WAITING, RUNNING };		/* in the pool of threads */
mtype = { FREE, SUBMITTER, HANDED_OVER, DONE };	/* places */

/* The one record; the descriptor is its user's. */
byte generation;
byte fd;
bool in_slot, is_publishing, is_in_pool = true;
mtype pool_state = NONE, place = FREE;

byte fd_of[4 * NR_ROUNDS + 1];	/* not in the program: what the generations were for */
bool in_progress[2];		/* the error codes */
bool is_older[2];		/* the descriptor means another file by now */

/* Questions to the engine. */
bool is_asked[2], is_kept[2];

inline end_request()
{
#ifndef BROKEN_PUBLISHING_UNMARKED
	is_publishing = true;
#endif
	in_progress[fd_of[generation]] = false;
	place = DONE;
	d_step { fd_of[generation + 1] = fd_of[generation]; generation++; is_publishing = false };
	in_slot = false;
	place = FREE;
	is_in_pool = true
}

proctype user(bool me)
{
	byte nr;
	bool knows;

	do
	:: nr < NR_ROUNDS ->
		atomic { is_in_pool -> is_in_pool = false };
		fd = 0;				/* memset() */
		d_step { generation++; fd_of[generation] = me };
		place = SUBMITTER;
		fd = me;
		in_slot = true;
		place = HANDED_OVER;
		in_progress[me] = true;
		pool_state = WAITING;
		if
		:: !in_progress[me] -> knows = true
		:: true
		fi;
		if
		:: is_older[me] = true
		:: true
		fi;
		is_asked[me] = true;
		!is_asked[me];
		assert(!knows || !is_kept[me]);
		assert(is_kept[me] || !in_progress[me]);
		atomic { knows = false; is_kept[me] = false };
		!in_progress[me];
		is_older[me] = false;
		nr++
	:: else -> break
	od
}

active proctype worker()
{
end:	do
	:: atomic { pool_state == WAITING -> pool_state = RUNNING };
		pool_state = NONE;
		end_request()
	od
}

active proctype canceller()
{
	byte handle;
	bool f, is_taken;

end:	do
	:: atomic {
		if
		:: is_asked[0] -> f = 0
		:: is_asked[1] -> f = 1
		fi
	};
		/* find() */
		if
		:: !in_slot -> goto answer
		:: else -> handle = generation
		fi;
#ifndef BROKEN_FIELDS_EARLY
		if
		:: !in_slot -> goto answer
		:: else
		fi;
#endif
		if
		:: fd != f -> goto answer
		:: else
		fi;
#ifndef BROKEN_NO_LOOK_AFTER
		if
		:: !in_slot -> goto answer
		:: else
		fi;
		if
		:: generation != handle -> goto answer
		:: else
		fi;
#endif
		assert(fd_of[handle] == f);
#ifndef BROKEN_OLDER_IS_WITHDRAWN
		if
		:: is_older[f] -> goto goes_on
		:: else
		fi;
#endif
		/* workers_withdraw(), with the lock held */
#ifdef BROKEN_GENERATION_UNLOCKED
		if
		:: generation == handle
		:: else -> goto answer
		fi;
		atomic {
			if
			:: pool_state == WAITING -> pool_state = NONE; is_taken = true
			:: else
			fi
		};
#else
		atomic {
			if
			:: pool_state == WAITING && generation == handle ->
				pool_state = NONE; is_taken = true
			:: else
			fi
		};
#endif
		if
		:: is_taken -> assert(fd == f && !is_older[f]); end_request(); goto answer
		:: else
		fi;
goes_on:
#ifdef BROKEN_OLDER_IS_SKIPPED
		if
		:: is_older[f] -> goto answer
		:: else
		fi;
#endif
		generation != handle || !is_publishing;
#ifndef BROKEN_ENDED_COUNTS
		if
		:: place == DONE || place == FREE -> goto answer
		:: else
		fi;
#endif
		if
		:: generation == handle -> is_kept[f] = true
		:: else
		fi;
answer:		atomic { is_asked[f] = false; handle = 0; is_taken = false; f = 0 }
	od
}

init
{
	atomic {
		run user(0);
		run user(1)
	}
}

#endif
