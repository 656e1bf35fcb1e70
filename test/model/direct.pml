/* SPDX-License-Identifier: MIT */
/*
 * direct.pml - who reaps the event ring of Linux AIO, and who sleeps there
 *
 * A thread asleep in io_getevents stays asleep when another one takes the
 * events in user space, and nothing but an event, a signal or its time-out
 * wakes it. So one word says who may move the ring's head:
 *
 *	FREE		anybody may claim
 *	REAPING(tid)	tid takes events; short; all its signals are blocked
 *	LEADING(tid)	tid sleeps in the kernel until the ring has an event;
 *			nobody else reaps
 *
 * A poll (aio_error) whose request is in progress returns at once if the ring
 * is empty. Else it tries FREE -> REAPING; a failure means EINPROGRESS, for a
 * leader is being woken by that very event. A waiter tries the same. As
 * REAPING it takes all events; if its own request is not among them, it becomes
 * LEADING and sleeps in io_pgetevents, which unblocks the signals for the sleep
 * only, takes LEADING -> REAPING by compare-and-swap, and begins again.
 * A waiter that finds the word taken is a follower: it marks itself asleep, looks
 * again at its request and at the word, and sleeps on its futex.
 *
 * Whoever releases the word (an exchange: a full fence must follow) wakes one
 * follower. Any event it missed is that one's. A follower woken for the
 * lead may find its own request complete and leave: whoever leaves without
 * having led looks whether the word is FREE and, if so, wakes the next.
 *
 * Handlers run in a leader's sleep, never while it is REAPING. The handler's
 * thread is the leader, so for it LEADING(own tid) is as good as FREE. A
 * poll puts LEADING back; a wait of the handler leaves FREE behind. The
 * interrupted wait gets EINTR from the kernel in any case and looks again; if
 * it gives up, or times out, it releases as above.
 *
 * A handler may jump out of the wait: LEADING(tid) with nobody asleep, or a
 * follower that was given the lead and does not take it. The leader's thread
 * claims the word again whenever it comes back. Another one, poller or follower,
 * takes LEADING from tid when the ring has had the same first event for a
 * while: a leader that sleeps would have taken it. If it was merely slow it may
 * sleep on, as the ring is empty then. So sleeps in the kernel are bounded, and
 * those of followers, who then look at the word and the ring. (JUMP; in the
 * model a sleep ends when the word says something else.)
 *
 * Waiters that cannot lead, since they wait for another lane as well, do not
 * count as followers: they must not be given the lead.
 *
 * Proved: no event is lost or taken twice, nobody reaps beside another, and no
 * waiter or poller is left, for three waiters and one poller, or two, one poller and
 * one signal.
 * config: -DSIGNAL
 * config: -DJUMP
 */

#define NR_REQ		3	/* waiter i waits for request i */
#define POLLER		4
#define FREE		0
#define REAPING(t)	(t)
#define LEADING(t)	((t) + 8)
#define IS_LEADING(x)	((x) > 8)
#define IN_RING(r)	((ring >> (r)) & 1)

#ifdef JUMP
#define CAN_TAKE_LEAD	(ring != 0 && IS_LEADING(lead))
#else
#define CAN_TAKE_LEAD	false
#endif

byte lead = FREE;
byte ring;			/* events, one bit for each request */
bool is_posted[NR_REQ + 1];
bool is_complete[NR_REQ + 1];
bool is_asleep[NR_REQ + 1];	/* followers */
bool free_buffered;		/* the word's owner has written FREE, not yet visible */
byte nr_reapers;
#if defined(SIGNAL) || defined(JUMP)
byte nr_signals = 1;
#else
byte nr_signals = 0;
#endif

/* The kernel posts events, and memory gets to see the stores. */
active proctype kernel()
{
	byte r;

end:	do
	:: atomic {
		if
		:: !is_posted[1] -> r = 1
		:: !is_posted[2] -> r = 2
		:: !is_posted[3] -> r = 3
		fi;
		is_posted[r] = true;
		ring = ring | (1 << r);
		r = 0
	}
	:: atomic { free_buffered -> free_buffered = false; lead = FREE }
	od
}

/* Takes and completes all events; the word is REAPING(me). */
inline reap()
{
	atomic { nr_reapers++; assert(nr_reapers == 1) };
#ifdef BROKEN_SIGNALS_OPEN
	/* A handler that waits for another request, as a follower. */
	if
	:: atomic { nr_signals > 0 -> nr_signals-- }; is_complete[1 + me % NR_REQ]
	:: true
	fi;
#endif
	do
	:: atomic {
		ring != 0 ->
		if
		:: IN_RING(1) -> r = 1
		:: IN_RING(2) -> r = 2
		:: IN_RING(3) -> r = 3
		fi;
		ring = ring & ~(1 << r)
	};
		atomic { assert(!is_complete[r]); is_complete[r] = true };
		is_asleep[r] = false;		/* wakes who waits for it */
		r = 0
	:: ring == 0 -> break
	od;
	nr_reapers--
}

