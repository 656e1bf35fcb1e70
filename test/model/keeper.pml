/* SPDX-License-Identifier: MIT */
/*
 * keeper.pml - a descriptor that is closed while requests depend on it
 * (close.c, quiesce.c, keeper.c, pin.c, dispatch.c)
 *
 *	closer			before_close(): quiesce(), ask(); then the close itself,
 *				after which the descriptor means the closer's next file
 *	engine			quiesce_accept(): quiesce_file(), quiesce_bypassing(),
 *				make_closed(), keep_file(), give_pin(), detach_queues();
 *				ask_keeper(); accept_request(): quiesce_take_bounced();
 *				finish(): pin_put(); quiesce_tick()
 *	keeper			serve(): make_pin(), answer()
 *	pin's thread		serve(), end()
 *	lane			a worker, which takes a request and then makes its call;
 *				or the kernel, which has the file and may give the
 *				request back (direct.c)
 *
 * Two threads close the same descriptor, as by dup2(). Request 0 is in the direct lane and
 * request 1 is for a worker when they begin; request 2 is submitted at any time. An entry of
 * quiesce.c serves the requests that were submitted before it was made, except those that an
 * earlier entry serves. Here the set holds both.
 *
 * The keeper cannot take a file over, or no thread can be made for a pin, or the engine does
 * not wait for the answer: then there is a duplicate or there is none. A call that was begun
 * may last until both closes have returned. The answers of ASK_CALL are exact here: that a
 * call of unknown state counts as begun after UNKNOWN_MAX questions is not modelled. Nor are
 * streams, whose requests that wait are cancelled. In a child of fork nothing of this exists.
 *
 * Proved: a request is performed on a file that the descriptor meant during the submitting
 * call, or that a close which went on then has given it; once, unless it is cancelled because
 * no pin could be made; a close waits for no call that has begun; all requests end; each pin
 * is closed once, after its last request, also one that came too late; no wake is lost.
 * In a configuration the worker's request bypasses the engine (BYPASS), or the keeper and
 * the threads of the pins take steps of their own, and fail, while one thread closes (FAILS).
 * config: -DBYPASS
 * config: -DFAILS
 * config: -DFAILS -DBYPASS
 * BROKEN_LATE_OVERWRITES: -DFAILS
 * BROKEN_LATE_PIN_IS_LEFT: -DFAILS
 */

#define NR_REQ		3
#ifdef FAILS
#define NR_CLOSERS	1
#define ATOMIC
#else
#define NR_CLOSERS	2
#define ATOMIC		atomic
#endif
#define NR_ENTRIES	3
#define NR_PINS		4
#define NONE		NR_PINS
#define BIT(n)		(1 << (n))

mtype = { UNUSED, WAITS, WITHDRAWN, TAKEN, INSIDE, DIRECT, BOUNCED, PINNED, EXECUTED, OVER };
mtype = { DONE, OPEN, LATE };			/* enum ask_state */

byte file;			/* that the descriptor means: 0, then 1 + a closer's number */
mtype place[NR_REQ];
bool bypasses[NR_REQ];		/* it is in the bypass table */
byte req_pin[NR_REQ];
/* Not in the program: files that a request may be performed on, and what came of it. */
byte allowed[NR_REQ];
byte performed, cancelled;
bool lasts, is_failed;

/* struct closed; no requests: a free entry */
byte serves[NR_ENTRIES];
bool is_final[NR_ENTRIES], was_asked[NR_ENTRIES];
byte entry_pin[NR_ENTRIES];
#ifdef BROKEN_ENTRY_BY_CALL
byte entry_close[NR_ENTRIES];
#endif

/* struct pin */
bool is_used[NR_PINS], has_last[NR_PINS];
byte pin_file[NR_PINS], holders[NR_PINS], pending[NR_PINS];

/* struct ask; has_message: it is in the keeper's inbox */
mtype ask_state = DONE;
bool has_message;
byte ask_pin;

/* The questions of the closers. */
bool is_asked[2], is_kept[2];
byte nr_closed;

#define IS_SUBMITTED	((place[0] != UNUSED) | (place[1] != UNUSED) << 1 | (place[2] != UNUSED) << 2)
#define BYPASSING	(bypasses[0] | bypasses[1] << 1 | bypasses[2] << 2)

