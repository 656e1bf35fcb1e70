// SPDX-License-Identifier: MIT
/*
 * fuzz.c - random programs of AIO operations, held against a model
 *
 * The command line. scripts/fuzz calls it with the library preloaded; what is in
 * the other files is said in test/README.md.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "generate.h"
#include "shrink.h"
#include "trial.h"

#define BATCH 256 /* programs in one process, if none fails */

static struct {
	uint64_t seed, count, seconds, repeat, failures;
	bool shrinks, prints;
} options = { .seed = 1, .count = 1000, .repeat = 1, .failures = 1 };

static uint64_t nr_passed, nr_failed;
static struct timespec begin;

static double seconds_since_begin(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - begin.tv_sec) + (double)(now.tv_nsec - begin.tv_nsec) / 1e9;
}

static const char *implementation(void)
{
	const char *name = getenv("RTAIO_TEST_IMPLEMENTATION");

	return name ? name : "glibc";
}

static void usage(FILE *out)
{
	fprintf(out, "usage: fuzz [option]... [FILE]...\n"
		     "Run random programs, or those in the files.\n\n"
		     "  --seed N      the first seed (default 1)\n"
		     "  --count N     so many programs (default 1000)\n"
		     "  --seconds N   no longer than that\n"
		     "  --failures N  go on until so many have failed (default 1)\n"
		     "  --repeat N    run each file so often (default 1)\n"
		     "  --shrink      make a program that fails smaller\n"
		     "  --print       print the program of the seed, run nothing\n\n"
		     "Left out for glibc:\n");
	features_print(out);
}

static void tell_failure(const char *name, const struct program *program,
			 const struct outcome *outcome)
{
	char text[512] = "at the end";

	if (outcome->step < program->nr)
		step_print(&program->steps[outcome->step], text, sizeof(text));
	printf("%s: FAILED on %s\n%s: %s\nlast step: %s\n", name, implementation(), outcome->class,
	       outcome->text, text);
	program_print(program, stdout);
	fflush(stdout);
}

static void tell_shrunk(struct program *program, const struct outcome *outcome)
{
	int rate;

	setenv("RTAIO_TEST_DEADLINE_MS", "2000", 0);
	rate = shrink(program, outcome->class);
	if (rate == 0) {
		printf("alone, it does not fail\n");
		return;
	}
	printf("smaller (at least %d of 100 runs fail):\n", rate);
	program_print(program, stdout);
	fflush(stdout);
}

static void fail(const char *name, struct program *program, const struct outcome *outcome)
{
	nr_failed++;
	tell_failure(name, program, outcome);
	if (options.shrinks)
		tell_shrunk(program, outcome);
}

static bool is_over(void)
{
	return nr_failed >= options.failures ||
	       (options.seconds && seconds_since_begin() >= (double)options.seconds);
}

static void run_seeds(void)
{
	static struct program program;
	uint64_t seed = options.seed, end = options.seed + options.count;
	struct outcome outcome;
	char name[64];

	while (seed < end && !is_over()) {
		trial_run(generate, seed, end - seed < BATCH ? end - seed : BATCH, &outcome);
		nr_passed += outcome.nr_passed;
		seed += outcome.nr_passed;
		if (!outcome.failed)
			continue;
		generate(seed, &program);
		snprintf(name, sizeof(name), "seed %" PRIu64, seed++);
		fail(name, &program, &outcome);
	}
}

static bool run_file(const char *name)
{
	static struct program program;
	struct outcome outcome = { 0 };
	FILE *in = fopen(name, "r");
	bool is_good;

	if (!in) {
		perror(name);
		return false;
	}
	is_good = program_parse(&program, in, name);
	fclose(in);
	if (!is_good)
		return false;
	for (uint64_t i = 0; i < options.repeat && !outcome.failed; i++)
		trial_run_one(&program, &outcome);
	if (outcome.failed)
		fail(name, &program, &outcome);
	else
		nr_passed++;
	return true;
}

static void print_program(void)
{
	static struct program program;

	generate(options.seed, &program);
	program_print(&program, stdout);
}

static bool parse_options(int argc, char **argv)
{
	static const struct option known[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "count", required_argument, NULL, 'n' },
		{ "seconds", required_argument, NULL, 't' },
		{ "repeat", required_argument, NULL, 'r' },
		{ "failures", required_argument, NULL, 'f' },
		{ "shrink", no_argument, NULL, 'S' },
		{ "print", no_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (option) {
		case 's':
			options.seed = strtoull(optarg, NULL, 0);
			break;
		case 'n':
			options.count = strtoull(optarg, NULL, 0);
			break;
		case 't':
			options.seconds = strtoull(optarg, NULL, 0);
			break;
		case 'r':
			options.repeat = strtoull(optarg, NULL, 0);
			break;
		case 'f':
			options.failures = strtoull(optarg, NULL, 0);
			break;
		case 'S':
			options.shrinks = true;
			break;
		case 'p':
			options.prints = true;
			break;
		case 'h':
			usage(stdout);
			exit(0);
		default:
			usage(stderr);
			return false;
		}
	}
	return true;
}

int main(int argc, char **argv)
{
	if (!parse_options(argc, argv))
		return 2;
	features_choose(implementation());
	if (options.prints) {
		print_program();
		return 0;
	}
	trial_init();
	clock_gettime(CLOCK_MONOTONIC, &begin);
	if (optind == argc)
		run_seeds();
	for (int i = optind; i < argc; i++)
		if (!run_file(argv[i]))
			return 2;
	printf("%" PRIu64 " passed, %" PRIu64 " failed, 0 skipped (%s, %.0f programs/s)\n",
	       nr_passed, nr_failed, implementation(),
	       (double)(nr_passed + nr_failed) / seconds_since_begin());
	return nr_failed ? 1 : 0;
}
