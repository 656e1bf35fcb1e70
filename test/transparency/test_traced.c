// SPDX-License-Identifier: MIT
/*
 * test_traced.c - a program under a debugger
 *
 * A debugger stops threads on their way into a system call, where the kernel shows them as it shows
 * those that sleep inside.  What such a thread reads is a request of the file that its descriptor
 * meant when it was submitted, and a close of that descriptor comes back all the same.
 */
#include "sockets.h"
#include "transparency.h"

#include <dirent.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

/* ---- the debugger ---- */

/* Begins to trace all threads of its parent, and lets them run. */
static void trace_threads_of(pid_t pid)
{
	char path[64];
	struct dirent *entry;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	check(tasks != NULL);
	while ((entry = readdir(tasks)))
		if (entry->d_name[0] != '.' && ptrace(PTRACE_SEIZE, atoi(entry->d_name), NULL,
						      (void *)(uintptr_t)PTRACE_O_TRACECLONE) != 0)
			_exit(CHILD_SKIPPED);
	closedir(tasks);
}

/* New threads stop once; signals are handed on. */
static void serve_threads(void)
{
	int status;
	pid_t tid;

	while ((tid = waitpid(-1, &status, __WALL)) > 0) {
		bool is_event = WIFSTOPPED(status) && status >> 16;

		if (WIFSTOPPED(status))
			ptrace(PTRACE_CONT, tid, NULL,
			       (void *)(uintptr_t)(is_event ? 0 : WSTOPSIG(status)));
	}
}

/* False: nobody may trace here. */
static bool start_debugger(void)
{
	pid_t self = getpid(), debugger;
	int ready[2], status;
	char byte;

	open_pipe(ready);
	debugger = fork();
	check(debugger >= 0);
	if (!debugger) {
		trace_threads_of(self);
		write_fully(ready[1], "x", 1);
		close_pair(ready);
		serve_threads();
		_exit(0);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) == 1)
		return true;
	waitpid(debugger, &status, 0);
	printf("nobody may trace a process here");
	return false;
}

/* ---- the program ---- */

static struct aiocb cb;
static char byte;

static int close_blocked(void)
{
	int fds[2], other[2];

	if (!start_debugger())
		return CHILD_SKIPPED;
	use_aio();
	open_timed_socket(fds);
	open_timed_socket(other);
	submit_read(&cb, fds[0], &byte, 1, 0);
	eventually(others_are_asleep());
	/* Its descriptor is another file's at once. */
	check_equal(dup2(other[0], fds[0]), fds[0]);
	check_equal(aio_error(&cb), EINPROGRESS);
	write_fully(other[1], "o", 1);
	write_fully(fds[1], "x", 1);
	check_equal(outcome(&cb), 1);
	check_equal(byte, 'x');
	read_fully(other[0], &byte, 1);
	check_equal(byte, 'o');
	use_aio();
	return 0;
}

TEST_OR_SKIP(test_close_returns_under_a_debugger, close_blocked, 30000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_close_returns_under_a_debugger),
	};

	return cmocka_run_group_tests_name("traced", tests, NULL, NULL);
}
