/* SPDX-License-Identifier: MIT */
/*
 * inbox.pml - the hand-over to the engine, and the engine's sleep, end and start
 * (inbox.c, engine.c, backend_uring.c, backend_threads.c)
 *
 *	caller			engine_hand_over() and inbox_push(), as called by
 *				submitters, by a signal handler, by engine_ask(), which
 *				may start no engine, and by workers (workers_report())
 *	  no_wake:		inbox_push_no_wake()
 *	  look:			inbox_push(), push_and_wake()
 *	  pay_wake		inbox_wake()
 *	  closed:		engine_start(), start_claimed()
 *	engine			engine_thread(), serve(), sleep_or_end(); take_over()
 *	  take			inbox_take(), inbox_take_refused(); oldest_first()
 *	  refuse_all		refuse_all(), inbox_abandon()
 *	  end_sleep:		inbox_fall_asleep(), wait_inbox() or wait_ring(),
 *				inbox_wake_up(), reap()
 *
 * One word, `head`: the newest message of a list which ends in 0, or
 *
 *	EMPTY		the engine is awake and will look again
 *	ASLEEP		the engine sleeps: the thread that replaces this must wake it. It may
 *			name a chain of which a request is in flight: then messages of
 *			that chain are added without a wake
 *	CLOSED		no engine: a thread that needs one replaces this by STARTING
 *	STARTING	a thread makes the engine, or refuses the queued messages
 *
 * A list of messages is pushed by one compare-and-swap. The thread that replaces
 * ASLEEP has all signals blocked until it has woken the engine. The thread that
 * replaces CLOSED has them blocked until there is an engine, or the queued messages
 * are refused. An idle engine closes the inbox, from EMPTY. If a message was faster it
 * goes on, with its backend. Else it releases the backend, of which it made a copy: another
 * engine may have opened its own. All changes of the word are read-modify-writes, and a
 * link is written before the exchange that shows it, so store buffers change nothing.
 *
 * Without a configuration, a handler interrupts a caller. A starter waits for the result if the
 * backend was asked for by name; a record is used again. (NAMED)
 * In the ring the wait for the wake is an operation of its own; it stays armed
 * while completions end the engine's sleeps, and a ring that was just closed may
 * leave it behind for a while. A ring that is lost leaves its requests to a
 * successor, which begins when the thread is gone. A message that can only wait for
 * the request in flight is pushed without a wake, and the end of that request must
 * end the sleep. A message of another chain wakes: that end may depend on it. (RING)
 * pool.pml models the functions for several receivers, inbox_push_if_asleep(),
 * inbox_open(), and wakes without a message.
 *
 * Proved: every message that was accepted is handled or refused, once; a list is
 * received whole and in order; a sleeping engine for which there is a message will be
 * woken, or the message is behind a request in flight; no thread waits for ever; the
 * engine's state has one owner at a time;
 * nothing is in flight when an engine ends; a result is not older than the start
 * that waits for it.
 * config: -DNAMED
 * config: -DRING
 * BROKEN_NO_VERDICT: -DNAMED
 * BROKEN_VERDICT_LATE: -DNAMED
 * BROKEN_NO_JOIN: -DRING
 * BROKEN_WAKE_ONE: -DRING
 * BROKEN_NO_WAKE_ANY_CHAIN: -DRING
 * BROKEN_NO_WAKE_NOT_IN_FLIGHT: -DRING
 * BROKEN_NO_WAKE_COUNTS_AS_AWAKE: -DRING
 */

#define NR_MESSAGES	5
#define OLDER		1	/* a list of two */
#define NEWER		2
#define LONG		3	/* in flight for a while; comes back as MESSAGE_EXECUTED */
#define SHORT		4	/* a record that is used twice */
#define FROM_HANDLER	5

#define EMPTY		0
#define ASLEEP		8
#define CLOSED		16
#define STARTING	32
#define CHAIN		64	/* added to ASLEEP: that of LONG */
#define LIST_OF(x)	((x) & 7)
#define IS_ASLEEP(x)	((x) & ASLEEP)

mtype = { LISTS, RECORD, HANDLER, WORKER };		/* callers */
mtype = { NONE, FRESH, SUCCESSOR };			/* threads that were made */
mtype = { PENDING, SERVING, REFUSED, NO_THREAD };	/* start results */

byte head = CLOSED;
byte next[NR_MESSAGES + 1];
bool is_pushed[NR_MESSAGES + 1];	/* and not yet taken */
bool is_accepted[NR_MESSAGES + 1];	/* and not yet handled or refused */