inline perform(q, f)
{
	assert(allowed[q] & BIT(f));
	assert(!((performed | cancelled) & BIT(q)));
	performed = performed | BIT(q)
}

inline pin_make(f, to)
{
	d_step {
		to = 0;
		do
		:: to < NR_PINS && is_used[to] -> to++
		:: else -> break
		od;
		if
		:: to < NR_PINS ->
			is_used[to] = true;
			pin_file[to] = f;
			holders[to] = 1
		:: else -> is_failed = true	/* no memory */
		fi
	}
}

/* It has performed all requests, whose holders are gone. */
inline end_pin(p)
{
	assert(is_used[p] && holders[p] == 0 && pending[p] == 0);
	has_last[p] = false;
	is_used[p] = false;
	pin_file[p] = 0
}

inline pin_put(p)
{
	d_step {
		assert(is_used[p] && holders[p] > 0);
		holders[p]--;
		if
#ifdef FAILS
		:: holders[p] == 0 -> has_last[p] = true
#else
		:: holders[p] == 0 -> end_pin(p)
#endif
		:: else
		fi
	}
}

#define HAS_WORK(p)	(pending[p] != 0 || has_last[p])

/* The pins' threads: each step is of one of them. */
active proctype pins()
{
	byte p, r;

end:	do
	:: atomic {
		if
		:: HAS_WORK(0) -> p = 0
		:: HAS_WORK(1) -> p = 1
		:: HAS_WORK(2) -> p = 2
		:: HAS_WORK(3) -> p = 3
		fi;
		if
		:: pending[p] == 0 ->		/* end() */
			end_pin(p)
		:: else ->
			r = (pending[p] & 1 -> 0 : (pending[p] & 2 -> 1 : 2));
			assert(is_used[p]);
			perform(r, pin_file[p]);
			pending[p] = pending[p] & ~BIT(r);
			place[r] = EXECUTED
		fi;
		p = 0;
		r = 0
	}
	od
}

#ifdef FAILS
active proctype keeper()
{
	byte taken, p = NONE;

end:	do
	:: atomic { has_message -> has_message = false };
		atomic {
			if
			:: taken = file
			:: taken = NONE		/* pidfd_getfd() */
			fi
		};
		atomic {
			if
			:: taken != NONE -> pin_make(taken, p)
			:: is_failed = true	/* no thread */
			fi;
			ask_pin = p
		};
		/* answer() */
#ifdef BROKEN_LATE_PIN_IS_LEFT
		atomic { ask_state = DONE; taken = 0 };
#else
		atomic { taken = (ask_state == LATE); ask_state = DONE };
		if
		:: taken && p != NONE -> pin_put(p)
		:: else
		fi;
#endif
		atomic { taken = 0; p = NONE }
	od
}
#endif

/* A lane for each request: the steps are atomic. */
inline lane(q)
{
	if
	:: place[q] == WAITS -> place[q] = TAKEN
	:: place[q] == TAKEN ->
		perform(q, file);
		place[q] = (bypasses[q] -> INSIDE : OVER)
	:: place[q] == INSIDE -> bypasses[q] = false; place[q] = OVER
	:: place[q] == DIRECT ->
		if
		:: performed = performed | BIT(q); bypasses[q] = false; place[q] = OVER
		:: place[q] = BOUNCED
		fi
	fi
}

#define MOVES(q)	(place[q] == WAITS || place[q] == TAKEN || place[q] == INSIDE || \
			 (place[q] == DIRECT && (!lasts || nr_closed == NR_CLOSERS)))

active proctype lanes()
{
end:	do
	:: atomic { MOVES(0) -> lane(0) }
	:: atomic { MOVES(1) -> lane(1) }
	:: atomic { MOVES(2) -> lane(2) }
	od
}

/* The first entry that serves q: the smallest set, since each has those before it. */
inline find_closed(q)
{
	e = NR_ENTRIES;
	for (i : 0 .. NR_ENTRIES - 1) {
		if
		:: (serves[i] & BIT(q)) && (e == NR_ENTRIES || (serves[i] & serves[e]) != serves[e]) ->
			e = i
		:: else
		fi
	}
	i = 0
}

