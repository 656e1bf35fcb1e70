// SPDX-License-Identifier: MIT
/*
 * strained.c - requests under conditions that are rare, and no error
 *
 *   strained completions|events|short SEED
 *
 * It prints one line, as test/faults/faulted does: "ok" and how often the condition was met, or
 * "FAULT" and what is wrong.
 *
 * Exit status: 0 ok, 1 FAULT, 2 it cannot be done here.
 */
#include "strained.h"

#define LIMIT_MS     120000
#define NOT_POSSIBLE 77

static const struct trial {
	const char *name;
	int (*run)(unsigned int seed);
} trials[] = {
	{ "completions", try_completions },
	{ "events", try_events },
	{ "short", try_short },
};

static const struct trial *chosen;
static unsigned int seed;

/* Its output is the last line of the program. */
static int run(void)
{
	int nr_met = chosen->run(seed);

	if (nr_met < 0)
		return NOT_POSSIBLE;
	printf("ok %d 0 0\n", nr_met);
	return 0;
}

int main(int argc, char **argv)
{
	struct child_result result;

	for (size_t i = 0; argc == 3 && i < sizeof(trials) / sizeof(*trials); i++)
		if (strcmp(argv[1], trials[i].name) == 0)
			chosen = &trials[i];
	if (!chosen) {
		fprintf(stderr, "usage: strained completions|events|short SEED\n");
		return 2;
	}
	seed = (unsigned int)strtoul(argv[2], NULL, 10);
	temp_dir(), direct_dir(); /* of this process, which removes them */
	result = in_child(run, LIMIT_MS);
	if (result.end == CHILD_EXITED && result.code == 0) {
		fputs(result.output, stdout);
		return 0;
	}
	if (result.end == CHILD_EXITED && result.code == NOT_POSSIBLE) {
		printf("skip %s\n", result.output);
		return 2;
	}
	result.output[strcspn(result.output, "\n")] = '\0';
	printf("FAULT %s: %s\n", describe_child(&result), result.output);
	return 1;
}
