// SPDX-License-Identifier: MIT
/*
 * step.c - a signal at every instruction of the library
 *
 * The program is stepped through, instruction by instruction.  The positions in the library at
 * which signals come move from one round of the program to the next.
 */
#include "program.h"

#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define STRIDE_MIN 37 /* and at most twice that */
#define LIMIT_S    20 /* so long nothing may come to a stop */

#ifndef __x86_64__
bool step_through(pid_t pid, long times)
{
	(void)pid;
	(void)times;
	return false;
}
#else

static unsigned long position(pid_t pid)
{
	return (unsigned long)ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user_regs_struct, rip),
				     NULL);
}

static void give_up(int signo)
{
	(void)signo;
}

/* The signal that the child stopped with; 0: it has ended, or does not stop. */
static int wait_for_stop(pid_t pid, int *status)
{
	alarm(LIMIT_S);
	if (waitpid(pid, status, 0) != pid) {
		print_failure("hangs");
		return 0;
	}
	alarm(0);
	if (WIFSTOPPED(*status))
		return WSTOPSIG(*status);
	printf("# status %#x\n", (unsigned int)*status);
	print_failure("ends");
	return 0;
}

/*
 * One round has some ten thousand steps.  Every stride-th gets a signal, and the stride
 * changes, so that in the end each has had one.  With a shorter stride a lock-free loop
 * would never come through: each turn of it would be disturbed by a handler.
 */
bool step_through(pid_t pid, long times)
{
	struct sigaction action = { .sa_handler = give_up };
	long nr_steps = 0, stride = STRIDE_MIN;
	int status, signo;

	sigaction(SIGALRM, &action, NULL);
	signo = wait_for_stop(pid, &status);
	while (signo && shared->nr_handled < times) {
		unsigned long at = position(pid);
		bool is_due = at >= shared->begin_text && at < shared->end_text &&
			      ++nr_steps % stride == 0;

		/* One that was blocked when it was sent comes now. */
		is_due |= signo == SIGUSR1;
		if (signo != SIGTRAP && signo != SIGSTOP && signo != SIGUSR1) {
			printf("FAIL stopped by signal %d at %#lx\n", signo,
			       at - shared->begin_text);
			return false;
		}
		if (is_due)
			stride = STRIDE_MIN + nr_steps % STRIDE_MIN;
		ptrace(PTRACE_SINGLESTEP, pid, NULL, is_due ? SIGUSR1 : 0);
		signo = wait_for_stop(pid, &status);
		if (is_due && signo == SIGTRAP) {
			/* At the handler's first instruction: run to its last. */
			ptrace(PTRACE_CONT, pid, NULL, 0);
			signo = wait_for_stop(pid, &status);
		}
	}
	return signo != 0;
}
#endif
