// SPDX-License-Identifier: MIT
/*
 * generate.c - a random program from a seed
 *
 * Each program has a taste of its own: which verbs it knows, how often requests
 * overlap, how many are notified. A mixture of everything in every program would
 * find less.
 */
#include "generate.h"

#include <string.h>

#include "generator.h"

/* ---- requests ---- */

static void choose_range(struct generator *g, struct step *step, const struct known *known)
{
	static const int64_t lengths[] = { 1, 100, 512, 4096, 4096, 5000, 8192, 16384 };
	static const int64_t strange[] = { -1, -4096, INT64_MIN, INT64_MAX, OFFSET_TOO_LARGE };

	step->length = lengths[below(g, 8)];
	if (percent(g, 5))
		step->length = 0;
	else if (percent(g, 6))
		step->length = below(g, 150000);
	if (known->is_file)
		step->offset = percent(g, 50) ? g->hot : below(g, 20) * 4096;
	if (known->is_file && percent(g, 30))
		step->offset += below(g, 5000);
	if (percent(g, g->odd_percent / 2))
		step->offset = strange[below(g, known->is_on_disk ? 5 : 4)];
	if (known->is_direct && (known->is_append || percent(g, 96))) {
		step->length = (step->length + 511) & -512;
		step->offset &= -512;
	}
}

static void choose_notice(struct generator *g, struct step *step)
{
	step->notice = percent(g, g->notice_percent) ? 1 + below(g, NOTICE_NR - 1) : NOTICE_NONE;
	if (step->notice == NOTICE_INVALID && !feature_is_on(FEATURE_INVALID_SIGNAL))
		step->notice = NOTICE_ZERO;
}

static void choose_priority(struct generator *g, struct step *step, const struct known *known)
{
	static const int bad[] = { -1, 21, 1000, INT32_MIN };

	if (percent(g, g->odd_percent / 2))
		step->priority = bad[below(g, 4)];
	else if (percent(g, g->priority_percent) &&
		 (!known->is_file || feature_is_on(FEATURE_FILE_PRIORITY)))
		step->priority = below(g, 21);
}

/* Requests that make no sense are requests as well. */
static int choose_descriptor(struct generator *g, enum verb verb)
{
	if (percent(g, g->odd_percent))
		return pick(g, is_any);
	if (verb == VERB_READ)
		return pick(g, can_read);
	if (verb == VERB_WRITE)
		return pick(g, can_write);
	/* Off with priorities on streams, which aio_fsync would overtake. */
	return feature_is_on(FEATURE_FILE_PRIORITY) && percent(g, 20) ? pick(g, is_open)
								      : pick(g, is_open_file);
}

static void choose_actor(struct generator *g, struct step *step)
{
	if (g->is_second)
		return;
	if (percent(g, g->threads_percent))
		step->actor = BY_THREAD_0 + below(g, 2);
	else if (feature_is_on(FEATURE_SUBMIT_IN_HANDLER) && percent(g, g->handler_percent))
		step->actor = BY_HANDLER;
}

/* Not those that run beside others of the same process. */
static bool may_reuse_blocks(int actor)
{
	return actor == BY_MAIN || actor == BY_PROCESS;
}

static void add_request(struct generator *g, enum verb verb, bool is_listed)
{
	int descriptor = choose_descriptor(g, verb);
	struct step *step;

	if (descriptor < 0 || g->nr_requests == REQUESTS_MAX)
		return;
	if (!feature_is_on(FEATURE_FILE_PRIORITY) && (verb == VERB_FSYNC || verb == VERB_DSYNC) &&
	    !g->known[descriptor].is_file && !g->known[descriptor].is_bad)
		return;
	step = add(g, verb);
	step->is_listed = is_listed;
	step->descriptor = descriptor;
	step->request = g->nr_requests++;
	choose_notice(g, step);
	choose_priority(g, step, &g->known[descriptor]);
	if (verb == VERB_READ || verb == VERB_WRITE) {
		choose_range(g, step, &g->known[descriptor]);
		if (percent(g, g->odd_percent))
			step->buffer = 1 + below(g, BUFFER_NR - 1);
		/* What it leaves behind if it fails, nobody can tell. */
		if (g->known[descriptor].is_direct && g->known[descriptor].is_append &&
		    step->buffer == BUFFER_CROSSING)
			step->buffer = BUFFER_BAD;
	} else if (!is_listed) {
		step->priority = 0;
	}
	if (!is_listed)
		choose_actor(g, step);
	if (may_reuse_blocks(step->actor) && step->request > 0 && percent(g, 10))
		step->block = below(g, step->request);
}

