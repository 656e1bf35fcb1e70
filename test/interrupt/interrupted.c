// SPDX-License-Identifier: MIT
/*
 * interrupted.c - signals come while a program is inside the library, and their handler uses AIO
 *
 *   interrupted step|storm TIMES [OBJECT]
 *
 * Ends when TIMES signals have been handled: at single instructions of the library (or of the
 * object whose path has OBJECT in it), or at random moments.  The last line is "N passed, N failed,
 * N skipped".
 */
#include "program.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define SIGNALS_MAX 2000 /* in a round */

static int usage(void)
{
	fprintf(stderr, "usage: interrupted step|storm TIMES [OBJECT]\n");
	return 2;
}

int main(int argc, char **argv)
{
	const char *object = argc > 3 ? argv[3] : "librtaio";
	long times = argc > 2 ? atol(argv[2]) : 0;
	bool is_stepped = argc > 1 && strcmp(argv[1], "step") == 0;
	bool is_right;
	pid_t pid;

	if (times <= 0 || (!is_stepped && strcmp(argv[1], "storm")))
		return usage();
#ifndef __x86_64__
	if (is_stepped) {
		printf("# skipped: it knows the registers of 64-bit x86 alone\n"
		       "0 passed, 0 failed, 1 skipped\n");
		return 0;
	}
#endif
	pid = start_program(object, is_stepped);
	if (shared->end_text == 0) {
		fprintf(stderr, "interrupted: no '%s' in this program\n", object);
		kill(pid, SIGKILL);
		return 2;
	}
	is_right = is_stepped ? step_through(pid, times) : storm(pid, times);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	printf("# %ld signals in %ld rounds, %ld at an instruction of the library\n",
	       shared->nr_handled, shared->nr_rounds, shared->nr_inside);
	if (is_right && shared->nr_rounds < shared->nr_handled / SIGNALS_MAX) {
		print_failure("does not get on");
		is_right = false;
	}
	printf("%d passed, %d failed, 0 skipped\n", is_right, !is_right);
	return !is_right;
}
