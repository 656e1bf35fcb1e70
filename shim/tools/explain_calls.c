// SPDX-License-Identifier: MIT
/*
 * explain_calls.c - how many system calls a request takes.
 */
#include "tools/explain_calls.h"

#include <dirent.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/number.h"

static void give_up(struct explain_calls *calls, const char *why)
{
	snprintf(calls->why, sizeof(calls->why), "%s", why);
}

/* The tracepoint's number; 0: it is not to be had. */
static uint64_t find_tracepoint(struct explain_calls *calls)
{
	static const char *const paths[] = {
		"/sys/kernel/tracing/events/raw_syscalls/sys_enter/id",
		"/sys/kernel/debug/tracing/events/raw_syscalls/sys_enter/id",
	};
	unsigned long long id = 0;
	bool is_forbidden = false;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]) && id == 0; i++) {
		FILE *file = fopen(paths[i], "re");

		is_forbidden |= !file && (errno == EACCES || errno == EPERM);
		if (!file)
			continue;
		if (number_fscanf(file, "%llu", &id) != 1)
			id = 0;
		fclose(file);
	}
	if (id == 0)
		give_up(calls, is_forbidden ? "/sys/kernel/tracing may not be read; run it as root"
					    : "there is no tracefs; mount -t tracefs none "
					      "/sys/kernel/tracing");
	return id;
}

static void refuse_event(struct explain_calls *calls, int err)
{
	if (err == EACCES || err == EPERM)
		give_up(calls, "sysctl kernel.perf_event_paranoid or a sandbox forbids it; run it "
			       "as root, or set the sysctl to -1");
	else if (err == ENOSYS)
		give_up(calls, "the kernel, or a sandbox, is without perf_event_open");
	else
		snprintf(calls->why, sizeof(calls->why), "perf_event_open: %s", strerror(err));
}

/* Threads that begin later are counted with the one that made them. */
static void open_thread(struct explain_calls *calls, uint64_t tracepoint, pid_t thread)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.config = tracepoint,
		.disabled = 1,
		.inherit = 1,
	};
	int fd;

	if (calls->why[0])
		return;
	if (calls->nr_fds == EXPLAIN_THREADS) {
		give_up(calls, "there are too many threads");
		return;
	}
	fd = (int)syscall(SYS_perf_event_open, &attr, thread, -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd >= 0)
		calls->fds[calls->nr_fds++] = fd;
	else if (errno != ESRCH) /* the thread has ended */
		refuse_event(calls, errno);
}

static void open_process(struct explain_calls *calls, uint64_t tracepoint, uint32_t pid)
{
	char path[64];
	const struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%u/task", (unsigned)pid);
	dir = opendir(path);
	if (!dir)
		return;
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			open_thread(calls, tracepoint,
				    (pid_t)number_strtol(entry->d_name, NULL, 10));
	closedir(dir);
}

static void close_all(struct explain_calls *calls)
{
	for (unsigned i = 0; i < calls->nr_fds; i++)
		close(calls->fds[i]);
	calls->nr_fds = 0;
	calls->is_open = false;
}

/* Opening took time, in which requests were done. */
static void enable_all(struct explain_calls *calls, const char *directory)
{
	struct explain_progress progress;

	explain_data_progress(&progress, directory);
	for (unsigned i = 0; i < calls->nr_fds; i++)
		ioctl(calls->fds[i], PERF_EVENT_IOC_ENABLE, 0);
	calls->nr_processes = progress.nr_processes;
	calls->done_before = explain_done(&progress.totals);
	calls->is_open = true;
}

void explain_calls_open(struct explain_calls *calls, const struct explain_progress *progress,
			const char *directory)
{
	uint64_t tracepoint;

	if (calls->why[0] || progress->nr_processes == 0)
		return;
	if (progress->nr_processes > sizeof(progress->pids) / sizeof(progress->pids[0])) {
		give_up(calls, "there are too many processes");
		return;
	}
	tracepoint = find_tracepoint(calls);
	for (unsigned i = 0; i < progress->nr_processes && tracepoint; i++)
		open_process(calls, tracepoint, progress->pids[i]);
	if (calls->why[0] || calls->nr_fds == 0)
		close_all(calls);
	else
		enable_all(calls, directory);
}

void explain_calls_close(struct explain_calls *calls, const char *directory)
{
	struct explain_progress progress;
	uint64_t done, nr;
	double sum = 0;

	if (!calls->is_open)
		return;
	for (unsigned i = 0; i < calls->nr_fds; i++)
		ioctl(calls->fds[i], PERF_EVENT_IOC_DISABLE, 0);
	explain_data_progress(&progress, directory);
	done = explain_done(&progress.totals);
	for (unsigned i = 0; i < calls->nr_fds; i++)
		if (read(calls->fds[i], &nr, sizeof(nr)) == sizeof(nr))
			sum += (double)nr;
	close_all(calls);
	/*
	 * Between two phases of the program it says nothing about requests; a new process was not
	 * watched.
	 */
	if (done <= calls->done_before || progress.nr_processes != calls->nr_processes)
		return;
	calls->nr += sum;
	calls->requests += (double)(done - calls->done_before);
	calls->windows++;
}
