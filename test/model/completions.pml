/* SPDX-License-Identifier: MIT */
/*
 * completions.pml - requests that end against threads that wait for whatever ends
 * (completions.c, aio_waitcomplete.c, waiter.c, publish.c, aio.c)
 *
 *	publisher		publish_result(), announce_at_once(): the result, then
 *				completions_add(), then wake_slot()
 *	waiter			wait(): completions_take(), then
 *				waiter_wait_completions() with completions_exist()
 *	returner		own_aio_return() of a request whose result it has seen:
 *				completions_forget()
 *	list_new, insert	list_new(), insert()
 *
 * A completion is pushed to a stack without a lock. Who takes, or forgets, moves the
 * stack to the list first, with the lock:
 *
 *	publisher		with the lock			completions_exist()
 *	result			nr_listed++			stack is not empty?
 *	push			take the stack			nr_listed > 0?
 *	wake			insert each, nr_listed++ each
 *				nr_listed--
 *
 * aio_return may come between result and push. Then the completion is marked, and goes
 * when it is found in the stack.
 *
 * The push is one step: a stack that is only taken as a whole has no ABA. Taking it, and
 * turning it round, are one step, since nobody else sees what was taken.
 *
 * Proved: each completion has one taker; aio_waitcomplete gets nothing whose result is
 * not visible, and nothing after its aio_return; when nothing moves any more, all
 * completions have gone. For two requests, two waiters and an aio_return of either
 * or both; or three requests, one waiter. (THREE)
 * config: -DTHREE
 */

#ifdef THREE
#define NR		3
#define NR_WAITERS	1
#else
#define NR		2
#define NR_WAITERS	2
#endif

mtype = { PENDING, LISTED, FORGOTTEN, GONE };

mtype state[NR] = PENDING;
bool is_done[NR];		/* the error code */
bool is_returned[NR];		/* aio_return has come back */
chan stack = [NR] of { byte };	/* the oldest first */
chan taken = [NR] of { byte };	/* of the thread that has the lock */
chan listed = [NR] of { byte };
byte nr_listed;
bool is_locked;
byte slot;			/* bit 0: a waiter is asleep */
bool sleeps[NR_WAITERS];

inline lock()
{
	atomic { !is_locked -> is_locked = true }
}

inline wake()
{
	atomic {
		if
		:: slot & 1 ->
			slot = (slot + 2) & 14;
			sleeps[0] = false;
			sleeps[NR_WAITERS - 1] = false
		:: else -> slot = (slot + 2) & 14
		fi
	}
}

inline insert()
{
	taken?i;
	atomic {
		if
		:: state[i] == FORGOTTEN -> state[i] = GONE
		:: else ->
			assert(state[i] == PENDING);
			state[i] = LISTED;
			listed!i;
			nr_listed++
		fi;
		i = 0
	}
}

inline list_new()
{
	if
	:: empty(stack) -> skip
	:: nempty(stack) ->
#ifndef BROKEN_COUNT_LATE
		nr_listed++;
#endif
		atomic {
			do
			:: stack?i -> taken!i
			:: empty(stack) -> i = 0; break
			od
		};
		do
		:: nempty(taken) -> insert()
		:: empty(taken) -> break
		od;
#ifndef BROKEN_COUNT_LATE
		nr_listed--
#endif
	fi
}

/* Sets exists. */
inline look()
{
#ifdef BROKEN_LIST_FIRST
	exists = nr_listed > 0;
	exists = exists || nempty(stack)
#else
	exists = nempty(stack);
	exists = exists || nr_listed > 0
#endif
}

proctype publisher(byte me)
{
#ifdef BROKEN_ADD_FIRST
	stack!me;
	is_done[me] = true;
#else
	is_done[me] = true;
#ifdef BROKEN_WAKE_FIRST
	wake();
#endif
	stack!me;
#endif
#ifndef BROKEN_WAKE_FIRST
	wake()
#endif
}

proctype waiter(byte me)
{
	byte i, v;
	bool exists;

round:	look();
	if
	:: exists ->
		lock();
		list_new();
		atomic {
			if
			:: listed?i ->
				assert(state[i] == LISTED);
				assert(is_done[i] && !is_returned[i]);
				state[i] = GONE;
				nr_listed--;
				i = 0
			:: empty(listed)
			fi;
			is_locked = false;
			exists = false
		};
		goto round
	:: else
	fi;
#ifdef BROKEN_SLOT_LATE
	look();
	atomic { slot = slot | 1; v = slot };
#else
	atomic { slot = slot | 1; v = slot };
	look();
#endif
	if
	:: exists -> atomic { v = 0; exists = false; goto round }
	:: else
	fi;
	/* futex_wait: the kernel compares and queues in one step. */
	atomic {
		if
		:: slot != v
		:: else -> sleeps[me] = true
		fi;
		v = 0
	};
end_sleep:
	atomic { !sleeps[me] -> goto round }
}

proctype returner(byte me)
{
	byte i;

	if
	:: true
	:: goto out	/* leaves it to the waiters */
	fi;
	is_done[me];
	lock();
	list_new();
	atomic {
		if
		:: state[me] == LISTED ->
			listed??eval(me);
			nr_listed--;
			state[me] = GONE
		:: state[me] == PENDING ->
#ifndef BROKEN_NO_MARK
			state[me] = FORGOTTEN
#else
			skip
#endif
		:: state[me] == GONE
		fi;
		is_returned[me] = true;
		is_locked = false
	};
out:	skip
}

init
{
	atomic {
		run publisher(0);
		run publisher(1);
#ifdef THREE
		run publisher(2);
#endif
		run returner(0);
		run returner(1);
		run waiter(0);
#ifndef THREE
		run waiter(1)
#endif
	};
	timeout;
	assert(state[0] == GONE && state[1] == GONE && state[NR - 1] == GONE);
	assert(!is_locked && nr_listed == 0)
}
