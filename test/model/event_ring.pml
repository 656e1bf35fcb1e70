/* SPDX-License-Identifier: MIT */
/*
 * event_ring.pml - which thread reaps the event ring of Linux AIO, and which sleeps there
 * (event_ring.c, reaper.c, reaper_call.c)
 *
 *	poller, poll_in_handler	event_ring_poll()
 *	waiter			wait_for() in aio_suspend.c, event_ring_wait()
 *	reap_all, release_claim	reap_all(), release_claim()
 *	wake_reaper, call	reaper_call_wake(), reaper_call_now()
 *	begin_wait		event_ring_begin_wait()
 *	reaper			reap(), serve(), event_ring_serve(), sleep_or_end()
 *
 * A thread asleep in io_pgetevents stays asleep when another one takes the
 * events in user space; only an event, a signal or its time-out wakes it. So
 * one word, the claim, says which thread may move the ring's head:
 *
 *	FREE		any thread may claim
 *	REAPING(tid)	tid takes events; short; all its signals are blocked
 *	ASLEEP(tid)	waiter tid sleeps in the kernel until the ring has an
 *			event; no other thread reaps
 *	REAPER_ASLEEP	the reaper sleeps there; pollers may reap
 *
 * A waiter that finds the claim FREE takes it, reaps, and sleeps at the ring. Any
 * other waiter is counted, bumps the reaper's word, and calls the reaper if the ring
 * is free by now. Then it sleeps on its record, which every completion checks. The
 * thread that releases the claim calls the reaper if any waiter is counted. The
 * reaper reads its word, then the count. It takes one batch after the other at the
 * ring while more waiters are counted than the one that it has just woken. Then it
 * sleeps on the word, unless that has changed since it was read.
 *
 * Handlers run in a waiter's sleep, never while it is REAPING. The handler's
 * thread is the sleeper, so for it ASLEEP(own tid) is as good as FREE.
 *
 * A handler may jump out of the wait. It leaves ASLEEP(tid) without a sleeper, or a
 * thread that stays counted. A wait may also end early, by a time-out or EINTR, and
 * leave its waiters behind, which the reaper takes for a waiter that it has woken.
 * The tick helps against all these (JUMP): the reaper's sleep ends by itself, and it
 * takes the events in the ring, even if the claim is ASLEEP. A sleeper that was only
 * slow then sleeps on at an empty ring. So sleeps in the kernel are bounded.
 *
 * Proved: no event is lost or taken twice, no two threads reap at once, and no waiter
 * or poller hangs: without ticks for three waiters, two and a poller, or two and a
 * signal; with ticks for two waiters, of which one may jump out or give up.
 * config: -DPOLL
 * config: -DSIGNAL
 * config: -DJUMP
 * BROKEN_SIGNALS_OPEN: -DSIGNAL
 * BROKEN_SIGNAL_WINDOW: -DSIGNAL
 * BROKEN_POLL_AT_SLEEPER: -DPOLL
 * BROKEN_NO_TICK: -DJUMP
 */

#define NR_REQ		3	/* waiter i waits for request i */
#define NESTED		3	/* the wait of a handler, for the other's; no third waiter then */
#define POLLER		4
#define REAPER		5
#if !defined(SIGNAL) && !defined(JUMP) && !defined(POLL)
#define NR_3			/* there is a third waiter */
#endif
#define FREE		0
#define REAPING(t)	(t)
#define ASLEEP(t)	((t) + 8)
#define REAPER_ASLEEP	20
#define IS_ASLEEP(x)	((x) > 8 && (x) < REAPER_ASLEEP)
#define IN_RING(r)	((ring >> (r)) & 1)
#define CAN_WAIT	(claim == FREE || claim == ASLEEP(me))
#ifdef BROKEN_POLL_AT_SLEEPER
#define CAN_POLL	(claim == FREE || claim == REAPER_ASLEEP || IS_ASLEEP(claim))
#else
#define CAN_POLL	(claim == FREE || claim == REAPER_ASLEEP || claim == ASLEEP(me))
#endif