bool is_word_bumped;		/* wake_word differs from what the engine read */
bool is_asleep;			/* the engine, on that futex or in the ring */
bool is_armed;			/* the ring's operation is on the futex's queue */
bool is_stale;			/* that of a ring which is closed is */
bool is_wake_reported;		/* its completion lies in the ring */
byte nr_owed;			/* wakes */

mtype created = NONE;		/* the thread has not begun */
mtype start_result = SERVING;
bool is_ring;			/* the backend */
bool is_idle;			/* for so long that the engine may leave */
bool is_in_flight, is_on_ring, is_on_worker;	/* LONG */
bool is_short_behind;		/* SHORT is of the same chain */
bool is_predecessor_gone;
bool is_interrupting;		/* the handler runs, in another caller's thread */
byte nr_owners;			/* of the engine's state */

/* What may still happen: signals, time-outs, threads and backends not to be had. */
byte nr_signals, nr_idle, nr_failures, nr_refusals, nr_losses;

#ifdef NAMED
byte nr_starts, result_of;	/* not in the program: the last start, and whose result this is */
#endif

/* May the answer to SHORT be what LONG waits for? */
#define LONG_MAY_END	(is_short_behind || !is_accepted[SHORT])

active proctype monitor()
{
end:	atomic {
		is_asleep && LIST_OF(head) && nr_owed == 0 &&
			!(IS_ASLEEP(head) && is_in_flight) -> assert(false)
	}
}

inline own()
{
	atomic { nr_owners++; assert(nr_owners == 1) }
}

inline receive(m)
{
	is_idle = false;
	if
	:: m == LONG && !is_in_flight ->
		is_accepted[LONG] = true;
		is_in_flight = true;
		is_on_ring = is_ring;
		is_on_worker = !is_ring
	:: m == LONG && is_in_flight -> is_in_flight = false	/* MESSAGE_EXECUTED */
	:: else
	fi
}

/* Exchange of the head; the list is the taker's alone, so the rest is one step. */
inline take(state)
{
	d_step {
		list = LIST_OF(head);
		head = state;
		do
		:: list != 0 ->
			n = next[list];
			next[list] = oldest;
			oldest = list;
			list = n
		:: else -> break
		od;
		do
		:: oldest != 0 ->
			assert(is_pushed[oldest]);
			is_pushed[oldest] = false;
			n = next[oldest];
			next[oldest] = 0;
			assert(oldest != OLDER || n == NEWER);
			assert(oldest != NEWER || !is_pushed[OLDER]);
			assert(oldest != LONG || !is_pushed[NEWER]);
			is_accepted[oldest] = false;
			if
			:: state == EMPTY -> receive(oldest)
			:: else				/* refused */
			fi;
			oldest = n
		:: else -> break
		od;
		n = 0
	}
}

inline refuse_all()
{
	do
	:: own();
		take(STARTING);
		nr_owners--;
#ifdef BROKEN_ABANDON_STORE
		head = CLOSED;
		break
#else
		atomic {
			if
			:: head == STARTING -> head = CLOSED; break
			:: else
			fi
		}
#endif
	od
}

inline set_start_result(value)
{
	d_step {
		start_result = value;
#ifdef NAMED
		result_of = mine
#endif
	}
}

inline wake_sleeper()
{
	if
	:: is_armed -> is_armed = false; is_wake_reported = true; is_asleep = false
	:: !is_armed && !is_ring -> is_asleep = false
	:: else
	fi
}

inline pay_wake()
{
	is_word_bumped = true;
	atomic {			/* futex_wake */
#ifdef BROKEN_WAKE_ONE
		if
		:: is_stale -> is_stale = false
		:: wake_sleeper()
		fi
#else
		is_stale = false;
		wake_sleeper()
#endif
	};
	nr_owed--
}

/* @flags: ASLEEP and the chain, where they are kept */
inline accept(flags)
{
	assert(!is_pushed[first] && !is_pushed[last]);
	is_pushed[first] = true; is_pushed[last] = true;
	is_accepted[first] = true; is_accepted[last] = true;
	head = first | (flags)
}

/* Where signals are open: a handler, which submits and waits for it. */
inline may_be_interrupted()
{
	if
	:: atomic { me != HANDLER && me != WORKER && nr_signals > 0 ->
		nr_signals--; is_interrupting = true };
		!is_interrupting
	:: true
	fi
}

