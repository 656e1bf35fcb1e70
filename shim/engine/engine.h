/* SPDX-License-Identifier: MIT */
/*
 * engine.h - the one thread that owns the queues and the ring.
 *
 * It is made by the first request that needs it and ends when it was idle for
 * a while.  All signals are blocked in it.  What it does with messages and
 * completions is decided above, through struct engine_client, set once.
 */
#ifndef RTAIO_ENGINE_H
#define RTAIO_ENGINE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "engine/backend.h"
#include "engine/inbox.h"
#include "request/request.h"

/* What the engine receives. */
extern struct inbox engine_inbox;

/* All called on the engine thread. */
struct engine_client {
	struct backend_events events;

	/* A message came in. */
	void (*receive)(struct message *message);

	/*
	 * No engine can serve: end @messages with @err.  Runs in the thread
	 * that failed to start it, alone, with all signals blocked.
	 */
	void (*refuse)(struct message *messages, int err);

	/*
	 * The ring is lost and the backend is now another: whatever is still
	 * on the ring must be executed anew.
	 */
	void (*abandon_ring)(void);

	/*
	 * Between batches.  Returns in how many nanoseconds to call again at
	 * the latest; UINT64_MAX: when something happens; 0: at once.
	 */
	uint64_t (*end_batch)(void);

	/* Is nothing in flight, queued or to be delivered? */
	bool (*is_idle)(void);
};

void engine_init(const struct engine_client *client);

/*
 * [any thread] Hand over a list of messages, linked from newest (@first) to
 * oldest (@last).  Starts the engine when there is none.  0 or -errno:
 * -EAGAIN (no thread), -ENOSYS (the backend asked for cannot serve).
 */
int engine_hand_over(struct message *first, struct message *last);

/* What the engine may be asked for, without a message of one's own. */
enum engine_ask {
	ENGINE_ASK_DRAINED = 1u << 0, /* a request left for which its queues may have waited */
	ENGINE_ASK_WORKERS = 1u << 1, /* the workers need looking after */
	ENGINE_ASK_REAPER = 1u << 2,  /* there is none */
};

/*
 * [any thread, also in handlers] Ask for @what.  The engine is started for the
 * sake of the workers only, and of several who ask at once.  False: there is none.
 */
bool engine_ask(enum engine_ask what);

/* [engine] MESSAGE_ASK came in: all that was asked for. */
unsigned engine_asked(void);

/*
 * [any thread] Start the engine, if nobody has or is about to, without giving it
 * anything to do: can the backend asked for by name serve?  0 or -errno as above.
 */
int engine_start(void);

/* [any thread] Name of the backend in use, "none" while there is no engine. */
const char *engine_serving(void);

/* [any thread] Is there one, or is it being made? */
bool engine_is_running(void);

/* [any thread] The thread of the engine; 0: there is none. */
pid_t engine_tid(void);

/* [any thread] May io_uring serve?  Until the engine has tried, what was asked for tells. */
bool engine_may_have_ring(void);

/* [engine] The backend of the ring lane. */
const struct backend *engine_backend(void);

/* [engine] Take in what was handed over until now. */
void engine_receive(void);

/* [engine] Everything handed to the backend before is in the kernel afterwards. */
void engine_flush(void);

/* [engine] Did the kernel stop serving?  Then nothing on the ring holds its file any more. */
bool engine_has_lost_ring(void);

/* Child of a fork: no engine. */
void engine_after_fork(void);

#endif
