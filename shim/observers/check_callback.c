// SPDX-License-Identifier: MIT
/*
 * check_callback.c - callbacks of SIGEV_THREAD that block for ever.
 *
 * Nobody can know "for ever": ten seconds, or one when the process ends, of which the thread sleeps
 * at the end.  One that computes is left alone.
 */
#include "observers/check_callback.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "observers/check_state.h"
#include "observers/check_report.h"

#define RUNNING_MAX   256u /* more are not watched */
#define LIMIT_MS      10000u
#define LIMIT_EXIT_MS 1000u
#define NS_PER_MS     1000000u

static struct running {
	_Atomic pid_t tid; /* 0: free; -1: being filled */
	bool is_reported;
	void (*function)(union sigval);
	uint64_t begin_ms;
} running[RUNNING_MAX];

static _Atomic unsigned nr_running;

void callback_start(void)
{
	memset(running, 0, sizeof(running));
	atomic_store(&nr_running, 0);
}

void callback_begin(void (*function)(union sigval))
{
	for (unsigned i = 0; i < RUNNING_MAX; i++) {
		pid_t free_tid = 0;

		if (!atomic_compare_exchange_strong(&running[i].tid, &free_tid, -1))
			continue;
		running[i].is_reported = false;
		running[i].function = function;
		running[i].begin_ms = clock_now_ns() / NS_PER_MS;
		atomic_store(&running[i].tid, (pid_t)RAW_SYSCALL(SYS_gettid));
		atomic_fetch_add(&nr_running, 1);
		return;
	}
}

void callback_end(void)
{
	pid_t self = (pid_t)RAW_SYSCALL(SYS_gettid);

	for (unsigned i = 0; i < RUNNING_MAX; i++) {
		if (atomic_load(&running[i].tid) != self)
			continue;
		atomic_fetch_sub(&nr_running, 1);
		atomic_store(&running[i].tid, 0);
		return;
	}
}

/* The state follows the name, which is in parentheses and may hold any others. */
static bool sleeps(pid_t tid)
{
	char path[64], text[256];
	const char *state;
	ssize_t size;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	fd = (int)RAW_SYSCALL(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	size = RAW_SYSCALL(SYS_read, fd, text, sizeof(text) - 1);
	RAW_SYSCALL(SYS_close, fd);
	text[size > 0 ? size : 0] = '\0';
	state = strrchr(text, ')');
	return state && (strncmp(state, ") S", 3) == 0 || strncmp(state, ") D", 3) == 0);
}

/* A request that names the function, if its aiocb is still used for it. */
static bool find_request(void (*function)(union sigval), struct submitted *copy)
{
	uint64_t mask = requests_lock();
	unsigned index = 0;
	struct record *record;

	while ((record = requests_next(&index))) {
		const struct sigevent *event = &record->submitted.fields.aio_sigevent;

		if (event->sigev_notify != SIGEV_THREAD || event->sigev_notify_function != function)
			continue;
		*copy = record->submitted;
		break;
	}
	requests_unlock(mask);
	return record;
}

static void check_one(struct running *callback, pid_t tid, uint64_t limit_ms)
{
	uint64_t ms = clock_now_ns() / NS_PER_MS - callback->begin_ms;
	void (*function)(union sigval) = callback->function;
	struct submitted submitted;
	bool is_known;

	if (ms < limit_ms || callback->is_reported || !sleeps(tid) ||
	    atomic_load(&callback->tid) != tid)
		return;
	callback->is_reported = true;
	is_known = find_request(function, &submitted);
	report_callback((void *)(uintptr_t)function, is_known ? &submitted : NULL,
			(unsigned long)ms);
}

void callback_check(bool is_end)
{
	pid_t self;
	uint64_t limit_ms = check.callback_ms ? check.callback_ms
			    : is_end          ? LIMIT_EXIT_MS
					      : LIMIT_MS;

	if (atomic_load(&nr_running) == 0)
		return;
	self = (pid_t)RAW_SYSCALL(SYS_gettid);
	for (unsigned i = 0; i < RUNNING_MAX; i++) {
		pid_t tid = atomic_load(&running[i].tid);

		if (tid > 0 && tid != self)
			check_one(&running[i], tid, limit_ms);
	}
}