proctype caller(mtype me; byte first, last)
{
	byte old, list, oldest, n, mine;
	bool may_start = (me != WORKER);

end:	if
	:: me == HANDLER && is_interrupting
	:: me == WORKER && is_on_worker && LONG_MAY_END
	:: me == LISTS || me == RECORD
	fi;


#ifdef RING
	/* inbox_push_no_wake() */
no_wake: old = head;
	if
	:: me != RECORD || !IS_ASLEEP(old) -> goto look
#ifndef BROKEN_NO_WAKE_ANY_CHAIN
	:: !is_short_behind || !(old & CHAIN) -> goto look
#endif
	:: else
	fi;
	atomic {
		if
		:: head == old ->
			next[last] = LIST_OF(old);
			accept(old & ~7);
			old = 0;
			goto pushed
		:: else -> goto no_wake
		fi
	};
#endif

	/* inbox_push() */
look:	old = head;
	may_be_interrupted();
try:	if
	:: old == CLOSED -> goto closed
#ifdef BROKEN_NO_WAKE_COUNTS_AS_AWAKE
	:: IS_ASLEEP(old) && !LIST_OF(old) ->
#else
	:: IS_ASLEEP(old) ->		/* push_and_wake(), signals blocked */
#endif
#ifdef BROKEN_WAKE_FIRST
		nr_owed++;
		pay_wake();
#endif
		atomic {
			if
			:: head == old ->
				next[last] = LIST_OF(head);
				accept(0);
				old = 0;
#ifndef BROKEN_WAKE_FIRST
				nr_owed++
#endif
			:: else -> old = head; goto try
			fi
		};
#ifdef BROKEN_SIGNALS_OPEN
		may_be_interrupted();
#endif
#ifndef BROKEN_WAKE_FIRST
		pay_wake()
#endif
	:: else ->
		atomic {
			if
			:: head == old ->
#ifdef BROKEN_LINK
				next[first] = LIST_OF(old);
#else
				next[last] = LIST_OF(old);
#endif
				accept(0);
				old = 0
			:: else -> old = head; goto try
			fi
		}
	fi;
	goto pushed;

closed:	assert(me != WORKER);
	if
	:: !may_start -> goto done	/* inbox_push() alone: there is no engine to ask */
	:: else
	fi;
	may_be_interrupted();

	/* engine_start(), signals blocked */
	atomic {			/* inbox_claim_start() */
		if
		:: head == CLOSED -> head = STARTING
		:: else -> goto look
		fi
	};
#ifdef NAMED
	d_step { nr_starts++; mine = nr_starts };
	start_result = PENDING;
#endif
#ifdef BROKEN_START_SIGNALS_OPEN
	may_be_interrupted();
#endif
	if				/* thread_create() */
	:: created = FRESH
	:: atomic { nr_failures > 0 -> nr_failures-- };
#ifndef BROKEN_NO_VERDICT
		set_start_result(NO_THREAD);
#endif
		refuse_all();
		goto done
	fi;
#ifdef NAMED
	atomic {
		start_result != PENDING;	/* futex_wait() */
		assert(result_of >= mine);
		if
		:: start_result != SERVING -> goto done
		:: else
		fi
	};
#endif
	mine = 0;
	goto look;

pushed:
	if				/* a list may be waited for, or not */
	:: me == LISTS && last == OLDER -> goto done
	:: me == WORKER -> is_on_worker = false; goto end
	:: else -> !is_accepted[first] && !is_accepted[last]
	fi;
done:	atomic { old = 0; mine = 0 };
	if
#ifdef RING
	:: me == LISTS && last == OLDER -> d_step { first = LONG; last = LONG }; goto look
	:: me == LISTS && last == LONG -> !is_accepted[OLDER] && !is_accepted[NEWER]
#else
	:: me == LISTS -> !is_accepted[OLDER] && !is_accepted[NEWER]
#endif
#ifdef NAMED
	:: me == RECORD && may_start -> may_start = false; goto look
#endif
	:: me == HANDLER -> is_interrupting = false; goto end
	:: else
	fi
}

inline open_backend()
{
	own();
	d_step {
#ifdef RING
		is_ring = true
#else
		is_ring = false
#endif
	}
}

/* What is on the futex's queue for a ring that goes may stay there for a while. */
inline leave_ring()
{
	is_stale = is_stale || is_armed;
	is_armed = false;
	is_wake_reported = false
}