static void add_list(struct generator *g)
{
	static const enum verb verbs[] = { VERB_READ,    VERB_WRITE, VERB_READ, VERB_WRITE,
					   VERB_READ,    VERB_WRITE, VERB_NULL, VERB_NOP,
					   VERB_STRANGE, VERB_FSYNC };
	int nr = below(g, 8);
	struct step *step = add(g, VERB_LIST);
	int actor;

	step->mode = below(g, 2);
	choose_notice(g, step);
	choose_actor(g, step);
	actor = step->actor;
	for (int i = 0; i < nr; i++) {
		enum verb verb = verbs[below(g, 10)];
		int first = g->program->nr;

		if (verb == VERB_NULL)
			add(g, VERB_NULL)->is_listed = true;
		else
			add_request(g, verb == VERB_STRANGE && percent(g, 70) ? VERB_WRITE : verb,
				    true);
		for (int j = first; j < g->program->nr && !may_reuse_blocks(actor); j++)
			g->program->steps[j].block = -1;
	}
}

/* ---- the rest ---- */

static int some_request(struct generator *g)
{
	/* Mostly one of the latest. */
	if (g->nr_requests == 0)
		return -1;
	return percent(g, 70) && g->nr_requests > 6 ? g->nr_requests - 1 - below(g, 6)
						    : below(g, g->nr_requests);
}

static void add_suspend(struct generator *g)
{
	struct step *step = add(g, VERB_SUSPEND);

	step->nr_entries = 1 + below(g, ENTRIES_MAX);
	for (int i = 0; i < step->nr_entries; i++)
		step->entries[i] = percent(g, 10) ? NO_ENTRY : some_request(g);
	if (percent(g, 40))
		step->timeout_us = below(g, 3) ? below(g, 500) : 0;
	choose_actor(g, step);
	if (step->actor == BY_HANDLER)
		step->actor = BY_MAIN;
}

static void add_cancel(struct generator *g)
{
	struct step *step = add(g, VERB_CANCEL);

	if (feature_is_on(FEATURE_CANCEL_ONE) && percent(g, 60))
		step->request = some_request(g);
	for (int i = 0; i < g->program->nr && step->request >= 0; i++)
		if (g->program->steps[i].request == step->request &&
		    g->program->steps[i].verb != VERB_CANCEL && percent(g, 90))
			step->descriptor = g->program->steps[i].descriptor;
	if (step->descriptor < 0)
		step->descriptor = pick(g, is_any);
	choose_actor(g, step);
	if (step->actor == BY_HANDLER)
		step->actor = BY_MAIN;
}

static void add_move(struct generator *g, enum verb verb)
{
	int descriptor = pick(g, verb == VERB_FEED ? can_feed : can_drain);
	struct step *step;

	if (descriptor < 0)
		return;
	step = add(g, verb);
	step->descriptor = descriptor;
	step->length = 1 + (percent(g, 30) ? below(g, 20) : below(g, 4096));
	if (percent(g, g->threads_percent))
		step->actor = BY_THREAD_0 + below(g, 2);
}

static void add_close(struct generator *g)
{
	int descriptor = pick(g, is_open);

	if (descriptor < 0)
		return;
	g->known[descriptor].is_closed = true;
	add(g, VERB_CLOSE)->descriptor = descriptor;
}

static void add_steps(struct generator *g, int nr);

/* The child has descriptors and requests of its own; the numbers go on. */
static void add_child(struct generator *g)
{
	struct generator child;

	if (g->is_in_child || g->is_second || g->nr_descriptors + 8 > DESCRIPTORS_MAX ||
	    g->program->nr + 20 > STEPS_MAX)
		return;
	add(g, VERB_FORK);
	child = *g;
	child.is_in_child = true;
	child.threads_percent = 0;
	child.handler_percent = 0;
	memset(child.known, 0, sizeof(child.known));
	add_file(&child);
	if (percent(&child, 50))
		add_stream(&child);
	add_steps(&child, 1 + below(g, 8));
	g->state = child.state;
	g->nr_requests = child.nr_requests;
}

