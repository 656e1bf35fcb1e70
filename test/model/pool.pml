/* SPDX-License-Identifier: MIT */
/*
 * pool.pml - a pool of threads that several receive for (workers.c, pool_order.c,
 * inbox.c, offload.c)
 *
 *	submitter		workers_offer(): leave_to_writer(), inbox_push_if_asleep();
 *				refused requests go to the engine
 *	thread			worker()
 *	  exchange:		exchange(), become_idle()
 *	  wait:			wait_for_work()
 *	  sleepers:		begin_sleep(), end_sleep(); wake_one: wake_sleepers()
 *	engine			workers_submit(), workers_withdraw();
 *				pool_order_take_back(); workers_provide(): workers_tick()
 *	drain, take		drain(), take()
 *	announce_written_fd	announce_written_fd()
 *	provide_thread		provide_thread(), first_takeable(), add_thread();
 *				must_ask_engine(), workers_are_awaited()
 *
 * The inbox is a word, as in inbox.pml: its messages, or EMPTY, ASLEEP, CLOSED.
 * Everything else but the wake word is guarded by a lock. Submitters take no lock.
 *
 *	submitter			thread, with the lock
 *	ASLEEP: replace it, wake one	take all there is in the inbox
 *	else: to the engine		nothing: read the wake word; ASLEEP, or make it
 *					    so; unlock, sleep on the word
 *
 * A wake goes to one of the threads whose bit says that they sleep. That thread may not
 * sleep yet, or may have been woken already. In each case it looks into the inbox later.
 *
 * While a thread is idle the inbox stays asleep, and only then. A thread that has
 * slept for long checks once more, with the lock, before it leaves, and the last one
 * closes the inbox. Each thread that takes a request provides a thread for the next
 * one. If it cannot make a thread, it tells the engine, which tries again: the engine
 * ticks only while it knows that a request waits.
 *
 * A write is left to the thread that writes already, in an inbox that is never asleep.
 * The thread changes the word that says so, and then drains that inbox. A submitter
 * reads the word once more after its push, and asks the engine if it has changed. Older
 * messages there may be for another thread, which is blocked.
 *
 * In the beginning a thread runs a write. Two more requests come: a write, and one that
 * runs for ever. Or they are two writes, no thread leaves, every thread can be made, and
 * the engine takes nothing back (BEHIND). Left out: bounds, growth and order.
 *
 * Proved: every request that was accepted is taken, once, or withdrawn, never both,
 * though the long one may hold any thread; no wake is lost; the inbox is asleep or has
 * messages whenever a thread is idle and the lock is free, and is not asleep when none
 * is.
 * config: -DBEHIND
 * BROKEN_NO_SECOND_LOOK: -DBEHIND
 * BROKEN_FIRST_LOOKS: -DBEHIND
 */

#define NR_THREADS	2
#define LONG		4	/* bits */
#define WRITES		(1 | 2 | 8)
#define NEXT_OF(q)	((q) & LONG -> LONG : ((q) & 1 -> 1 : ((q) & 2 -> 2 : 8)))

#define EMPTY		0
#define ASLEEP		64
#define CLOSED		128

byte head = CLOSED;
byte left;			/* messages, for the thread that writes */
bool is_written;
bool is_foreign;		/* and one for another descriptor, whose thread is blocked */
bool is_bumped[NR_THREADS];	/* the wake word differs from what the thread has read */
bool is_asleep[NR_THREADS];	/* on that futex */
bool sleeps[NR_THREADS];	/* its bit of inbox.sleepers */

bool is_locked;
byte queued;			/* in the pool's lists */
byte nr_threads, nr_idle, nr_new;
bool is_made[NR_THREADS], is_used[NR_THREADS];

byte accepted, taken, withdrawn;	/* not in the program */
byte for_engine;		/* refused */
bool is_asked;			/* the message lies in the engine's inbox */
bool is_watched;		/* the engine ticks */

/* What may still happen. */
#ifdef BEHIND
byte nr_timeouts = 0, nr_failures = 0, nr_withdrawals = 0;
#else
byte nr_timeouts = 1, nr_failures = 1, nr_withdrawals = 1;
#endif

