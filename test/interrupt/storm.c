// SPDX-License-Identifier: MIT
/*
 * storm.c - signals at random moments, as fast as the program handles them
 */
#include "program.h"

#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

#define NS_PER_S    1000000000LL
#define LIMIT_NS    (20 * NS_PER_S) /* so long nothing may come to a stop */
#define PAUSE_SHIFT 15              /* a pause is shorter than 2^15 ns, most are much shorter */

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * NS_PER_S + time.tv_nsec;
}

/* Without a pause the program would never get from one handler to the next. */
static void pause_for_moment(void)
{
	int64_t end = now() + random() % (1L << random() % PAUSE_SHIFT);

	while (now() < end)
		;
}

static bool await_handler(pid_t pid, long handled)
{
	int64_t begin = now();

	for (int turn = 1; shared->nr_handled == handled; turn++) {
		if (turn % 256)
			continue;
		sched_yield();
		if (waitpid(pid, NULL, WNOHANG) == pid) {
			print_failure("ends");
			return false;
		}
		if (now() - begin > LIMIT_NS) {
			print_failure("hangs");
			return false;
		}
	}
	return true;
}

bool storm(pid_t pid, long times)
{
	waitpid(pid, NULL, WUNTRACED);
	kill(pid, SIGCONT);
	while (shared->nr_handled < times) {
		long handled = shared->nr_handled;

		kill(pid, SIGUSR1);
		if (!await_handler(pid, handled))
			return false;
		pause_for_moment();
	}
	return true;
}
