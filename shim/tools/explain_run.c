// SPDX-License-Identifier: MIT
/*
 * explain_run.c - runs the command, and has its processes note their requests.
 *
 * This process takes its signals one by one.  Those that ask to end are passed on to the command,
 * whose end is waited for, so that the report is written and the directory is removed.
 */
#include "tools/explain_run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "tools/explain_format.h"

#define NS_PER_MS UINT64_C(1000000)
/* 4 % of the time, in which a system call takes a quarter longer. */
#define PERIOD_NS (500 * NS_PER_MS)
#define WINDOW_NS (20 * NS_PER_MS)
#define FIRST_NS  (100 * NS_PER_MS) /* until a process uses AIO */

struct running {
	pid_t pid;
	char directory[240];
	uint64_t started_ns;
	uint64_t next_ns; /* when a window begins or ends */
	uint64_t shown_ns;
	uint64_t shown_nr;
};

static const int passed_on[] = { SIGINT, SIGTERM, SIGQUIT, SIGHUP };

/* What the command inherits. */
static sigset_t old_mask;
static struct sigaction old_child;
static bool is_blocked;

/* ---- the directory ---- */

/*
 * A command of root may give up its rights before it uses AIO.  So others may make files there,
 * which they cannot list; the reader takes them for no more than figures.
 */
static void admit_others(const char *directory)
{
	if (geteuid() == 0)
		chmod(directory, 01733);
}

static bool make_directory(struct running *running)
{
	const char *places[] = { "/dev/shm", getenv("TMPDIR"), "/tmp" };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (!places[i] || places[i][0] != '/' ||
		    strlen(places[i]) + sizeof("/rtaio-explain.XXXXXX") > 200)
			continue;
		snprintf(running->directory, sizeof(running->directory), "%s/rtaio-explain.XXXXXX",
			 places[i]);
		if (mkdtemp(running->directory)) {
			admit_others(running->directory);
			return true;
		}
	}
	perror("rtaio-explain: cannot make a directory");
	return false;
}

static void remove_directory(const struct running *running)
{
	DIR *dir = opendir(running->directory);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir)) != NULL)
		unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
	if (rmdir(running->directory) < 0)
		fprintf(stderr, "rtaio-explain: cannot remove %s: %s\n", running->directory,
			strerror(errno));
}

/* ---- the command ---- */

static void become_command(const struct running *running, const struct explain_how *how, char *more,
			   int failure)
{
	int err;

	sigaction(SIGCHLD, &old_child, NULL);
	sigprocmask(SIG_SETMASK, &old_mask, NULL);
	for (char *const *assignment = how->assignments; *assignment; assignment++)
		putenv(*assignment);
	if (more)
		putenv(more);
	setenv("RTAIO_EXPLAIN", running->directory, 1);
	execvp(how->command[0], how->command);
	err = errno;
	if (write(failure, &err, sizeof(err)) < 0)
		_exit(126);
	_exit(err == ENOENT ? 127 : 126);
}

/* Returns the error of execvp. */
static int start_command(struct running *running, const struct explain_how *how, char *more)
{
	int pipe_fds[2], err = 0;
	ssize_t nr;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return errno;
	fflush(NULL);
	running->started_ns = clock_now_ns();
	running->pid = fork();
	if (running->pid == 0)
		become_command(running, how, more, pipe_fds[1]);
	if (running->pid < 0)
		err = errno;
	close(pipe_fds[1]);
	if (running->pid > 0) {
		do
			nr = read(pipe_fds[0], &err, sizeof(err));
		while (nr < 0 && errno == EINTR);
		if (nr != sizeof(err))
			err = 0;
	}
	close(pipe_fds[0]);
	return err;
}

/* ---- while it runs ---- */