inline make_closed(q)
{
	d_step {
#ifdef BROKEN_ENTRY_BY_CALL
		e = NR_ENTRIES;
		for (i : 0 .. NR_ENTRIES - 1) {
			if
			:: serves[i] && entry_close[i] == c -> e = i
			:: else
			fi
		}
		i = 0;
		if
		:: e < NR_ENTRIES -> serves[e] = IS_SUBMITTED
		:: else
		fi;
#else
		find_closed(q);
#endif
		if
		:: e == NR_ENTRIES ->
			e = 0;
			do
			:: e < NR_ENTRIES && serves[e] -> e++
			:: else -> break
			od;
			assert(e < NR_ENTRIES);
			serves[e] = IS_SUBMITTED;
#ifdef BROKEN_ENTRY_BY_CALL
			entry_close[e] = c;
#endif
			entry_pin[e] = NONE
		:: else
		fi
	}
}

inline keep_file()
{
	if
	:: !was_asked[e] && !is_final[e] ->
		was_asked[e] = true;
#ifdef FAILS
		if
		:: ask_state == DONE ->
			atomic { ask_state = OPEN; has_message = true };
			if
			:: ask_state == DONE -> entry_pin[e] = ask_pin
			:: is_failed = true;	/* ANSWER_NS are over */
#ifdef BROKEN_LATE_OVERWRITES
				ask_state = LATE
#else
				atomic {
					if
					:: ask_state == OPEN -> ask_state = LATE
					:: else -> entry_pin[e] = ask_pin
					fi
				}
#endif
			fi
		:: else
		fi;
		if
		:: entry_pin[e] == NONE ->		/* pin_duplicate() */
			atomic {
				if
				:: pin_make(file, entry_pin[e])
				:: true
				fi
			}
		:: else
		fi
#else
		pin_make(file, entry_pin[e])
#endif
	:: else
	fi
}

inline give_pin(q)
{
	d_step {
#ifndef BROKEN_NOT_HELD
		holders[entry_pin[e]]++;
#endif
		req_pin[q] = entry_pin[e];
		place[q] = PINNED;
		pending[entry_pin[e]] = pending[entry_pin[e]] | BIT(q)
	}
}

inline visit(q)
{
	ATOMIC {
	atomic {
		if
		:: place[q] == WAITS -> place[q] = WITHDRAWN
		:: else
		fi
	};
	if
	:: place[q] == WITHDRAWN ->
		make_closed(q);
		keep_file();
		if
		:: bypasses[q] ->
			kept = kept || entry_pin[e] == NONE;
			place[q] = BOUNCED
		:: !bypasses[q] && entry_pin[e] != NONE -> give_pin(q)
		:: else -> kept = true; place[q] = WAITS
		fi
#ifndef BROKEN_TAKEN_HAS_BEGUN
	:: place[q] == TAKEN ->
		if
		:: bypasses[q] -> make_closed(q)
		:: else
		fi;
		kept = true
#endif
#ifndef BROKEN_DIRECT_IS_NOT_KEPT
	:: place[q] == DIRECT -> make_closed(q); keep_file()
#endif
	:: place[q] == BOUNCED ->
		make_closed(q);
		keep_file();
		kept = kept || entry_pin[e] == NONE
	:: else
	fi;
	e = 0
	}
}

#ifdef BROKEN_ENTRY_BY_CALL
#define IS_OF_CALL(k)	(entry_close[k] == c)
#else
#define IS_OF_CALL(k)	true
#endif

/* The descriptor is being closed: no entry may ask for its file any more. */
inline detach_queues()
{
	for (i : 0 .. NR_ENTRIES - 1) {
		is_final[i] = is_final[i] || (serves[i] != 0 && IS_OF_CALL(i))
	}
	i = 0
}

#ifdef BROKEN_DROPPED_EARLY
#define IS_NEEDED(k)	false
#else
#define IS_NEEDED(k)	(serves[k] & BYPASSING)
#endif
#define IS_TO_DROP(k)	(serves[k] && !IS_NEEDED(k))

