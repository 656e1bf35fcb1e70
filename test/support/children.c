// SPDX-License-Identifier: MIT
/*
 * children.c - forked children of the tests, and what became of them
 */
#include "support.h"

#include <sys/prctl.h>
#include <sys/wait.h>

static _Noreturn void run_child(int (*function)(void *), void *arg, int output)
{
	int status;

	support_is_child = true;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	close(output);
	/* cmocka catches these and would jump into its copy of the runner. */
	signal(SIGFPE, SIG_DFL);
	signal(SIGILL, SIG_DFL);
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
	signal(SIGSYS, SIG_DFL);
	status = function(arg);
	fflush(stdout); /* the reason why it skips */
	support_check_leaks();
	_exit(status);
}

static void collect_output(int fd, struct child_result *result, size_t *used)
{
	char chunk[1024];
	ssize_t res;

	while ((res = read(fd, chunk, sizeof(chunk))) > 0) {
		size_t room = sizeof(result->output) - 1 - *used;
		size_t size = (size_t)res < room ? (size_t)res : room;

		memcpy(result->output + *used, chunk, size);
		*used += size;
	}
}

struct child_result in_child_with(int (*function)(void *), void *arg, unsigned int deadline_ms)
{
	uint64_t until = now_ns() + (uint64_t)support_limit_deadline(deadline_ms) * 1000000;
	struct child_result result = { .end = CHILD_TIMED_OUT };
	siginfo_t info = { 0 };
	size_t used = 0;
	int output[2];
	pid_t pid;

	/* A directory made in the child would stay behind. */
	temp_dir();
	direct_dir();
	open_pipe(output);
	fflush(stdout); /* or the child prints it, too */
	pid = fork();
	check(pid >= 0);
	if (pid == 0)
		run_child(function, arg, output[1]);
	setpgid(pid, pid);
	close(output[1]);
	fcntl(output[0], F_SETFL, O_NONBLOCK);
	do {
		collect_output(output[0], &result, &used);
		if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
		    info.si_pid)
			break;
		short_pause();
	} while (now_ns() < until);
	/* Not reaped yet: the number of its process group is still its own. */
	kill(-pid, SIGKILL);
	if (info.si_pid) {
		result.end = info.si_code == CLD_EXITED ? CHILD_EXITED : CHILD_KILLED;
		result.code = info.si_status;
	}
	waitpid(pid, NULL, 0);
	collect_output(output[0], &result, &used);
	close(output[0]);
	return result;
}

static int call_without_arg(void *arg)
{
	int (**function)(void) = arg;

	return (*function)();
}

struct child_result in_child(int (*function)(void), unsigned int deadline_ms)
{
	return in_child_with(call_without_arg, &function, deadline_ms);
}

const char *describe_child(const struct child_result *result)
{
	static char text[64];
	const char *name;

	switch (result->end) {
	case CHILD_EXITED:
		snprintf(text, sizeof(text), "exited with status %d", result->code);
		break;
	case CHILD_KILLED:
		name = sigabbrev_np(result->code);
		snprintf(text, sizeof(text), "killed by SIG%s", name ? name : "?");
		break;
	case CHILD_TIMED_OUT:
		snprintf(text, sizeof(text), "timed out");
		break;
	}
	return text;
}

void support_check_child(struct child_result result, const char *text, const char *file, int line)
{
	char *rest = result.output;
	char *output_line;

	if (result.end == CHILD_EXITED && result.code == 0)
		return;
	while ((output_line = strsep(&rest, "\n")))
		if (*output_line)
			print_message("#   child: %s\n", output_line);
	support_fail(file, line, "%s %s", text, describe_child(&result));
}
