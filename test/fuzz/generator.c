// SPDX-License-Identifier: MIT
/*
 * generator.c - the luck of a program that is being made, and its descriptors
 */
#include "generator.h"

#include "generate.h"

uint64_t generator_next(struct generator *g)
{
	uint64_t x = g->state += 0x9e3779b97f4a7c15u;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

int below(struct generator *g, int limit)
{
	return (int)(generator_next(g) % (uint64_t)limit);
}

bool percent(struct generator *g, int chance)
{
	return below(g, 100) < chance;
}

struct step *add(struct generator *g, enum verb verb)
{
	static struct step surplus;
	struct program *program = g->program;
	struct step *step = program->nr < STEPS_MAX ? &program->steps[program->nr++] : &surplus;

	*step = step_init(verb);
	step->is_in_child = g->is_in_child;
	step->actor = g->is_second ? BY_PROCESS : BY_MAIN;
	return step;
}

/* ---- descriptors ---- */

int new_descriptor(struct generator *g, struct known known)
{
	known.exists = true;
	g->known[g->nr_descriptors] = known;
	return g->nr_descriptors++;
}

bool has_room(const struct generator *g)
{
	return g->nr_descriptors + 2 <= DESCRIPTORS_MAX;
}

void add_file(struct generator *g)
{
	static const int64_t sizes[] = { 0, 0, 100, 4096, 8192, 20000, 40960, 70000 };
	struct step *step = add(g, VERB_FILE);
	struct known known = { .is_file = true };

	step->kind = below(g, 8) < 3 ? KIND_DIRECT : below(g, 2) ? KIND_DISK : KIND_SHM;
	step->size = sizes[below(g, 8)];
	step->access = percent(g, 20) ? ACCESS_APPEND : percent(g, 10) ? below(g, 3) : ACCESS_BOTH;
	known.is_on_disk = step->kind != KIND_SHM;
	known.is_direct = step->kind == KIND_DIRECT;
	known.is_append = step->access == ACCESS_APPEND;
	known.can_read = step->access != ACCESS_WRITE;
	known.can_write = step->access != ACCESS_READ;
	if (known.is_direct)
		step->size &= -512;
	step->descriptor = new_descriptor(g, known);
}

void add_stream(struct generator *g)
{
	bool is_socket = percent(g, 40);
	struct step *step = add(g, is_socket ? VERB_SOCKET : VERB_PIPE);
	struct known one = { 0 }, other = { 0 };

	step->is_nonblocking = percent(g, 10);
	step->reader = percent(g, 25) ? USAGE_PLAIN : USAGE_AIO;
	step->writer = percent(g, 40) ? USAGE_PLAIN : USAGE_AIO;
	/* One AIO user for each descriptor, where it matters. */
	if (is_socket && !feature_is_on(FEATURE_BOTH_WAYS)) {
		step->reader = USAGE_AIO;
		step->writer = USAGE_PLAIN;
	}
	one.can_read = step->reader == USAGE_AIO;
	one.can_drain = !one.can_read;
	other.can_write = step->writer == USAGE_AIO;
	other.can_feed = !other.can_write;
	if (is_socket) {
		one.can_write = step->reader == USAGE_AIO;
		one.can_feed = !one.can_write;
		other.can_read = step->writer == USAGE_AIO;
		other.can_drain = !other.can_read;
	}
	if (is_socket && !feature_is_on(FEATURE_BOTH_WAYS))
		one.can_write = false; /* nor feeds: it may submit reads only */
	step->descriptor = new_descriptor(g, one);
	step->peer = new_descriptor(g, other);
}

void add_process(struct generator *g)
{
	add_file(g); /* there must be one */
	add(g, VERB_PROCESS);
	g->has_second = true;
	for (int i = 0; i < DESCRIPTORS_MAX; i++)
		if (g->known[i].is_file || g->known[i].is_bad)
			g->of_other[i] = g->known[i];
}

void switch_process(struct generator *g)
{
	struct known known;

	for (int i = 0; i < DESCRIPTORS_MAX; i++) {
		known = g->known[i];
		g->known[i] = g->of_other[i];
		g->of_other[i] = known;
	}
	g->is_second = !g->is_second;
}

int pick(struct generator *g, bool (*fits)(const struct known *known))
{
	int fitting[DESCRIPTORS_MAX], nr = 0;

	for (int i = 0; i < g->nr_descriptors; i++)
		if (fits(&g->known[i]))
			fitting[nr++] = i;
	return nr ? fitting[below(g, nr)] : -1;
}

bool is_open_file(const struct known *known)
{
	return known->is_file && !known->is_closed;
}

bool is_open(const struct known *known)
{
	return known->exists && !known->is_closed && !known->is_bad;
}

bool is_any(const struct known *known)
{
	return known->exists;
}

bool can_read(const struct known *known)
{
	return known->can_read && !known->is_closed;
}

bool can_write(const struct known *known)
{
	return known->can_write && !known->is_closed;
}

bool can_feed(const struct known *known)
{
	return known->can_feed && !known->is_closed;
}

bool can_drain(const struct known *known)
{
	return known->can_drain && !known->is_closed;
}

void add_again(struct generator *g, enum verb verb)
{
	int of = pick(g, is_open_file);
	struct known known;
	struct step *step;

	if (of < 0 || !has_room(g))
		return;
	known = g->known[of];
	step = add(g, verb);
	step->of = of;
	if (verb == VERB_OPEN) {
		step->access = percent(g, 30) ? below(g, ACCESS_NR) : ACCESS_BOTH;
		known.can_read = step->access != ACCESS_WRITE || known.is_append;
		known.can_write = step->access != ACCESS_READ;
	}
	if (verb == VERB_DUP2) {
		step->peer = pick(g, is_open);
		g->known[step->peer].is_closed = step->peer != of;
	}
	step->descriptor = new_descriptor(g, known);
}
