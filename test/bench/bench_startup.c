// SPDX-License-Identifier: MIT
/*
 * bench_startup.c - what starting a program takes that never uses AIO
 *
 * bench_startup posix SECONDS - PROGRAM [ARGUMENT]...
 *
 * The median from posix_spawn to the end of the program.  LD_PRELOAD is left
 * to the environment: the same value reaches this program and that one.
 */
#include "bench.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#define STARTS_MAX 100000

extern char **environ;

static uint64_t start_once(char **argv)
{
	uint64_t begin = now_ns();
	int status;
	pid_t pid;

	errno = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
	if (errno)
		die("%s", argv[0]);
	if (waitpid(pid, &status, 0) != pid || status != 0)
		die("%s ended with status %d", argv[0], status);
	return now_ns() - begin;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static uint64_t samples[STARTS_MAX];
	uint64_t end_ns;
	size_t nr = 0;

	if (argc < 5)
		die("usage: bench_startup posix SECONDS - PROGRAM [ARGUMENT]...");
	end_ns = bench_duration(argv[2]);
	start_once(argv + 4);
	bench_begin();
	while (nr < STARTS_MAX && bench_elapsed_ns() < end_ns)
		samples[nr++] = start_once(argv + 4);
	qsort(samples, nr, sizeof(samples[0]), compare);
	printf("- %llu ns - %zu\n", (unsigned long long)samples[nr / 2], nr);
	return 0;
}
