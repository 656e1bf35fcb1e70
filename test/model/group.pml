/* SPDX-License-Identifier: MIT */
/*
 * group.pml - the record of a lio_listio() call
 *
 *	remaining	members not complete, and one for the submitter: who
 *			takes it to 0 completes the group
 *	refs		one for the members together, one for a LIO_WAIT
 *			submitter: who takes it to 0 gives the record back
 *	is_failed	written by members before they take from `remaining`
 *	is_done		the futex word of the waiter
 *
 * `remaining` starts at the number of entries plus 1, because members complete
 * while the rest is being submitted. When all are submitted the submitter
 * takes 1 and the number of those rejected, in one step.
 *
 * Who completes the group notifies, sets is_done, wakes, and only then drops
 * the members' reference. A waiter that leaves, because it saw is_done or for
 * EINTR, drops its own, after it has read is_failed.
 *
 * remaining and refs change by read-modify-writes. The plain stores before them,
 * of error codes and is_failed, may be delayed up to the next of these: to the
 * others that looks like a member that is slower, so no store buffer is needed.
 *
 * Proved: the group completes once, after its last member and not before all
 * are submitted; a waiter that was not interrupted returns, after all members,
 * and knows whether one failed; nobody touches a record that was given back,
 * and it is given back once.
 */

#define NR_ENTRIES	3

byte remaining, refs;
bool is_failed, is_done;
bool is_submitted[NR_ENTRIES];
bool has_error[NR_ENTRIES];	/* the error code is no longer EINPROGRESS */
bool is_waiting;		/* the submitter is on the futex's queue */
bool is_all_submitted, is_given_back;
byte nr_notified, nr_accepted, nr_complete;
bool any_failed;		/* not in the program: what is_failed should say */

#define USE_RECORD	assert(!is_given_back)

inline put_ref()
{
	atomic {
		USE_RECORD;
		refs--;
		is_given_back = (refs == 0)
	}
}

/* Takes n from `remaining`, and completes the group if nothing remains. */
inline put_remaining(n)
{
	atomic {
		USE_RECORD;
		assert(remaining >= (n));
		remaining = remaining - (n);
		if
		:: remaining == 0 -> is_last = true
		:: else
		fi
	};
	if
	:: is_last ->
		atomic {
			nr_notified++;
			assert(nr_notified == 1);
			assert(is_all_submitted && nr_complete == nr_accepted)
		};
#ifdef BROKEN_PUT_BEFORE_WAKE
		put_ref();
#endif
		atomic { USE_RECORD; is_done = true };
		atomic { USE_RECORD; is_waiting = false };	/* futex_wake */
#ifndef BROKEN_PUT_BEFORE_WAKE
		put_ref()
#endif
	:: else
	fi
}

/* A member, by whatever thread completes it. */
proctype member(byte i)
{
	bool is_last, fails;

end:	is_submitted[i];
	if
	:: atomic { fails = true; any_failed = true }
	:: true
	fi;
	has_error[i] = true;
#ifndef BROKEN_FAILED_LATE
	if
	:: fails -> atomic { USE_RECORD; is_failed = true }
	:: else
	fi;
#endif
	nr_complete++;
	put_remaining(1);
#ifdef BROKEN_FAILED_LATE
	if
	:: fails -> atomic { USE_RECORD; is_failed = true }
	:: else
	fi
#endif
}

proctype submitter(bool waits)
{
	byte i, nr_rejected;
	bool is_last, is_interrupted;

	if
	:: waits -> is_interrupted = true
	:: true
	fi;

	d_step {
		refs = (waits -> 2 : 1);
#ifdef BROKEN_NO_HOLD
		remaining = 0
#else
		remaining = NR_ENTRIES + 1
#endif
	};
	do
	:: i < NR_ENTRIES ->
		if
		:: true ->
			d_step {
#ifdef BROKEN_NO_HOLD
				remaining++;
#endif
				nr_accepted++
			};
			is_submitted[i] = true
		:: nr_rejected++
		fi;
		i++
	:: else -> break
	od;
	is_all_submitted = true;
#ifndef BROKEN_NO_HOLD
	put_remaining(1 + nr_rejected);
#endif
	if
	:: waits ->
		do
		:: atomic {
			USE_RECORD;
			if
			:: is_done -> break
			:: else -> is_waiting = true
			fi
		};
			if
			:: !is_waiting
			:: is_interrupted && is_waiting -> is_waiting = false; goto leave
			fi
		od;
		for (i : 0 .. NR_ENTRIES - 1) {
			assert(!is_submitted[i] || has_error[i])
		}
		atomic { USE_RECORD; assert(is_failed == any_failed) };
leave:		put_ref()
	:: else
	fi
}

/* When nothing moves any more, members that were never submitted are left. */
init
{
	byte i;
	bool waits;

	atomic {
		for (i : 0 .. NR_ENTRIES - 1) {
			run member(i)
		}
		if
		:: waits = true
		:: waits = false
		fi;
		run submitter(waits)
	};
	is_given_back && nr_notified == 1
}
