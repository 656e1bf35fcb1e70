/* SPDX-License-Identifier: MIT */
/*
 * engine.h - the thread that owns the queues and the ring.
 *
 * The first request that needs the thread makes it; it ends after a while without work.  All
 * signals are blocked in it.  Dispatch decides about messages and completions, through struct
 * engine_client.
 */
#ifndef RTAIO_ENGINE_H
#define RTAIO_ENGINE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "engine/backend.h"
#include "engine/inbox.h"
#include "request/request.h"

/* Messages for the engine. */
extern struct inbox engine_inbox;

/* Called on the engine's thread, refuse() also on others. */
struct engine_client {
	struct backend_events events;

	void (*receive)(struct message *message);

	/*
	 * No engine can serve: end @messages with @err.  Runs in the thread that could not make the
	 * engine's thread, or in the engine's thread if no backend opens.  All signals are blocked,
	 * and no other thread calls the client.
	 */
	void (*refuse)(struct message *messages, int err);

	/* The ring is lost and workers serve: execute anew all requests still on the ring. */
	void (*abandon_ring)(void);

	/*
	 * After each batch.  Returns in how many nanoseconds to call again at the latest (0: at
	 * once; UINT64_MAX: not before something happens).
	 */
	uint64_t (*end_batch)(void);

	/* Is nothing in flight, queued or to be delivered? */
	bool (*is_idle)(void);
};

void engine_init(const struct engine_client *client);

/*
 * [any thread] Hand over a list of messages, linked from newest (@first) to oldest (@last).  Starts
 * the engine if there is none.  0 or -errno: -EAGAIN (no thread), -ENOSYS (the backend that was
 * asked for by name cannot serve).
 */
int engine_hand_over(struct message *first, struct message *last);

/* Services that any thread may ask for without a message of its own. */
enum engine_ask {
	ENGINE_ASK_DRAINED = 1u << 0, /* one left the bypass table; queued ones may wait for it */
	ENGINE_ASK_WORKERS = 1u << 1, /* call workers_provide() */
	ENGINE_ASK_REAPER = 1u << 2,  /* make the reaper */
	ENGINE_ASK_COPIER = 1u << 3,  /* make the copier */
};

/*
 * [any thread, also in handlers] Ask for @what.  False: there is no engine.  One is started only
 * for ENGINE_ASK_WORKERS, or if several threads ask at once.
 */
bool engine_ask(enum engine_ask what);

/* [engine] MESSAGE_ASK came in: return and clear the bits that were asked for. */
unsigned engine_asked(void);

/*
 * [any thread] Start the engine, unless it runs or is being started, to see whether the backend
 * that was asked for by name can serve.  0 or -errno as above.
 */
int engine_start(void);

/* [any thread] Name of the backend in use; "none": there is no engine. */
const char *engine_serving(void);

/* [any thread] Is there an engine, or is it being made? */
bool engine_is_running(void);

/* [any thread] Thread id of the engine; 0: there is none. */
pid_t engine_tid(void);

/* [any thread] May io_uring serve?  Before the engine has tried, the configuration decides. */
bool engine_may_have_ring(void);

/* [engine] The backend in use. */
const struct backend *engine_backend(void);

/* [engine] Receive all messages that are in the inbox. */
void engine_receive(void);

/* [engine] Submit what the backend has prepared.  Afterwards the kernel has it. */
void engine_flush(void);

/* [engine] Has the kernel stopped serving?  Then no request on the ring holds its file any more. */
bool engine_has_lost_ring(void);

/* Child of a fork: no engine. */
void engine_after_fork(void);

extern const struct dump_engine engine_dump; /* base/dump_root.h */

#endif
