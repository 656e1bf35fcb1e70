// SPDX-License-Identifier: MIT
/*
 * dump_threads.c - the threads of the library; the contract is in dump_threads.h
 */
#include "tools/dump_threads.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/number.h"
#include "request/request.h"
#include "tools/fail.h"
#include "tools/image_process.h"

#define ENGINE "rtaio-engine"

/* The calls that threads of the library wait in. */
static const struct call {
	long nr;
	const char *name;
	bool names_fd;     /* by its first argument */
	const char *words; /* else */
} calls[] = {
	{ SYS_futex, "futex", false, NULL },
	{ SYS_io_uring_enter, "io_uring_enter", false, "for results of the ring" },
	{ SYS_io_getevents, "io_getevents", false, "for results of Linux AIO" },
	{ SYS_io_pgetevents, "io_pgetevents", false, "for results of Linux AIO" },
	{ SYS_io_setup, "io_setup", false, "until the kernel has made a context" },
	{ SYS_ppoll, "ppoll", false, "for a descriptor" },
	{ SYS_nanosleep, "nanosleep", false, "for a moment" },
	{ SYS_clock_nanosleep, "clock_nanosleep", false, "for a moment" },
	{ SYS_read, "read", true, NULL },
	{ SYS_write, "write", true, NULL },
	{ SYS_readv, "readv", true, NULL },
	{ SYS_writev, "writev", true, NULL },
	{ SYS_pread64, "pread64", true, NULL },
	{ SYS_pwrite64, "pwrite64", true, NULL },
	{ SYS_preadv, "preadv", true, NULL },
	{ SYS_pwritev, "pwritev", true, NULL },
	{ SYS_preadv2, "preadv2", true, NULL },
	{ SYS_pwritev2, "pwritev2", true, NULL },
	{ SYS_fsync, "fsync", true, NULL },
	{ SYS_fdatasync, "fdatasync", true, NULL },
	{ SYS_statx, "statx", true, NULL },
	{ SYS_fstatfs, "fstatfs", true, NULL },
	{ SYS_close, "close", true, NULL },
};

const char *dump_state(char state)
{
	switch (state) {
	case 'R':
		return "runs";
	case 'S':
		return "sleeps";
	case 'D':
		return "blocked"; /* no signal reaches it */
	case 'T':
		return "stopped";
	case 't':
		return "traced";
	case 'Z':
	case 'X':
		return "ended";
	default:
		return "unknown";
	}
}

static void describe_idle(struct dumped_thread *thread)
{
	snprintf(thread->waits_for, sizeof(thread->waits_for), "%s (futex)",
		 thread->at                          ? "for a lock"
		 : strcmp(thread->name, ENGINE) == 0 ? "for a message"
						     : "for work");
}

static void describe_call(struct dumped_thread *thread, long nr, uint64_t argument)
{
	size_t i = 0;

	while (i < sizeof(calls) / sizeof(*calls) && calls[i].nr != nr)
		i++;
	if (i == sizeof(calls) / sizeof(*calls))
		snprintf(thread->waits_for, sizeof(thread->waits_for), "in system call %ld", nr);
	else if (calls[i].names_fd)
		snprintf(thread->waits_for, sizeof(thread->waits_for), "in %s, fd %d",
			 calls[i].name, (int)argument);
	else if (calls[i].words)
		snprintf(thread->waits_for, sizeof(thread->waits_for), "%s (%s)", calls[i].words,
			 calls[i].name);
	else
		describe_idle(thread);
}

/* The file of the call has "running", or a number and arguments; for other users it is closed. */
static void read_call(const struct image *image, struct dumped_thread *thread)
{
	char name[64], line[256];
	unsigned long long argument;
	long nr;

	snprintf(name, sizeof(name), "task/%d/syscall", (int)thread->tid);
	if (proc_read(image->pid, name, line, sizeof(line)) > 0 &&
	    number_sscanf(line, "%ld %llx", &nr, &argument) == 2 && nr >= 0)
		describe_call(thread, nr, argument);
	snprintf(name, sizeof(name), "task/%d/wchan", (int)thread->tid);
	if (proc_read(image->pid, name, line, sizeof(line)) > 0 && strcmp(line, "0") != 0)
		snprintf(thread->place, sizeof(thread->place), "%.63s", line);
}