byte claim = FREE;
byte ring;			/* events, one bit for each request */
bool is_posted[NR_REQ + 1];
bool is_complete[NR_REQ + 1];
bool has_waiter[NR_REQ + 1];	/* of a request */
byte sleeps_on[NR_REQ + 1];	/* by wait: the request whose record it sleeps on */
bool free_buffered;		/* the claim's owner has written FREE, not yet visible */
byte nr_reapers;
byte nr_waiting;
bool is_current;		/* the reaper has read its word, and no bump came since */
bool is_resting;		/* its state says so */
bool is_reaper_asleep;
#if defined(SIGNAL) || defined(JUMP)
byte nr_signals = 1;
#else
byte nr_signals = 0;
#endif
#ifdef JUMP
byte nr_timeouts = 1;
#else
byte nr_timeouts = 0;
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
#ifdef NR_3
		:: !is_posted[3] -> r = 3
#endif
		fi;
		is_posted[r] = true;
		ring = ring | (1 << r);
		r = 0
	}
	:: atomic { free_buffered -> free_buffered = false; claim = FREE }
	od
}

inline wake(s)
{
	if
	:: sleeps_on[s] == r -> sleeps_on[s] = 0
	:: else
	fi
}

/* Takes and completes all events; the claim is REAPING(me). */
inline reap_all()
{
	atomic { nr_reapers++; assert(nr_reapers == 1); has_told = false };
#ifdef BROKEN_SIGNALS_OPEN
	/* A handler that waits for another request, on its record. */
	if
	:: atomic { nr_signals > 0 && me == 1 -> nr_signals-- };
		is_complete[3 - me]
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
		atomic {
			assert(!is_complete[r]);
			is_complete[r] = true;
			has_told = has_told || has_waiter[r];
			wake(1); wake(2); wake(3);
			r = 0
		}
	:: ring == 0 -> break
	od;
	atomic {
		nr_reapers--;
		if
		:: me != REAPER -> has_told = false
		:: else
		fi
	}
}

inline wake_reaper()
{
	if
	:: is_resting -> is_reaper_asleep = false
	:: else
	fi
}

inline call()
{
	is_current = false;
	wake_reaper()
}

inline store_free()
{
	free_buffered = true;
#ifndef BROKEN_RELEASE_NO_FENCE
	!free_buffered
#endif
}

inline release_claim()
{
	store_free();
#ifndef BROKEN_NO_RELIEF
	if
	:: nr_waiting > 0 -> call()
	:: else
	fi
#endif
}

inline begin_wait()
{
#ifdef BROKEN_COUNT_LATE
	is_free = claim == FREE;
	nr_waiting++;
	is_current = false;
#else
	nr_waiting++;
#ifndef BROKEN_NO_BUMP
	is_current = false;
#endif
	is_free = claim == FREE;
#endif
	if
	:: is_free -> wake_reaper()
	:: else
	fi;
	is_free = false
}