/* A second one can start before the first is gone. */
active [2] proctype engine()
{
	byte list, oldest, n, mine;
	bool is_lost;


	/* engine_thread() */
end:	atomic {
		if
		:: created == FRESH -> created = NONE
		:: created == SUCCESSOR -> created = NONE; goto take_over
		fi
	};
#ifdef NAMED
	mine = nr_starts;
	if
	:: atomic { nr_refusals > 0 -> nr_refusals-- };
#ifdef BROKEN_VERDICT_LATE
		refuse_all();
		set_start_result(REFUSED);
#else
		set_start_result(REFUSED);
		refuse_all();
#endif
		mine = 0;
		goto end
	:: true
	fi;
#endif
	open_backend();
	set_start_result(SERVING);
	mine = 0;

	/* serve() */
serve:	if				/* late at worst: then it will not fall asleep */
	:: head != EMPTY -> take(EMPTY)
	:: else
	fi;

	/* sleep_or_end() */
	if
	:: is_idle && !is_in_flight -> goto over
	:: else
	fi;
#ifndef BROKEN_WAKE_WORD_LATE
	is_word_bumped = false;		/* reads it */
#endif
	atomic {
		if
#ifdef BROKEN_NO_WAKE_NOT_IN_FLIGHT
		:: head == EMPTY -> head = ASLEEP | CHAIN
#else
		:: head == EMPTY -> head = (is_in_flight -> ASLEEP | CHAIN : ASLEEP)
#endif
		:: else -> goto serve
		fi
	};
#ifdef BROKEN_WAKE_WORD_LATE
	is_word_bumped = false;
#endif
	/* The kernel compares and queues in one step. */
	d_step {
		if
		:: !is_ring -> is_asleep = !is_word_bumped
		:: is_ring && (is_armed || is_wake_reported) -> is_asleep = !is_wake_reported
		:: else ->
			is_armed = !is_word_bumped;
			is_wake_reported = is_word_bumped;
			is_asleep = is_armed
		fi
	};
end_sleep:
	if
	:: !is_asleep
	:: d_step { is_on_ring && LONG_MAY_END ->
		is_on_ring = false; is_in_flight = false; is_accepted[LONG] = false;
		is_asleep = false }
	:: d_step { !is_in_flight && nr_idle > 0 ->
		nr_idle--; is_idle = true; is_asleep = false }
	:: d_step { is_ring && nr_losses > 0 ->
		nr_losses--; is_lost = true; is_asleep = false }
	fi;
	head = (IS_ASLEEP(head) && !LIST_OF(head) -> EMPTY : head);
	is_wake_reported = false;	/* reap() */
	if
	:: is_lost -> goto lost
	:: else -> goto serve
	fi;

over:	assert(!is_in_flight);
#ifdef BROKEN_CLOSE_STORE
	d_step { head = CLOSED; is_idle = false; nr_owners--; leave_ring() };
	goto end;
#endif
	atomic {			/* inbox_close(), in end_inbox() or end_ring() */
		if
		:: head == EMPTY ->
			head = CLOSED;
			is_idle = false;
#ifndef BROKEN_END_SHARED
			nr_owners--;	/* what is released now is the thread's own */
			leave_ring();
			goto end
#endif
		:: else -> goto serve
		fi
	};
#ifdef BROKEN_END_SHARED
	d_step { nr_owners--; leave_ring() };
	goto end;
#endif

lost:	do
	:: created = SUCCESSOR -> break
	:: atomic { nr_failures > 0 -> nr_failures-- }
	od;
	atomic { nr_owners--; leave_ring(); is_lost = false; is_predecessor_gone = true };
	goto end;

take_over:
#ifndef BROKEN_NO_JOIN
	is_predecessor_gone;		/* pthread_join() */
#endif
	is_predecessor_gone = false;
	own();
	d_step {
		is_ring = false;
		if
		:: is_on_ring -> is_on_ring = false; is_on_worker = true
		:: else
		fi
	};
	goto serve
}

init
{
	atomic {
		/* What ends a sleep may also be missing. */
		select(nr_idle : 0 .. 1);
		nr_failures = 1;
#if defined(NAMED)
		nr_refusals = 1;
#elif defined(RING)
		select(nr_losses : 0 .. 1);
		select(is_short_behind : 0 .. 1);
#else
		nr_signals = 1;
#endif
		next[NEWER] = OLDER;		/* submit_to_engine() */
		run caller(LISTS, NEWER, OLDER);
		run caller(RECORD, SHORT, SHORT);
#ifdef RING
		run caller(WORKER, LONG, LONG)
#else
		run caller(HANDLER, FROM_HANDLER, FROM_HANDLER)
#endif
	}
}