/* The name may hold anything; what follows its last parenthesis is numbers. */
static bool read_stat(const struct image *image, struct dumped_thread *thread)
{
	unsigned long long user, system;
	char name[64], line[1024], *at;

	snprintf(name, sizeof(name), "task/%d/stat", (int)thread->tid);
	if (proc_read(image->pid, name, line, sizeof(line)) <= 0)
		return false;
	at = strrchr(line, ')');
	if (!at || number_sscanf(at, ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu",
				 &thread->state, &user, &system) != 3)
		return false;
	thread->cpu_ms = (user + system) * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
	return true;
}

static struct dumped *request_of(struct requests *requests, pid_t tid)
{
	for (size_t i = 0; i < requests->nr; i++)
		if (requests->list[i].tid == (uint32_t)tid && requests->list[i].place != PLACE_DONE)
			return &requests->list[i];
	return NULL;
}

/* The thread as its process sees it: a container has numbers of its own. */
static pid_t inner_tid(const struct image *image, pid_t tid)
{
	static char status[8192];
	char name[64];

	if (image->pid == image->inner_pid)
		return tid;
	snprintf(name, sizeof(name), "task/%d/status", (int)tid);
	proc_read(image->pid, name, status, sizeof(status));
	return (pid_t)status_field(status, "\nNSpid:", tid);
}

static void add(struct threads *threads, const struct dumped_thread *thread)
{
	size_t nr = threads->nr;

	if ((nr & (nr - 1)) == 0)
		threads->list = grow(threads->list, (nr ? 2 * nr : 1) * sizeof(*threads->list));
	threads->list[threads->nr++] = *thread;
}

static void read_thread(const struct image *image, struct requests *requests, pid_t tid,
			struct threads *threads)
{
	struct dumped_thread thread = { .tid = tid };
	char name[64];

	snprintf(name, sizeof(name), "task/%d/comm", (int)tid);
	if (proc_read(image->pid, name, thread.name, sizeof(thread.name)) <= 0)
		return;
	thread.name[strcspn(thread.name, "\n")] = '\0';
	if (strncmp(thread.name, "rtaio-", 6) != 0) {
		threads->nr_others++;
		return;
	}
	thread.at = request_of(requests, inner_tid(image, tid));
	if (thread.at)
		thread.at->thread = (uint32_t)tid;
	if (!read_stat(image, &thread))
		return;
	read_call(image, &thread);
	add(threads, &thread);
}

static void read_threads(const struct image *image, struct requests *requests,
			 struct threads *threads)
{
	struct dirent *entry;
	char path[32];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)image->pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			read_thread(image, requests, (pid_t)number_strtol(entry->d_name, NULL, 10),
				    threads);
	if (dir)
		closedir(dir);
}

/* A core file has no names, but the library knows its engine, and who performs which request. */
static void name_threads(struct image *image, const struct library *library,
			 struct requests *requests, struct threads *threads)
{
	pid_t engine = 0;

	image_read(image, (uintptr_t)library->engine.tid, &engine, sizeof(engine));
	for (size_t i = 0; i < image->nr_tids; i++) {
		struct dumped_thread thread = { .tid = image->tids[i] };

		thread.at = request_of(requests, thread.tid);
		if (engine && thread.tid == engine)
			snprintf(thread.name, sizeof(thread.name), ENGINE);
		else if (thread.at)
			snprintf(thread.name, sizeof(thread.name), "rtaio-worker");
		if (thread.name[0])
			add(threads, &thread);
		else
			threads->nr_others++;
	}
}

struct threads *dump_threads(struct image *image, const struct library *library,
			     struct requests *requests)
{
	struct threads *threads = make(1, sizeof(*threads));

	if (image->is_core)
		name_threads(image, library, requests, threads);
	else
		read_threads(image, requests, threads);
	return threads;
}