/* A handler that polls. In its thread's sleep at the ring it finds ASLEEP(me), and leaves FREE. */
inline poll_in_handler()
{
	if
	:: ring != 0 ->
		atomic {
			if
			:: CAN_POLL -> claim = REAPING(me); is_claimed = true
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

proctype waiter(byte me)
{
	byte r, want = me;
	byte slot = me;		/* of the wait: sleeps_on */
	bool is_nested;		/* this is the wait of a handler */
	bool was_at_ring;	/* which sleep it has interrupted */
	bool has_told, is_claimed, is_free;

again:	if
	:: is_complete[want] -> goto leave
	:: else
	fi;
	atomic {
		!free_buffered || claim != REAPING(me);	/* no store of ours before it */
		if
		:: CAN_WAIT -> claim = REAPING(me); goto claimed
		:: else
		fi
	};

	/* Another one is at the ring: sleep on the record. */
	begin_wait();
	atomic {
		has_waiter[want] = true;
		if
		:: is_complete[want]
		:: else -> sleeps_on[slot] = want
		fi
	};
on_record:
	if
	:: sleeps_on[slot] == 0 -> nr_waiting--; goto again
#ifdef JUMP
	:: atomic { nr_timeouts > 0 && me == 1 -> nr_timeouts--; sleeps_on[slot] = 0 }; nr_waiting--; goto leave
#endif
	:: atomic { nr_signals > 0 && me == 1 -> nr_signals-- };
		if
		:: poll_in_handler(); goto on_record
		:: atomic { !is_nested -> is_nested = true; want = 3 - me; slot = NESTED };
			goto again
#ifdef JUMP
		:: sleeps_on[slot] = 0; goto out
#endif
		fi
	fi;

	/* wait_at_ring() */
claimed:
	reap_all();
#ifndef BROKEN_NO_LOOK
	if
	:: is_complete[want] -> release_claim(); goto leave
	:: else
	fi;
#endif
	claim = ASLEEP(me);
#ifdef BROKEN_SIGNAL_WINDOW
	/* A handler, before the kernel is asked to sleep. */
	if
	:: atomic { nr_signals > 0 && me == 1 && ring != 0 -> nr_signals-- }; poll_in_handler()
	:: true
	fi;
#endif
	/* io_pgetevents */
	if
	:: ring != 0
#ifdef JUMP
	:: claim != ASLEEP(me)		/* bounded */
	:: atomic { nr_timeouts > 0 && me == 1 -> nr_timeouts--; goto interrupted }
#endif
	:: atomic { nr_signals > 0 && me == 1 -> nr_signals-- };
		if
		:: poll_in_handler()
		:: atomic { !is_nested -> is_nested = true; was_at_ring = true;
			want = 3 - me; slot = NESTED; goto again }
#ifdef JUMP
		:: goto out
#endif
		fi;
interrupted:	atomic {
			if
			:: claim == ASLEEP(me) -> claim = REAPING(me)
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
		:: claim == ASLEEP(me) -> claim = REAPING(me); goto claimed
		:: else -> goto again
		fi
	};

leave:	/* The handler's wait is over: back to what it interrupted. */
	atomic {
		if
		:: is_nested && want != me -> want = me; slot = me;
			if
			:: was_at_ring -> goto interrupted
			:: else -> goto on_record
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
	bool has_told;

	do
	:: is_complete[1] -> break
	:: ring != 0 && CAN_POLL ->
		atomic {
			!free_buffered || claim != REAPING(me);
			if
			:: CAN_POLL -> claim = REAPING(me)
			:: else -> goto taken
			fi
		};
		reap_all();
		release_claim();
taken:		skip
	od
}

proctype reaper(byte me)
{
	byte r, nr;
	bool has_told, is_claimed;

next:
#ifndef BROKEN_WORD_LATE
	is_current = true;
#endif
	nr = nr_waiting;
	if
	:: nr > 0 ->
		atomic {
			!free_buffered || claim != REAPING(me);
			if
			:: claim == FREE -> claim = REAPING(me)
			:: else -> goto rest
			fi
		};
		if
		:: ring == 0 ->
			claim = REAPER_ASLEEP;
end_ring:		if
			:: ring != 0
#ifdef JUMP
			:: claim != REAPER_ASLEEP		/* bounded */
#endif
			fi;
			atomic {
				if
				:: claim == REAPER_ASLEEP -> claim = REAPING(me)
				:: else -> nr = 0; goto next
				fi
			}
		:: else
		fi;
		reap_all();
		store_free();
		atomic {
			if
			:: nr > has_told -> nr = 0; has_told = false; goto next
			:: else -> nr = 0; has_told = false
			fi
		}
	:: else
	fi;
rest:	nr = 0;
#ifdef BROKEN_WORD_LATE
	is_current = true;
#endif
	is_resting = true;
	atomic {			/* the kernel compares and queues in one step */
		if
		:: is_current -> is_reaper_asleep = true
		:: else
		fi
	};
end:	if
	:: !is_reaper_asleep
#if defined(JUMP) && !defined(BROKEN_NO_TICK)
	:: ring != 0 -> is_reaper_asleep = false;
		/* event_ring_take_left() */
		atomic {
			if
			:: claim == FREE || claim == REAPER_ASLEEP || IS_ASLEEP(claim) ->
				claim = REAPING(me); is_claimed = true
			:: else
			fi
		};
		if
		:: is_claimed -> reap_all(); release_claim(); is_claimed = false
		:: else
		fi
	:: nr_waiting > 0 -> is_reaper_asleep = false
#endif
	fi;
	is_resting = false;
	goto next
}

init
{
	atomic {
		run reaper(REAPER);
		run waiter(1);
		run waiter(2);
#ifdef POLL
		run poller(POLLER)
#endif
#ifdef NR_3
		run waiter(3)
#endif
	}
}
