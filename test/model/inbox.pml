/* SPDX-License-Identifier: MIT */
/*
 * inbox.pml - the hand-over queue, with the engine's sleep, idle close and
 * restart
 *
 * One word, `head`: a sentinel, or the newest request of a list which ends in
 * 0. All changes of it are read-modify-writes, so there is no store that a
 * store buffer could delay.
 *
 *	EMPTY		the engine is awake and will look again
 *	ASLEEP		the engine sleeps: whoever replaces this owes one wake;
 *			a request without haste keeps it, as a flag beside
 *			the list
 *	STARTING	somebody who is not asleep will look at the list: a
 *			thread that starts the engine, or an engine that goes
 *	CLOSED		no engine, nobody looks
 *
 * An idle engine goes ASLEEP -> STARTING, gives up all that the next engine
 * would use as well, then STARTING -> CLOSED, after which it touches nothing
 * but its own stack. Requests that came meanwhile make the last step fail,
 * and it sets up again. So no thread ever waits for another one to be gone.
 *
 * A pusher that meets ASLEEP or CLOSED blocks all signals before it replaces
 * the sentinel, until the wake is paid or the engine started: a handler in
 * between could wait for a request which nobody else will ever look at.
 *
 * A request has no haste if it can only wait for the one that the kernel keeps:
 * its turn is seen to go on before the push and after it.
 *
 * Proved: every request is executed or failed, exactly once; nobody waits
 * for ever (the pushers wait for their requests: a lost request or a lost
 * wake-up ends in a deadlock); one engine at most has the engine's state; it
 * leaves with nothing in flight.
 */

#define NR_REQ		4
#define LONG_REQ	1	/* the one that the kernel keeps for a while */
#define QUIET_REQ	3	/* has no haste while it does; one of them is enough */
#define EMPTY		10
#define ASLEEP		11
#define STARTING	12
#define CLOSED		13
#define IS_REQ(x)	((x) <= NR_REQ)

byte head = CLOSED;
byte next[NR_REQ + 1];		/* 0 ends a list */
bool is_flagged;		/* a list, and ASLEEP beside it */
bool turn;			/* the long request is in flight */
bool ended[NR_REQ + 1];		/* executed or failed */
bool is_seq_changed;		/* wake_seq differs from what the engine read */
bool is_waiting;		/* the engine is on the futex's queue */
bool is_started;		/* pthread_create was done, the thread not yet there */
byte alive;			/* engines that have the engine's state */
byte nr_idle;			/* time-outs that may still happen */
byte nr_failures;		/* thread creations that may still fail */

inline end_request(r)
{
	assert(!ended[r]);
	ended[r] = true
}

/*
 * Exchange of the head, and what is done with the list. That is one step, as
 * nobody else looks at a list that was taken.
 */
inline fail_all()
{
	d_step {
		list = (IS_REQ(head) -> head : 0);
		head = CLOSED;
		is_flagged = false;
		do
		:: list != 0 ->
			end_request(list);
			n = next[list];
			next[list] = 0;
			list = n
		:: else -> break
		od;
		n = 0
	}
}

inline execute_all()
{
	d_step {
		list = (IS_REQ(head) -> head : 0);
		head = EMPTY;
		is_flagged = false;
		do
		:: list != 0 ->
			if
			:: list == LONG_REQ -> assert(!in_flight); in_flight = true; turn = true
			:: else -> end_request(list)
			fi;
			n = next[list];
			next[list] = 0;
			list = n
		:: else -> break
		od;
		n = 0
	}
}

proctype pusher(byte r, last)
{
	byte old, list, n;
	bool is_quiet, owes_wake;

look:	atomic {
		is_quiet = (turn && r == QUIET_REQ);
		old = head;
		if
		:: old == CLOSED -> goto start
		:: else -> next[r] = (IS_REQ(old) -> old : 0)
		fi
	};
	atomic {
		if
		:: head != old -> old = 0; goto look
		:: else -> head = r
		fi;
		owes_wake = (old == ASLEEP || is_flagged);
		is_flagged = (is_quiet && owes_wake);
		if
		:: !is_quiet && !owes_wake -> goto pushed
		:: else
		fi
	};
	if
	:: is_quiet ->
#ifndef BROKEN_ONE_LOOK
		if
		:: turn -> goto pushed
		:: else
		fi;
		atomic {
			if
			:: IS_REQ(head) && is_flagged -> is_flagged = false
			:: else -> goto pushed
			fi
		}
#else
		goto pushed
#endif
	:: else
	fi;
#ifdef BROKEN_SIGNALS_OPEN
	/* A handler which waits for the request. */
	if
	:: true -> ended[r]
	:: true
	fi;
#endif
	is_seq_changed = true;
	is_waiting = false;		/* futex_wake */
	goto pushed;

start:	atomic {
		if
		:: head != CLOSED -> old = 0; goto look
		:: else -> head = STARTING
		fi
	};
	if
	:: atomic { is_started = true; old = 0; goto look }	/* and push as all do */
	:: atomic { nr_failures > 0 -> nr_failures-- }
	fi;
#ifdef BROKEN_FAIL_STORE
	head = CLOSED;
#else
	fail_all();
#endif
	end_request(r);

	/* Waits for the request, as aio_suspend, or makes the next one. */
pushed:	old = 0;
	d_step { is_quiet = false; owes_wake = false };
	if
	:: atomic { ended[r] ->
		if
		:: r < last -> r++; goto look
		:: else
		fi
	}
	:: atomic { r < last -> r++; goto look }
	fi
}

/* Two of them, so that a second engine can start before the first is gone. */
active [2] proctype engine()
{
	byte list, n;
	bool in_flight, is_idle;

end:	atomic { is_started -> is_started = false };
setup:	atomic { alive++; assert(alive == 1) };
look:	execute_all();
#ifndef BROKEN_SEQ_LATE
	is_seq_changed = false;			/* reads wake_seq */
#endif
	atomic {
		if
		:: head != EMPTY -> goto look
		:: else -> head = ASLEEP
		fi
	};
#ifdef BROKEN_SEQ_LATE
	is_seq_changed = false;
#endif
	/* The kernel compares and queues in one step. */
	is_waiting = !is_seq_changed;
end_sleep:
	if
	:: !is_waiting
	:: atomic { in_flight -> is_waiting = false; in_flight = false;
		end_request(LONG_REQ) };
		turn = false
	:: atomic { !in_flight && nr_idle > 0 ->
		nr_idle--; is_waiting = false; goto idle }
	fi;
	d_step {
		if
		:: head == ASLEEP -> head = EMPTY
		:: else
		fi;
		is_flagged = false
	};
	goto look;

idle:	assert(!in_flight);
#ifdef BROKEN_CLOSE_EARLY
	/* CLOSED first: the next engine starts beside this one. */
	atomic {
		if
		:: head != ASLEEP -> goto look
		:: else -> head = CLOSED
		fi
	};
	alive--;
	goto end;
#else
	atomic {
		if
		:: head != ASLEEP -> goto look
		:: else -> head = STARTING
		fi
	};
	alive--;				/* gives the engine's state up */
	atomic {
		if
		:: head != STARTING -> goto setup
		:: else -> head = CLOSED; goto end
		fi
	}
#endif
}

/*
 * The program. A request that waits for ever is left over when nothing moves
 * any more.
 */
init
{
	atomic {
		select(nr_idle : 0 .. 2);
		select(nr_failures : 0 .. 1);
		run pusher(1, 2);
		run pusher(3, 3);
		run pusher(4, 4)
	};
	ended[1] && ended[2] && ended[3] && ended[4]
}
