/* SPDX-License-Identifier: MIT */
/*
 * question.pml - a question to the engine; the caller waits for the answer
 * (question.c, lio_group.c, publish.c, waiter.c)
 *
 *	asker			question_make(); question_ask(): engine_hand_over(),
 *				waiter_wait_one(); lio_group_put()
 *	engine			cancel_accept() or quiesce_accept(), which write into
 *				the question; question_answer(): publish_silent_group(),
 *				lio_group_put()
 *
 * Both hold a reference to the record. The asker sleeps on its generation, with signals
 * unblocked, and reads the answer when the generation has ended. If a handler jumps out
 * of the wait, the asker never drops its reference, and one record is left behind. If a
 * handler forks, all records are free in the child, so that the child drops neither
 * reference, however far the parent's engine had come. If no engine can be started, the
 * record is given back at once.
 *
 * Proved: the record is given back at most once, and by its last holder; no thread
 * touches it afterwards; the answer is read when it is complete; an asker that does not
 * jump does not wait for ever; without a jump nothing is left behind; the child gives
 * nothing back.
 */

byte generation = 1;		/* of the question */
byte holders;
bool is_handed_over;
bool is_asleep;			/* the asker, on the generation */
bool is_written;		/* the answer, all of it */
bool is_given_back, is_left_behind;
bool is_child;			/* the asker runs in a child of a fork */
bool is_gone;			/* the asker is done with it */
byte nr_given_back;

#define USE_RECORD	assert(!is_given_back)

inline lio_group_put()
{
	atomic {
		USE_RECORD;
		holders--;
		if
		:: holders == 0 -> is_given_back = true; nr_given_back++
		:: else
		fi
	}
}

active proctype engine()
{
end:	is_handed_over;
	atomic { USE_RECORD; is_written = false };	/* the answer is counted */
#ifndef BROKEN_ANSWER_LATE
	atomic { USE_RECORD; is_written = true };
#endif
	/* waiter_publish(), waiter_wake() */
	atomic { USE_RECORD; generation++ };
#ifdef BROKEN_ANSWER_LATE
	atomic { USE_RECORD; is_written = true };
#endif
	is_asleep = false;		/* of a record that may be another's, too */
#ifdef BROKEN_PUT_EARLY
	lio_group_put();
#endif
	USE_RECORD;			/* request_set_place() */
#ifndef BROKEN_PUT_EARLY
	lio_group_put()
#endif
}

active proctype asker()
{
	byte mine;

#ifdef BROKEN_ONE_HOLD
	holders = 1;
#else
	holders = 2;
#endif
	mine = generation;
	if				/* engine_hand_over() */
	:: is_handed_over = true
	:: true ->
#ifdef BROKEN_REFUSED_IS_LEFT
		lio_group_put();
#else
		atomic { USE_RECORD; is_given_back = true; nr_given_back++ };
#endif
		goto out
	fi;
	do
	:: generation != mine -> break
	:: generation == mine ->
		atomic {		/* futex_wait() */
			if
			:: generation == mine -> is_asleep = true
			:: else
			fi
		};
		if
		:: !is_asleep
		:: is_left_behind = true; goto out	/* a handler jumps */
		:: goto forked
		fi
	:: goto forked			/* interrupted while it looked */
	od;
	if
	:: goto forked
	:: true
	fi;
	atomic { USE_RECORD; assert(is_written) };
#ifdef BROKEN_READS_LATE
	lio_group_put();
	USE_RECORD;
#else
	lio_group_put();
#endif
	goto out;

	/* A handler forks: what follows is the child. There the parent's engine is not. */
forked:	is_child = true;
#ifdef BROKEN_PUT_IN_CHILD
	assert(holders != 1);		/* else it is given back, and is in the pool twice */
#endif
out:	atomic { is_asleep = false; is_gone = true }
}

/* Nothing moves any more. */
active proctype judge()
{
	timeout;
	assert(is_gone);
	assert(nr_given_back <= 1);
	assert(is_left_behind || is_child || nr_given_back == 1)
}
