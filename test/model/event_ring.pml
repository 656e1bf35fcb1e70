/* SPDX-License-Identifier: MIT */
/*
 * event_ring.pml - who reaps the event ring of Linux AIO, and who sleeps there
 * (event_ring.c)
 *
 *	poller, poll_in_handler	event_ring_poll()
 *	waiter			event_ring_wait(): try_to_lead(), lead(), follow()
 *	reap_all		reap_all(), wake_followers()
 *	release_claim		release_claim(), wake_follower()
 *	CAN_CLAIM, CAN_STEAL	is_for_me(), is_lost()
 *
 * A thread asleep in io_pgetevents stays asleep when another one takes the
 * events in user space, and nothing but an event, a signal or its time-out
 * wakes it. So one word, the claim, says who may move the ring's head:
 *
 *	FREE		anybody may claim
 *	REAPING(tid)	tid takes events; short; all its signals are blocked
 *	LEADING(tid)	tid sleeps in the kernel until the ring has an event;
 *			nobody else reaps
 *
 * A poll returns at once if the ring is empty. Else it tries FREE -> REAPING; a
 * failure means "in progress", for a leader is being woken by that very event. A
 * waiter tries the same. As REAPING it takes all events; if its own request is
 * not among them, it becomes LEADING and sleeps in io_pgetevents, which
 * unblocks the signals for the sleep only, takes LEADING -> REAPING by
 * compare-and-swap, and begins again. A waiter that finds the claim taken
 * follows: it raises bit 0 of follow_word, looks again at its request and at the
 * claim, and sleeps on the word as it left it.
 *
 * reap_all() bumps the word, clears the bit in the same step, and wakes all if it
 * was raised. release_claim() stores FREE (an exchange: a full fence must follow),
 * bumps, and wakes one follower; the bit stays. Any event it missed is that one's. A follower woken for the lead may find its own
 * request complete and leave: whoever leaves looks whether the claim is FREE
 * and, if so, wakes the next.
 *
 * Handlers run in a leader's sleep, never while it is REAPING. The handler's
 * thread is the leader, so for it LEADING(own tid) is as good as FREE. Its poll,
 * like its wait, leaves FREE behind. The interrupted wait gets EINTR from the
 * kernel in any case: it begins again, or gives up and wakes a follower. They run
 * anywhere in a follower's wait; the worst place is after its last look, before
 * the kernel compares the word (handler_in_follow).
 *
 * A handler may jump out of the wait: LEADING(tid) with nobody asleep, or a
 * follower that was given the lead and does not take it. The leader's thread
 * claims the word again whenever it comes back. Another one, poller or follower,
 * takes LEADING from tid when events have lain in the ring for a while
 * (is_lost): a leader that sleeps would have taken them. If it was merely slow it
 * may sleep on, as the ring is empty then. So sleeps in the kernel are bounded, and
 * those of followers, who then look at the claim and the ring. (JUMP; in the
 * model a sleep ends when the claim says something else.)
 *
 * Waiters that cannot lead, since they wait for another lane as well, do not
 * follow: they must not be given the lead.
 *
 * Proved: no event is lost or taken twice, nobody reaps beside another, and no
 * waiter or poller is left, for three waiters of which one may time out, or two, one
 * poller and one signal.
 * config: -DSIGNAL
 * config: -DJUMP
 * BROKEN_SIGNALS_OPEN: -DSIGNAL
 * BROKEN_SIGNAL_WINDOW: -DSIGNAL
 */

#define NR_REQ		3	/* waiter i waits for request i */
#define POLLER		4
#define FREE		0
#define REAPING(t)	(t)
#define LEADING(t)	((t) + 8)
#define IS_LEADING(x)	((x) > 8)
#define IN_RING(r)	((ring >> (r)) & 1)

#ifdef JUMP
#define CAN_STEAL	(ring != 0 && IS_LEADING(claim))
#else
#define CAN_STEAL	false
#endif
#define CAN_CLAIM	(claim == FREE || claim == LEADING(me) || CAN_STEAL)

