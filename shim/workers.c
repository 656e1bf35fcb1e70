// SPDX-License-Identifier: MIT
/*
 * workers.c - threads that perform requests by plain system calls.
 */
#include "workers.h"

#include "config.h"
#include "engine.h"
#include "fd_kind.h"
#include "perform.h"

#define WORKERS_MAX 32768u /* where all are blocked; the system's limits come first */

static const struct workers_events *events;

static void run(struct request *req)
{
	fd_kind_learn(req);
	req->res = perform(req, req->fd);
}

void workers_report(struct request *req)
{
	req->message.kind = MESSAGE_EXECUTED;
	events->executed(req);
	/* The engine stays while requests are in flight: the inbox is open. */
	inbox_push(&engine_inbox, &req->message, &req->message);
}

static void finish(struct request *req)
{
	if (request_place(req) == PLACE_OFFLOADED)
		events->offloaded(req);
	else
		workers_report(req);
}

static void ask_for_tick(void)
{
	engine_ask(ENGINE_ASK_WORKERS);
}

struct thread_pool workers = {
	.thread_name = "rtaio-worker",
	.run = run,
	.finish = finish,
	.ask_for_tick = ask_for_tick,
	.nr_max = WORKERS_MAX,
};

bool workers_are_idle(void)
{
	return thread_pool_is_idle(&workers);
}

bool workers_exist(void)
{
	return inbox_is_open(&workers.inbox);
}

bool workers_offer(struct request *req)
{
	return thread_pool_offer(&workers, req);
}

void workers_provide(void)
{
	thread_pool_tick(&workers);
	thread_pool_provide(&workers);
}

void workers_start(const struct workers_events *events_)
{
	events = events_;
	workers.nr_eager = config.threads_max;
	thread_pool_init(&workers);
}