static void show_progress(struct running *running, const struct explain_progress *progress,
			  uint64_t now)
{
	const struct explain_totals *totals = &progress->totals;
	uint64_t done = explain_done(totals);
	double seconds = (double)(now - running->shown_ns) / 1e9;
	uint64_t made = totals->submitted - running->shown_nr;

	fprintf(stderr, "\r%.1f s: %s requests, %s/s, %s in flight\033[K",
		(double)(now - running->started_ns) / 1e9, format_count((double)totals->submitted),
		format_short(seconds > 0 ? (double)made / seconds : 0),
		format_count(totals->submitted > done ? (double)(totals->submitted - done) : 0));
	running->shown_ns = now;
	running->shown_nr = totals->submitted;
}

/* A window begins or ends. */
static void tick(struct running *running, struct explain_run *run, bool shows_progress)
{
	struct explain_progress progress;
	uint64_t now = clock_now_ns();

	if (now < running->next_ns)
		return;
	if (run->calls.is_open) {
		explain_calls_close(&run->calls, running->directory);
		running->next_ns = now + PERIOD_NS - WINDOW_NS;
		return;
	}
	explain_data_progress(&progress, running->directory);
	explain_calls_open(&run->calls, &progress, running->directory);
	running->next_ns = clock_now_ns() + (run->calls.is_open      ? WINDOW_NS
					     : progress.nr_processes ? PERIOD_NS
								     : FIRST_NS);
	if (shows_progress)
		show_progress(running, &progress, now);
}

static void fill_set(sigset_t *signals)
{
	sigemptyset(signals);
	sigaddset(signals, SIGCHLD);
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
		sigaddset(signals, passed_on[i]);
}

/* What a terminal sends, it sends to the command as well. */
static void pass_on(const struct running *running, struct explain_run *run, const siginfo_t *info)
{
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++) {
		if (info->si_signo != passed_on[i])
			continue;
		run->is_stopped = true;
		if (info->si_code <= 0)
			kill(running->pid, info->si_signo);
	}
}

static void wait_for_event(struct running *running, struct explain_run *run)
{
	uint64_t now = clock_now_ns();
	uint64_t left = running->next_ns > now ? running->next_ns - now : 0;
	struct timespec timeout = clock_timespec(left);
	sigset_t signals;
	siginfo_t info;

	fill_set(&signals);
	if (sigtimedwait(&signals, &info, &timeout) > 0)
		pass_on(running, run, &info);
}

static void wait_for_command(struct running *running, struct explain_run *run, bool shows_progress)
{
	int status = 0;

	running->shown_ns = running->started_ns;
	running->next_ns = running->started_ns + FIRST_NS;
	while (wait4(running->pid, &status, WNOHANG, &run->usage) == 0) {
		wait_for_event(running, run);
		tick(running, run, shows_progress);
	}
	run->seconds = (double)(clock_now_ns() - running->started_ns) / 1e9;
	run->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	if (run->calls.is_open)
		explain_calls_close(&run->calls, running->directory);
	if (run->calls.windows == 0 && run->calls.why[0] == '\0')
		snprintf(run->calls.why, sizeof(run->calls.why), "it did not run for long enough");
	if (shows_progress)
		fputs("\r\033[K", stderr);
}

/* For good: a second run may follow. */
static void block_signals(void)
{
	struct sigaction standard = { .sa_handler = SIG_DFL };
	sigset_t signals;

	if (is_blocked)
		return;
	is_blocked = true;
	sigaction(SIGCHLD, &standard, &old_child);
	fill_set(&signals);
	sigprocmask(SIG_BLOCK, &signals, &old_mask);
}

bool explain_run(struct explain_run *run, const struct explain_how *how, char *more)
{
	struct running running = { .pid = 0 };
	int err;

	memset(run, 0, sizeof(*run));
	run->status = 125;
	if (!make_directory(&running))
		return false;
	block_signals();
	err = start_command(&running, how, more);
	if (err == 0) {
		wait_for_command(&running, run, how->shows_progress);
		explain_data_read(&run->data, running.directory, clock_now_ns());
	} else {
		fprintf(stderr, "rtaio-explain: %s: %s\n", how->command[0], strerror(err));
		run->status = running.pid < 0 ? 125 : err == ENOENT ? 127 : 126;
		if (running.pid > 0)
			waitpid(running.pid, NULL, 0);
	}
	remove_directory(&running);
	return err == 0;
}
