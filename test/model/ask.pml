/* SPDX-License-Identifier: MIT */
/*
 * ask.pml - asking the engine without a message of one's own (engine.c, dispatch.c)
 *
 *	asker			engine_ask(): join_ask(), hand_over_ask()
 *	engine			receive(), engine_asked(), serve_asked()
 *
 * One word, `asked`, has a bit for each service that was asked for, and one that says
 * whether other threads joined the first asker. The thread that finds 0 hands over the
 * one message. It starts no engine, unless it asks for the workers; if there is no
 * engine it takes its bit back. But a thread that joined meanwhile was told that the
 * message is on its way. In that case the engine is started after all.
 *
 * An engine leaves when its inbox is empty, and at most twice here. inbox.pml models
 * its start, which always succeeds here.
 *
 * Proved: the message is never in the inbox twice; the engine serves every thread that
 * was told so.
 */

#define REAPER		1
#define WORKERS		2
#define JOINED		4

byte asked;
bool is_open, has_message;
byte begun, promised, heard;	/* not in the program: a bit for each asker */

/* The first two ask for the same. */
#define WHAT_OF(id)	((id) == 4 -> WORKERS : REAPER)
#define ASKERS_OF(bits)	(((bits) & REAPER -> 3 : 0) | ((bits) & WORKERS -> 4 : 0))
byte nr_ends = 2;

inline push()
{
	assert(!has_message);
	has_message = true
}

proctype asker(byte me)
{
	byte old, what = WHAT_OF(me);

	atomic {			/* join_ask() */
		old = asked;
#ifdef BROKEN_JOIN_UNSEEN
		asked = asked | what;
#else
		asked = (old -> old | what | JOINED : what);
#endif
		begun = begun | me;
		if
		:: old -> promised = promised | me; goto out
		:: else
		fi
	};
	/* hand_over_ask() */
	if
	:: what != WORKERS ->
		atomic {
			if
			:: is_open -> push(); promised = promised | me; goto out
			:: else
			fi
		};
#ifdef BROKEN_TAKEN_BACK_BLINDLY
		atomic { asked = 0; goto out };
#endif
		atomic {
			if
			:: asked == what -> asked = 0; goto out
			:: else
			fi
		}
	:: else
	fi;
	atomic { is_open = true; push(); promised = promised | me };
out:	skip
}

active proctype engine()
{
end:	do
	:: atomic { has_message -> has_message = false };
#ifdef BROKEN_READ_THEN_CLEARED
		heard = heard | (begun & ASKERS_OF(asked));
		asked = 0
#else
		d_step { heard = heard | (begun & ASKERS_OF(asked)); asked = 0 }
#endif
	:: atomic { is_open && !has_message && nr_ends > 0 -> is_open = false; nr_ends-- }
	od
}

/* Nothing moves any more. */
active proctype judge()
{
	timeout;
	assert((promised & ~heard) == 0);
	assert(asked == 0)
}

init
{
	atomic {
		if
		:: is_open = true
		:: true
		fi;
		run asker(1);
		run asker(2);
		run asker(4)
	}
}
