// SPDX-License-Identifier: MIT
/*
 * trial.c - run programs in processes of their own, which may crash or hang
 *
 * The report lies in shared memory. A process that makes no progress for twice
 * the deadline is killed: then not even its own look at the clock has come.
 */
#include "trial.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "execute.h"
#include "generate.h"
#include "history.h"

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t patience_ms(void)
{
	const char *text = getenv("RTAIO_TEST_DEADLINE_MS");

	return 2 * (text ? atol(text) : 10000);
}

void trial_init(void)
{
	report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (report == MAP_FAILED)
		abort();
}

static _Noreturn void run_all(void (*make)(uint64_t number, struct program *program),
			      const struct program *only, uint64_t first, uint64_t nr)
{
	static struct program program;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	execute_init();
	for (uint64_t i = 0; i < nr && history_is_good(); i++) {
		if (make)
			make(first + i, &program);
		/* The next process begins with it. */
		if (i > 0 && !feature_is_on(FEATURE_FORK) && program_has(&program, VERB_PROCESS))
			break;
		execute(only ? only : &program);
		if (history_is_good())
			atomic_fetch_add(&report->nr_done, 1);
	}
	_exit(history_is_good() ? 0 : 1);
}

/* The status it ended with, or -1 if it had to be killed. */
static int wait_for(pid_t pid)
{
	int64_t deadline = now_ms() + patience_ms();
	uint64_t nr_seen = 0;
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		struct timespec moment = { .tv_nsec = 1000000 };

		nanosleep(&moment, NULL);
		if (atomic_load(&report->nr_done) != nr_seen) {
			nr_seen = atomic_load(&report->nr_done);
			deadline = now_ms() + patience_ms();
		}
		if (now_ms() <= deadline)
			continue;
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		return -1;
	}
	return status;
}

static void run(void (*make)(uint64_t number, struct program *program), const struct program *only,
		uint64_t first, uint64_t nr, struct outcome *outcome)
{
	int status;
	pid_t pid;

	memset(report, 0, sizeof(*report));
	pid = fork();
	if (pid == 0)
		run_all(make, only, first, nr);
	status = wait_for(pid);
	kill(-pid, SIGKILL); /* a child of a fork that is left */
	*outcome = (struct outcome){ .failed = status != 0,
				     .nr_passed = report->nr_done,
				     .step = report->step };
	if (!outcome->failed)
		return;
	if (report->has_violation) {
		memcpy(outcome->class, report->class, sizeof(outcome->class));
		memcpy(outcome->text, report->text, sizeof(outcome->text));
	} else if (status == -1) {
		strcpy(outcome->class, "hang");
		strcpy(outcome->text, "a call does not return");
	} else {
		strcpy(outcome->class, "crash");
		snprintf(outcome->text, sizeof(outcome->text), "ended by signal %d, status %d",
			 WTERMSIG(status), WEXITSTATUS(status));
	}
}

void trial_run(void (*make)(uint64_t number, struct program *program), uint64_t first, uint64_t nr,
	       struct outcome *outcome)
{
	run(make, NULL, first, nr, outcome);
}

void trial_run_one(const struct program *program, struct outcome *outcome)
{
	run(NULL, program, 0, 1, outcome);
}
