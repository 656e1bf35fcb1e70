/* SPDX-License-Identifier: MIT */
/*
 * generator.h - what a program that is being made has so far, and its luck
 */
#ifndef RTAIO_FUZZ_GENERATOR_H
#define RTAIO_FUZZ_GENERATOR_H

#include "program.h"

/* A descriptor, as far as it matters which steps make sense on it. */
struct known {
	bool exists, is_closed, is_file, is_on_disk, is_direct, is_append, is_bad;
	bool can_read, can_write; /* by AIO */
	bool can_feed, can_drain;
};

struct generator {
	uint64_t state;
	struct program *program;
	bool is_in_child;
	bool has_second, is_second; /* a second process: exists, makes the step */
	struct known known[DESCRIPTORS_MAX], of_other[DESCRIPTORS_MAX];
	int nr_descriptors, nr_requests;
	int weights[VERB_NR];
	int total_weight;
	int threads_percent, handler_percent, notice_percent, odd_percent, priority_percent;
	int64_t hot; /* offset that requests like */
};

/* The numbers of a seed, by splitmix64. */
uint64_t generator_next(struct generator *g);
int below(struct generator *g, int limit);
bool percent(struct generator *g, int chance);

struct step *add(struct generator *g, enum verb verb);

/* ---- descriptors ---- */

bool has_room(const struct generator *g);
int new_descriptor(struct generator *g, struct known known);
void add_file(struct generator *g);
void add_stream(struct generator *g);

/* The second process, with all files that are open, and one step of it. */
void add_process(struct generator *g);
void switch_process(struct generator *g);

/* VERB_OPEN, VERB_DUP and VERB_DUP2 */
void add_again(struct generator *g, enum verb verb);

/* One of those that fit, or -1. */
int pick(struct generator *g, bool (*fits)(const struct known *known));
bool is_any(const struct known *known);
bool is_open(const struct known *known);
bool is_open_file(const struct known *known);
bool can_read(const struct known *known);
bool can_write(const struct known *known);
bool can_feed(const struct known *known);
bool can_drain(const struct known *known);

#endif
