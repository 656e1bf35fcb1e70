/* SPDX-License-Identifier: MIT */
/*
 * lio_group.pml - the record of a lio_listio() call (lio_group.c, publish.c, lio_listio.c)
 *
 *	submitter		submit_and_wait(), submit_and_go(): lio_group_open(),
 *				lio_group_join(), submit_release_group(), wait_for_group();
 *				reject() in submit.c for members that the engine refuses
 *	member			lio_group_leave(), by bypass_events.c and by publish() in
 *				dispatch.c
 *	  lio_group_leave		and publish_silent_group(), by the last
 *
 *	members		joined and not complete, and one for the submitter: the
 *			thread that takes it to 0 publishes the group
 *	holders		one for the members together, one for a LIO_WAIT caller:
 *			the thread that takes it to 0 gives the record back
 *	has_failed	written by members before they leave
 *	generation	of the record, bumped by the publishing thread: the futex
 *			word of the waiter (here: is_published)
 *
 * `members` starts at 1, because members complete while the rest is being
 * submitted. Those that the engine refuses leave like the others; in the end the
 * submitter does.
 *
 * The thread that publishes the group bumps the generation, wakes, and only then
 * drops the members' reference. A waiter leaves when it has seen the generation, or
 * by EINTR. It drops its own reference after it has read has_failed.
 *
 * members and holders change by read-modify-writes. The plain stores before them,
 * of error codes and has_failed, may be delayed up to the next of these: to the
 * others that looks like a member that is slower, so no store buffer is needed.
 *
 * Proved: the group is published once, after its last member and not before all
 * are submitted; a waiter that was not interrupted returns, after all members,
 * and knows whether one failed; no thread touches a record that was given back,
 * and it is given back once.
 */

#define NR_ENTRIES	3

byte members, holders;
bool has_failed, is_published;
bool is_submitted[NR_ENTRIES];
bool has_error[NR_ENTRIES];	/* the error code is no longer EINPROGRESS */
bool is_waiting;		/* the submitter is on the futex's queue */
bool is_all_submitted, is_given_back;
byte nr_published, nr_accepted, nr_complete;
bool any_failed;		/* not in the program: what has_failed should say */

#define USE_RECORD	assert(!is_given_back)

inline lio_group_put()
{
	atomic {
		USE_RECORD;
		holders--;
		is_given_back = (holders == 0)
	}
}

/* The last to leave publishes: publish_silent_group(). */
inline lio_group_leave()
{
	atomic {
		USE_RECORD;
		assert(members > 0);
		members--;
		if
		:: members == 0 -> is_last = true
		:: else
		fi
	};
	if
	:: is_last ->
		atomic {
			nr_published++;
			assert(nr_published == 1);
			assert(is_all_submitted && nr_complete == nr_accepted)
		};
#ifdef BROKEN_PUT_BEFORE_WAKE
		lio_group_put();
#endif
		atomic { USE_RECORD; is_published = true };
		atomic { USE_RECORD; is_waiting = false };	/* futex_wake */
#ifndef BROKEN_PUT_BEFORE_WAKE
		lio_group_put()
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
	:: fails -> atomic { USE_RECORD; has_failed = true }
	:: else
	fi;
#endif
	nr_complete++;
	lio_group_leave();
#ifdef BROKEN_FAILED_LATE
	if
	:: fails -> atomic { USE_RECORD; has_failed = true }
	:: else
	fi
#endif
}

proctype submitter(bool waits)
{
	byte i;
	bool is_last, is_interrupted;

	if
	:: waits -> is_interrupted = true
	:: true
	fi;

	d_step {				/* lio_group_open() */
		holders = (waits -> 2 : 1);
#ifdef BROKEN_NO_HOLD
		members = 0
#else
		members = 1
#endif
	};
	do
	:: i < NR_ENTRIES ->
		if
		:: true ->			/* lio_group_join() */
			members++;
			if
			:: true -> nr_accepted++; is_submitted[i] = true
			:: atomic { any_failed = true; has_failed = true; is_last = false };
				lio_group_leave();	/* the engine refused it */
				assert(!is_last)
			fi
		:: true				/* no record for it */
		fi;
		i++
	:: else -> break
	od;
	is_all_submitted = true;
#ifndef BROKEN_NO_HOLD
	lio_group_leave();				/* submit_release_group() */
#endif
	if
	:: waits ->
		do
		:: atomic {
			USE_RECORD;
			if
			:: is_published -> break
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
		atomic { USE_RECORD; assert(has_failed == any_failed) };
leave:		lio_group_put()
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
	is_given_back && nr_published == 1
}
