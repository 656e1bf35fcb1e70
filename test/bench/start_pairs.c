// SPDX-License-Identifier: MIT
/*
 * start_pairs.c - what do preloaded libraries add to the start of a program?
 *
 * The program is started with each library in turn, "" for none, which comes
 * first; a round's times are compared with that of the same round.  So
 * differences of a few microseconds show that the drift of the machine hides
 * from bench_startup.  Run by hand; README.md says what follows:
 *
 *	cc -O2 -o /tmp/start_pairs test/bench/start_pairs.c
 *	/tmp/start_pairs 30 /bin/true "" /tmp/empty.so build/librtaio.so
 */
#define _GNU_SOURCE
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

#define LIBRARIES_MAX 16
#define ROUNDS_MAX    20000

static double times_us[LIBRARIES_MAX][ROUNDS_MAX];

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static double start_once(char *program, char *preload)
{
	char *arguments[] = { program, NULL }, *environment[] = { preload, NULL };
	double began = now_us();
	int status;
	pid_t pid;

	errno = posix_spawn(&pid, program, NULL, NULL, arguments, environment);
	if (errno || waitpid(pid, &status, 0) != pid || status != 0) {
		perror(program);
		exit(1);
	}
	return now_us() - began;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts. */
static double quartile(double *values, int nr, int which)
{
	qsort(values, (size_t)nr, sizeof(values[0]), compare);
	return values[nr * which / 4];
}

int main(int argc, char **argv)
{
	static double differences[LIBRARIES_MAX][ROUNDS_MAX];
	char *preloads[LIBRARIES_MAX];
	int nr = argc - 3, round;
	double end;

	if (nr < 1 || nr > LIBRARIES_MAX) {
		fprintf(stderr, "usage: start_pairs SECONDS PROGRAM \"\" [LIBRARY]...\n");
		return 2;
	}
	for (int i = 0; i < nr; i++)
		if (asprintf(&preloads[i], "LD_PRELOAD=%s", argv[3 + i]) < 0)
			return 1;
	end = now_us() + atof(argv[1]) * 1e6;
	for (round = 0; round < ROUNDS_MAX && now_us() < end; round++) {
		for (int turn = 0; turn < nr; turn++) {
			int i = (turn + round) % nr;

			times_us[i][round] = start_once(argv[2], preloads[i]);
		}
		for (int i = 0; i < nr; i++)
			differences[i][round] = times_us[i][round] - times_us[0][round];
	}
	for (int i = 0; i < nr; i++)
		printf("%7.1f us, %+6.1f (%+.1f to %+.1f) %s\n", quartile(times_us[i], round, 2),
		       quartile(differences[i], round, 2), quartile(differences[i], round, 1),
		       quartile(differences[i], round, 3), argv[3 + i]);
	return 0;
}
