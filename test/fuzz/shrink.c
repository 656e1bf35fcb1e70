// SPDX-License-Identifier: MIT
/*
 * shrink.c - a smaller program that fails in the same way
 *
 * Steps are left out, half of them first and single ones last; then what is left
 * is made plainer. A failure may be a matter of luck: a candidate is run as often
 * as the original needs to fail almost surely.
 */
#include "shrink.h"

#include <string.h>

#include "trial.h"

#define RUNS_MAX 200

static bool fails(const struct program *program, const char *class, int nr_runs)
{
	struct outcome outcome;

	for (int i = 0; i < nr_runs; i++) {
		trial_run_one(program, &outcome);
		if (outcome.failed && strcmp(outcome.class, class) == 0)
			return true;
	}
	return false;
}

static int failures_of(const struct program *program, const char *class, int nr_runs)
{
	int nr = 0;

	for (int i = 0; i < nr_runs && nr < 10; i++)
		nr += fails(program, class, 1);
	return nr;
}

static bool leave_out(struct program *program, int first, int nr, const char *class, int nr_runs)
{
	static struct program smaller;

	smaller = *program;
	memmove(&smaller.steps[first], &smaller.steps[first + nr],
		sizeof(smaller.steps[0]) * (size_t)(smaller.nr - first - nr));
	smaller.nr -= nr;
	if (!fails(&smaller, class, nr_runs))
		return false;
	*program = smaller;
	return true;
}

static void leave_out_all(struct program *program, const char *class, int nr_runs)
{
	for (int size = program->nr / 2; size >= 1; size /= 2)
		for (int first = program->nr - size; first >= 0; first -= size)
			if (first + size <= program->nr)
				leave_out(program, first, size, class, nr_runs);
}

/* The ways in which a step can be plainer, one after the other; false: no more. */
static bool make_plainer(struct step *step, int way)
{
	struct step initial = step_init(step->verb);

	switch (way) {
	case 0:
		step->notice = NOTICE_NONE;
		return true;
	case 1:
		step->priority = 0;
		return true;
	case 2:
		step->buffer = BUFFER_GOOD;
		return true;
	case 3:
		step->block = initial.block;
		return true;
	case 4:
		step->actor = BY_MAIN;
		return true;
	case 5:
		step->nr_entries = step->nr_entries > 1 ? 1 : step->nr_entries;
		return true;
	case 6:
		step->timeout_us = initial.timeout_us;
		return true;
	case 7:
		step->size = step->verb == VERB_BAD ? step->size : 0;
		return true;
	case 8:
		step->offset = 0;
		return true;
	case 9:
		step->length = step->length > 4096 ? 4096 : step->length;
		return true;
	case 10:
		step->length = step->length > 1 ? 1 : step->length;
		return true;
	case 11:
		step->mode = initial.mode;
		return true;
	default:
		return false;
	}
}

static void make_all_plainer(struct program *program, const char *class, int nr_runs)
{
	static struct program plainer;

	for (int i = 0; i < program->nr; i++) {
		for (int way = 0;; way++) {
			plainer = *program;
			if (!make_plainer(&plainer.steps[i], way))
				break;
			if (memcmp(&plainer, program, sizeof(plainer)) != 0 &&
			    fails(&plainer, class, nr_runs))
				*program = plainer;
		}
	}
}

int shrink(struct program *program, const char *class)
{
	int nr_failures = failures_of(program, class, RUNS_MAX);
	int nr_runs;

	if (nr_failures == 0)
		return 0;
	nr_runs = nr_failures >= 10 ? 10 : RUNS_MAX / nr_failures;
	leave_out_all(program, class, nr_runs);
	make_all_plainer(program, class, nr_runs);
	leave_out_all(program, class, nr_runs);
	return failures_of(program, class, 100);
}