/* Steps that only other holders of the lock could see are one with their neighbours. */
#define LOCK	!is_locked -> is_locked = true

inline unlock()
{
	assert(nr_idle == 0 || head != EMPTY);
	assert(nr_idle > 0 || head != ASLEEP);
	is_locked = false
}

inline wake_one()
{
	atomic { is_bumped[0] = true; is_bumped[1] = true };
	if
	:: sleeps[0] -> is_asleep[0] = false
	:: sleeps[1] -> is_asleep[1] = false
	:: atomic { !sleeps[0] && !sleeps[1] -> skip }
	fi
}

/* With the lock held, as all below. */
inline drain()
{
	atomic { queued = queued | left; left = 0; is_foreign = false };
	if
	:: head == CLOSED
#ifdef BROKEN_LEFT_ASLEEP
	:: head == ASLEEP
	:: head != CLOSED && head != ASLEEP ->
#else
	:: head == ASLEEP && nr_idle > 0
	:: head != CLOSED && (head != ASLEEP || nr_idle == 0) ->
#endif
		do
		:: atomic {
			if
			:: head != ASLEEP -> queued = queued | head
			:: else
			fi;
			head = EMPTY;
#ifdef BROKEN_NOT_KEPT_ASLEEP
			break
#else
			if
			:: nr_idle == 0 -> break
			:: else
			fi
#endif
		};
		atomic {
			if
			:: head == EMPTY -> head = ASLEEP; break
			:: else
			fi
		}
		od
	fi
}

inline add_thread()
{
	if
	:: nr_threads == 0 ->
		atomic { assert(head == CLOSED); head = EMPTY }
	:: else
	fi;
	if
	:: d_step { !is_used[0] -> is_used[0] = true; is_made[0] = true; nr_threads++; nr_new++ }
	:: d_step { is_used[0] && !is_used[1] -> is_used[1] = true; is_made[1] = true; nr_threads++; nr_new++ }
	:: atomic { nr_failures > 0 || (is_used[0] && is_used[1]) ->
		if
		:: nr_failures > 0 -> nr_failures--
		:: else
		fi;
		has_failed = true };
		if
		:: nr_threads == 0 ->
			atomic { assert(head == EMPTY); head = CLOSED }
		:: else
		fi
	fi
}

inline provide_thread()
{
	if
	:: !queued
	:: queued && nr_idle == 0 -> add_thread()
	:: queued && nr_idle > 0 -> wake_one()
	fi
}

/* Of what is queued there after it a thread may take part, or be woken for it. */
inline announce_written_fd()
{
	if
	:: is_writing != ((mine & WRITES) != 0) ->
#ifdef BROKEN_LOOK_BEFORE_TOLD
		drain();
		is_written = !is_writing;
		is_writing = !is_writing
#else
		is_written = !is_writing;
		is_writing = !is_writing;
		drain()
#endif
	:: else
	fi
}

proctype submitter(byte m)
{
	/* leave_to_writer() */
	if
	:: (m & WRITES) && is_written ->
		atomic {
			accepted = accepted | m;
			left = left | m;
#ifdef BROKEN_FIRST_LOOKS
			if
			:: is_foreign || left != m -> goto out
			:: else
			fi
#endif
		};
#ifndef BROKEN_NO_SECOND_LOOK
		atomic {
			if
			:: !is_written -> is_asked = true
			:: else
			fi
		};
#endif
		goto out
	:: else
	fi;

	/* inbox_push_if_asleep() */
	atomic {
		accepted = accepted | m;
		if
		:: head == ASLEEP -> head = m
		:: else -> for_engine = for_engine | m; goto out
		fi
	};
	wake_one();
out:	skip
}