inline wake_follower()
{
	atomic {
		if
		:: is_asleep[1] -> is_asleep[1] = false
		:: is_asleep[2] -> is_asleep[2] = false
		:: is_asleep[3] -> is_asleep[3] = false
		:: else
		fi
	}
}

inline release()
{
	free_buffered = true;
#ifndef BROKEN_RELEASE_NO_FENCE
	!free_buffered;
#endif
#ifndef BROKEN_NO_HANDOVER
	wake_follower()
#endif
}

proctype waiter(byte me)
{
	byte r, want = me;
	bool is_nested;		/* this is the wait of a handler */

again:	if
	:: is_complete[want] -> goto leave
	:: else
	fi;
	atomic {
		!free_buffered || lead != REAPING(me);	/* no store of ours before it */
		if
		:: lead == FREE || lead == LEADING(me) -> lead = REAPING(me); goto claimed
		:: else
		fi
	};
	is_asleep[me] = true;
	if
	:: is_complete[want] -> is_asleep[me] = false; goto leave
	:: else
	fi;
#ifndef BROKEN_NO_RECHECK
	if
	:: lead == FREE -> is_asleep[me] = false; goto again
	:: else
	fi;
#endif
	if
	:: !is_asleep[me] -> goto again
#ifdef JUMP
	/* Bounded: it looks again some time. */
	:: lead == FREE || CAN_TAKE_LEAD -> is_asleep[me] = false;
		atomic {
			if
			:: lead == FREE || CAN_TAKE_LEAD -> lead = REAPING(me); goto claimed
			:: else -> goto again
			fi
		}
#endif
	:: atomic { nr_signals > 0 -> nr_signals-- };
		if
		:: is_asleep[me] = false; goto leave		/* EINTR */
		:: atomic { is_nested = true; want = 1 + me % NR_REQ; goto again }
#ifdef JUMP
		:: goto out
#endif
		fi
	fi;

claimed:
	reap();
	if
	:: is_complete[want] -> release(); goto returned
	:: else
	fi;
	lead = LEADING(me);
#ifdef BROKEN_SIGNAL_WINDOW
	/* A handler that polls, before the kernel is asked to sleep. */
	if
	:: atomic { nr_signals > 0 && ring != 0 && lead == LEADING(me) ->
			nr_signals--; lead = REAPING(me) };
		reap();
		lead = LEADING(me)
	:: true
	fi;
#endif
	/* io_pgetevents. */
	if
	:: ring != 0
	:: lead != LEADING(me)
	:: atomic { nr_signals > 0 -> nr_signals-- };
		if
		:: true		/* the handler polls, and the wait goes on or ends */
			atomic {
				if
				:: lead == LEADING(me) -> lead = REAPING(me)
				:: else -> goto again
				fi
			};
			reap();
			lead = LEADING(me);
			if
			:: true
			:: goto interrupted
			fi
		:: atomic { is_nested = true; want = 1 + me % NR_REQ; goto again }
#ifdef JUMP
		:: goto out
#endif
		fi
	fi;
lead_again:
	atomic {
		if
		:: lead == LEADING(me) -> lead = REAPING(me); goto claimed
		:: else -> goto again
		fi
	};

interrupted:
	atomic {
		if
		:: lead == LEADING(me) -> lead = REAPING(me)
		:: else -> goto leave
		fi
	};
	release();
	goto out;

leave:
#ifndef BROKEN_LEAVE
	if
	:: lead == FREE -> wake_follower()
	:: else
	fi;
#endif
returned:
	atomic {
		if
		:: is_nested && want != me -> want = me; goto lead_again
		:: else
		fi
	};
out:	skip
}

proctype poller(byte me)
{
	byte r;

	do
	:: is_complete[1] -> break
	:: ring != 0 && (lead == FREE || CAN_TAKE_LEAD) ->
		atomic {
			if
			:: lead == FREE || CAN_TAKE_LEAD -> lead = REAPING(me)
			:: else -> goto taken
			fi
		};
		reap();
		release();
taken:		skip
#ifdef BROKEN_POLLER_REAPS
	:: IS_LEADING(lead) && nr_reapers == 0 -> reap()
#endif
	od
}

init
{
	atomic {
		run waiter(1);
		run waiter(2);
#if !defined(SIGNAL) && !defined(JUMP)
		run waiter(3);
#endif
		run poller(POLLER)
	}
}