inline tick()
{
	d_step {
		for (i : 0 .. NR_ENTRIES - 1) {
			if
			:: IS_TO_DROP(i) ->
				if
				:: entry_pin[i] != NONE -> pin_put(entry_pin[i])
				:: else
				fi;
				serves[i] = 0;
				is_final[i] = false;
				was_asked[i] = false;
				entry_pin[i] = 0
#ifdef BROKEN_ENTRY_BY_CALL
				; entry_close[i] = 0
#endif
			:: else
			fi
		}
		i = 0
	}
}

/* It leaves the bypass table once it is in its queue, or was refused there. */
inline take_bounced(q)
{
	find_closed(q);
	if
	:: e == NR_ENTRIES -> place[q] = WAITS
	:: e < NR_ENTRIES && entry_pin[e] != NONE -> give_pin(q)
	:: e < NR_ENTRIES && entry_pin[e] == NONE && !is_final[e] -> place[q] = WAITS
	:: else ->
		assert(is_failed);
		cancelled = cancelled | BIT(q);
		place[q] = OVER
	fi;
	bypasses[q] = false;
	e = 0
}

inline finish(q)
{
	place[q] = OVER;
	pin_put(req_pin[q]);
	req_pin[q] = 0
}

active proctype engine()
{
	byte c, i, e;
	bool kept;

end:	do
	:: atomic { is_asked[0] || is_asked[1] -> c = !is_asked[0] };
		visit(0);
		visit(1);
		visit(2);
		atomic {
			if
			:: !kept -> detach_queues()
			:: else
			fi;
			tick();
			is_kept[c] = kept; is_asked[c] = false; kept = false; c = 0 }
	:: atomic { place[0] == BOUNCED -> take_bounced(0) }
	:: atomic { place[1] == BOUNCED -> take_bounced(1) }
	:: atomic { place[2] == BOUNCED -> take_bounced(2) }
	:: atomic { place[0] == EXECUTED -> finish(0) }
	:: atomic { place[1] == EXECUTED -> finish(1) }
	:: atomic { place[2] == EXECUTED -> finish(2) }
	:: atomic { IS_TO_DROP(0) || IS_TO_DROP(1) || IS_TO_DROP(2) -> tick() }
	od
}

proctype closer(byte me)
{
	byte i, since;		/* the requests that were submitted before its call */

	since = IS_SUBMITTED;
	do
	:: is_asked[me] = true;
		!is_asked[me];
		if
		:: !is_kept[me] -> break
		:: else
		fi
	od;
	atomic {
		file = 1 + me;
		for (i : 0 .. NR_REQ - 1) {
			if
			:: !(since & BIT(i)) && place[i] != UNUSED ->
				allowed[i] = allowed[i] | BIT(1 + me)
			:: else
			fi
		}
		i = 0;
		since = 0;
		nr_closed++
	}
}

/* The direct lane and the inline attempt find the file at once. */
proctype submitter()
{
	atomic {
		allowed[2] = BIT(file);
		if
		:: place[2] = DIRECT; bypasses[2] = true
#ifdef BYPASS
		:: place[2] = WAITS; bypasses[2] = true
#else
		:: place[2] = WAITS
#endif
		fi
	}
}

/* Nothing moves any more. */
active proctype judge()
{
	timeout;
	assert(nr_closed == NR_CLOSERS);
	assert(place[0] == OVER && place[1] == OVER && place[2] == OVER);
	assert((performed | cancelled) == 7);
	assert(!(serves[0] | serves[1] | serves[2]));
	assert(!(is_used[0] || is_used[1] || is_used[2] || is_used[3]));
	assert(ask_state == DONE)
}

init
{
	atomic {
		place[0] = DIRECT; bypasses[0] = true; allowed[0] = 1;
		place[1] = WAITS; allowed[1] = 1;
		place[2] = UNUSED;
#ifdef BYPASS
		bypasses[1] = true;
#endif
#ifdef FAILS
		if
		:: lasts = true
		:: true
		fi;
#endif
		run closer(0);
#ifndef FAILS
		run closer(1);
#endif
#ifdef FAILS
		place[2] = OVER;
		performed = BIT(2)
#else
		run submitter()
#endif
	}
}