byte claim = FREE;
byte ring;			/* events, one bit for each request */
bool is_posted[NR_REQ + 1];
bool is_complete[NR_REQ + 1];
bool has_followers;		/* bit 0 of follow_word */
bool is_current[NR_REQ + 1];	/* this one has read it, and no bump came since */
bool is_asleep[NR_REQ + 1];	/* on follow_word */
bool free_buffered;		/* the claim's owner has written FREE, not yet visible */
byte nr_reapers;
#if defined(SIGNAL) || defined(JUMP)
byte nr_signals = 1, nr_timeouts = 0;
#else
byte nr_signals = 0, nr_timeouts = 1;
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
	:: atomic { free_buffered -> free_buffered = false; claim = FREE }
	od
}

inline bump()
{
	is_current[1] = false; is_current[2] = false; is_current[3] = false
}

/* Takes and completes all events; the claim is REAPING(me). */
inline reap_all()
{
	atomic { nr_reapers++; assert(nr_reapers == 1); has_reaped = false };
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
		ring = ring & ~(1 << r);
		has_reaped = true
	};
		atomic { assert(!is_complete[r]); is_complete[r] = true; r = 0 }
	:: ring == 0 -> break
	od;
	if
	:: has_reaped ->
#ifdef BROKEN_FLAG_APART
		d_step { bump() };
		d_step { wakes = has_followers; has_followers = false };
#else
		d_step { bump(); wakes = has_followers; has_followers = false };
#endif
		if
		:: wakes -> d_step { is_asleep[1] = false; is_asleep[2] = false;
			is_asleep[3] = false; wakes = false }
		:: else
		fi
	:: else
	fi;
	atomic { has_reaped = false; nr_reapers-- }
}

inline wake_follower()
{
	d_step { bump(); wakes = has_followers };
	atomic {
		if
		:: wakes && is_asleep[1] -> is_asleep[1] = false
		:: wakes && is_asleep[2] -> is_asleep[2] = false
		:: wakes && is_asleep[3] -> is_asleep[3] = false
		:: else
		fi;
		wakes = false
	}
}

inline release_claim()
{
	free_buffered = true;
#ifndef BROKEN_RELEASE_NO_FENCE
	!free_buffered;
#endif
#ifndef BROKEN_NO_HANDOVER
	wake_follower()
#endif
}

/* A handler that polls. In the leader's sleep it finds LEADING(me), and leaves FREE. */
inline poll_in_handler()
{
	if
	:: ring != 0 ->
		atomic {
			if
			:: CAN_CLAIM -> claim = REAPING(me); is_claimed = true
			:: else
			fi
		};
		if
		:: is_claimed -> reap_all(); release_claim(); is_claimed = false
		:: else
		fi
	:: else
	fi
}

#define NESTED		3	/* no third waiter then */

/* A handler, when the follower has looked for the last time: it polls, or waits for another request. */
inline handler_in_follow()
{
	if
	:: atomic { nr_signals > 0 -> nr_signals-- };
		if
		:: poll_in_handler()
		:: atomic { !is_nested -> is_nested = true; is_awake = true; want = 1 + me % NR_REQ;
			slot = NESTED; goto again }
#ifdef JUMP
		:: goto out
#endif
		fi
	:: true
	fi
}