proctype thread(byte t, mine)
{
	bool is_over, has_failed, must_ask, is_new = mine == 0, is_writing = mine != 0;

end:	atomic { is_made[t] -> is_made[t] = false };

exchange:
	atomic {
		LOCK;
		mine = 0;
		nr_new = nr_new - is_new;
		is_new = false
	};
	drain();
	do
	:: queued ->
		atomic {
			mine = NEXT_OF(queued);
			queued = queued & ~mine;
			assert(!(taken & mine) && !(withdrawn & mine));
			taken = taken | mine
		};
		announce_written_fd();
		provide_thread();
		atomic {
			must_ask = has_failed && !is_watched;
			has_failed = false;
			unlock();
			break
		}
	:: else ->
		/* become_idle() */
#ifndef BROKEN_WORD_LATE
		is_bumped[t] = false;
#endif
		atomic {
			if
			:: head == ASLEEP || head == EMPTY -> head = ASLEEP; nr_idle++
			:: else -> goto again
			fi
		};
		sleeps[t] = true;
		announce_written_fd();
		provide_thread();
		atomic {
			must_ask = has_failed && !is_watched;
			has_failed = false;
			unlock();
			break
		};
again:		drain()
	od;
#ifndef BROKEN_FAILURE_UNTOLD
	atomic { is_asked = is_asked || must_ask; must_ask = false };
#endif
	if
	:: mine == LONG ->
end_long:	false
	:: mine && mine != LONG -> goto exchange
	:: else
	fi;

	/* wait_for_work() */
#ifdef BROKEN_WORD_LATE
	is_bumped[t] = false;
#endif
	is_asleep[t] = !is_bumped[t];	/* the kernel compares and queues in one step */
end_sleep:
	if
	:: !is_asleep[t]
	:: atomic { is_asleep[t] && nr_timeouts > 0 ->
		nr_timeouts--; is_asleep[t] = false; is_over = true }
	fi;
	atomic { LOCK; nr_idle-- };
#ifdef BROKEN_STILL_A_SLEEPER
	drain();
	sleeps[t] = false;
#else
	sleeps[t] = false;
	drain();
#endif
	atomic {
#ifndef BROKEN_NO_LAST_LOOK
		is_over = is_over && !queued;
#endif
		if
		:: is_over && nr_threads == 1 && head == EMPTY -> head = CLOSED
		:: is_over && nr_threads == 1 && head != EMPTY -> is_over = false
		:: else
		fi;
		unlock();
		if
		:: is_over ->
			nr_threads--; is_used[t] = false; is_bumped[t] = false;
			is_over = false; is_new = true;
			goto end
		:: else -> goto exchange
		fi
	}
}

active proctype engine()
{
	byte m;
	bool has_failed;

end:	do
	:: atomic { for_engine && !is_locked ->
		is_locked = true;
		m = NEXT_OF(for_engine);
		for_engine = for_engine & ~m
	};
		drain();
		queued = queued | m;
		provide_thread();
		atomic {
			if
			:: nr_threads == 0 && (queued & m) ->
				queued = queued & ~m; withdrawn = withdrawn | m
			:: else
			fi;
			is_watched = queued != 0; has_failed = false;
			unlock();
			m = 0
		}
	:: atomic { (is_asked || is_watched) && !is_locked ->
		is_locked = true; m = is_asked; is_asked = false };
		drain();
		if
		:: nr_new == 0 -> provide_thread()
		:: else	/* that one takes it */
		fi;
		atomic { is_watched = queued != 0; has_failed = false; unlock() };
		if
		:: m ->
			atomic { LOCK; m = 0 };
			if
			:: nr_threads == 0 -> add_thread()
			:: else
			fi;
			atomic { has_failed = false; unlock() }
		:: else
		fi
	:: atomic { nr_withdrawals > 0 && accepted && !is_locked ->
		nr_withdrawals--; is_locked = true };
		drain();
		atomic {
			if
			:: m = 2
			:: m = LONG
			fi;
			if
			:: queued & m -> queued = queued & ~m; withdrawn = withdrawn | m
			:: else
			fi;
			m = 0;
			unlock()
		}
	od
}

#ifdef BEHIND
/* A write for another descriptor. */
active proctype foreigner()
{
	is_foreign = true
}
#endif

/* Nothing moves any more. */
active proctype judge()
{
	timeout;
	assert(accepted == (taken | withdrawn))
}

init
{
	atomic {
		/* A thread runs a request. */
		head = EMPTY;
		nr_threads = 1;
		is_used[0] = true;
		is_made[0] = true;
		taken = 1;
		accepted = 1;
		is_written = true;
		run submitter(2);
#ifdef BEHIND
		run submitter(8);
#else
		run submitter(4);
#endif
		run thread(0, 1);
		run thread(1, 0)
	}
}