static void add_step(struct generator *g)
{
	int choice = below(g, g->total_weight);
	int verb = 0;

	while (choice >= g->weights[verb])
		choice -= g->weights[verb++];
	switch (verb) {
	case VERB_FILE:
		if (has_room(g) && !g->is_second)
			add_file(g);
		break;
	case VERB_PIPE:
		if (has_room(g) && !g->is_second)
			add_stream(g);
		break;
	case VERB_OPEN:
	case VERB_DUP:
	case VERB_DUP2:
		add_again(g, verb);
		break;
	case VERB_LIST:
		add_list(g);
		break;
	case VERB_SUSPEND:
		add_suspend(g);
		break;
	case VERB_CANCEL:
		add_cancel(g);
		break;
	case VERB_FEED:
	case VERB_DRAIN:
		add_move(g, verb);
		break;
	case VERB_CLOSE:
		add_close(g);
		break;
	case VERB_SCRUB:
		add(g, VERB_SCRUB)->request = some_request(g);
		break;
	case VERB_FORK:
		add_child(g);
		break;
	case VERB_JOIN:
	case VERB_COLLECT:
		if (verb == VERB_COLLECT || !g->is_second)
			add(g, verb);
		break;
	default:
		add_request(g, verb, false);
	}
}

static void add_steps(struct generator *g, int nr)
{
	for (int i = 0; i < nr; i++) {
		if (g->has_second && !g->is_in_child && percent(g, 45)) {
			switch_process(g);
			add_step(g);
			switch_process(g);
		} else {
			add_step(g);
		}
	}
}

static void choose_taste(struct generator *g)
{
	static const struct {
		enum verb verb;
		int weight, chance; /* how often, and in how many programs at all */
	} tastes[] = {
		{ VERB_READ, 30, 95 },   { VERB_WRITE, 30, 95 }, { VERB_FSYNC, 3, 25 },
		{ VERB_DSYNC, 3, 25 },   { VERB_LIST, 6, 50 },   { VERB_SUSPEND, 8, 70 },
		{ VERB_CANCEL, 6, 50 },  { VERB_FEED, 10, 80 },  { VERB_DRAIN, 8, 80 },
		{ VERB_FILE, 2, 30 },    { VERB_OPEN, 3, 40 },   { VERB_DUP, 3, 40 },
		{ VERB_PIPE, 2, 30 },    { VERB_CLOSE, 3, 30 },  { VERB_DUP2, 2, 20 },
		{ VERB_COLLECT, 4, 60 }, { VERB_SCRUB, 4, 40 },  { VERB_JOIN, 2, 50 },
		{ VERB_FORK, 2, 8 },
	};

	for (size_t i = 0; i < sizeof(tastes) / sizeof(tastes[0]); i++) {
		enum verb verb = tastes[i].verb;
		bool is_off = ((verb == VERB_CLOSE || verb == VERB_DUP2) &&
			       !feature_is_on(FEATURE_CLOSE)) ||
			      (verb == VERB_FORK && !feature_is_on(FEATURE_FORK));

		if (percent(g, tastes[i].chance) && !is_off)
			g->weights[verb] = tastes[i].weight;
		g->total_weight += g->weights[verb];
	}
	if (g->total_weight == 0)
		g->total_weight = g->weights[VERB_READ] = 1;
	g->threads_percent = percent(g, 30) ? 10 + below(g, 60) : 0;
	g->handler_percent = percent(g, 20) ? below(g, 40) : 0;
	g->notice_percent = percent(g, 50) ? below(g, 100) : 0;
	g->odd_percent = percent(g, 50) ? below(g, 15) : 0;
	g->priority_percent = percent(g, 30) ? below(g, 100) : 0;
	g->hot = below(g, 6) * 4096;
}

void generate(uint64_t seed, struct program *program)
{
	static const int64_t bad[] = { -1, 900, INT32_MAX, INT32_MIN };
	struct generator g = { .state = seed * 0x2545f4914f6cdd1du + 1, .program = program };
	int nr_objects;

	memset(program, 0, sizeof(*program));
	program->seed = seed;
	choose_taste(&g);
	if (feature_is_on(FEATURE_INTERRUPT) && percent(&g, 30))
		add(&g, VERB_RESTLESS);
	if (g.odd_percent) {
		struct step *step = add(&g, VERB_BAD);

		step->size = bad[below(&g, 4)];
		step->descriptor = new_descriptor(&g, (struct known){ .is_bad = true });
	}
	nr_objects = 1 + below(&g, 4);
	for (int i = 0; i < nr_objects; i++) {
		if (percent(&g, 55))
			add_file(&g);
		else
			add_stream(&g);
	}
	if (percent(&g, 20)) {
		if (feature_is_on(FEATURE_FORK) && percent(&g, 50))
			add_steps(&g, below(&g, 8));
		if (has_room(&g))
			add_process(&g);
	}
	add_steps(&g, 4 + below(&g, 30));
}