proctype waiter(byte me)
{
	byte r, want = me;
	byte slot = me;		/* of the wait: is_current, is_asleep */
	bool is_awake;		/* the handler has interrupted no sleep */
	bool is_nested;		/* this is the wait of a handler */
	bool has_reaped, is_claimed, wakes;

	/* event_ring_wait() */
again:	if
	:: is_complete[want] -> goto leave
	:: else
	fi;
	atomic {
		!free_buffered || claim != REAPING(me);	/* no store of ours before it */
		if
		:: CAN_CLAIM -> claim = REAPING(me); goto claimed
		:: else
		fi
	};

	/* follow() */
#ifdef BROKEN_FLAG_APART
	has_followers = true;
	is_current[slot] = true;
#else
	d_step { has_followers = true; is_current[slot] = true };
#endif
	if
	:: atomic { is_complete[want] -> is_current[slot] = false; goto leave }
	:: else
	fi;
#ifndef BROKEN_NO_RECHECK
	if
	:: atomic { claim == FREE -> is_current[slot] = false; goto again }
	:: else
	fi;
#endif
	handler_in_follow();
compare:
	atomic {			/* the kernel compares and queues in one step */
		if
		:: !is_current[slot] -> goto again
		:: else -> is_asleep[slot] = true; is_current[slot] = false
		fi
	};
	if
	:: !is_asleep[slot] -> goto again
#ifdef JUMP
	/* Bounded: it looks again some time. */
	:: atomic { claim == FREE || CAN_STEAL -> is_asleep[slot] = false; goto again }
#endif
	:: atomic { nr_timeouts > 0 -> nr_timeouts--; is_asleep[slot] = false; goto leave }
	:: atomic { nr_signals > 0 -> nr_signals--; is_asleep[slot] = false };
		if
		:: poll_in_handler(); goto leave		/* EINTR */
		:: atomic { !is_nested -> is_nested = true; want = 1 + me % NR_REQ; slot = NESTED; goto again }
#ifdef JUMP
		:: goto out
#endif
		fi
	fi;

	/* lead() */
claimed:
	reap_all();
	if
	:: is_complete[want] -> release_claim(); goto leave
	:: else
	fi;
	claim = LEADING(me);
#ifdef BROKEN_SIGNAL_WINDOW
	/* A handler, before the kernel is asked to sleep. */
	if
	:: atomic { nr_signals > 0 && ring != 0 -> nr_signals-- }; poll_in_handler()
	:: true
	fi;
#endif
	/* io_pgetevents */
	if
	:: ring != 0
#ifdef JUMP
	:: claim != LEADING(me)		/* bounded */
#endif
	:: atomic { nr_timeouts > 0 -> nr_timeouts--; goto interrupted }
	:: atomic { nr_signals > 0 -> nr_signals-- };
		if
		:: poll_in_handler()
		:: atomic { !is_nested -> is_nested = true; want = 1 + me % NR_REQ; slot = NESTED; goto again }
#ifdef JUMP
		:: goto out
#endif
		fi;
interrupted:	atomic {
			if
			:: claim == LEADING(me) -> claim = REAPING(me)
			:: else ->
				if
				:: goto again		/* SA_RESTART */
				:: goto leave		/* EINTR */
				fi
			fi
		};
		reap_all();
		release_claim();
		if
		:: goto again
		:: goto leave
		fi
	fi;
	atomic {
		if
		:: claim == LEADING(me) -> claim = REAPING(me); goto claimed
		:: else -> goto again
		fi
	};

leave:
#ifndef BROKEN_LEAVE
	if
	:: claim == FREE -> wake_follower()
	:: else
	fi;
#endif
	/* The handler's wait is over: back to what it interrupted. */
	atomic {
		if
		:: is_nested && want != me -> want = me; slot = me;
			if
			:: is_awake -> goto compare
			:: !is_awake -> goto interrupted
			fi
		:: else
		fi
	};
out:	skip
}

/* event_ring_poll(), until the request is complete */
proctype poller(byte me)
{
	byte r;
	bool has_reaped, wakes;

	do
	:: is_complete[1] -> break
	:: ring != 0 && (claim == FREE || CAN_STEAL) ->
		atomic {
			if
			:: claim == FREE || CAN_STEAL -> claim = REAPING(me)
			:: else -> goto taken
			fi
		};
		reap_all();
		release_claim();
taken:		skip
#ifdef BROKEN_POLLER_REAPS
	:: IS_LEADING(claim) && nr_reapers == 0 -> reap_all()
#endif
	od
}

init
{
	atomic {
		run waiter(1);
		run waiter(2);
#if defined(SIGNAL) || defined(JUMP)
		run poller(POLLER)
#else
		run waiter(3)
#endif
	}
}
