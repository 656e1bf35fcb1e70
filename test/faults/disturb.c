// SPDX-License-Identifier: MIT
/*
 * disturb.c - the contract is in disturb.h
 */
#include "disturb.h"

#include "report.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define STACK_BYTES (256 * 1024)
#define FIRST_USER  200000

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static const struct limit {
	const char *name, *used; /* a line of /proc/PID/status that counts the same */
	int resource;
} limits[] = {
	{ "RLIMIT_AS", "VmSize:", RLIMIT_AS },      { "RLIMIT_DATA", "VmData:", RLIMIT_DATA },
	{ "RLIMIT_NOFILE", NULL, RLIMIT_NOFILE },   { "RLIMIT_NPROC", NULL, RLIMIT_NPROC },
	{ "RLIMIT_MEMLOCK", NULL, RLIMIT_MEMLOCK },
};

static const struct limit *find_limit(void)
{
	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++)
		if (strcmp(call, limits[i].name) == 0)
			return &limits[i];
	return NULL;
}

bool disturb_is_chosen(void)
{
	return find_limit() || strcmp(call, "malloc") == 0 || strcmp(call, "signals") == 0;
}

/* ---- limits ---- */

/* In KiB. */
static unsigned long used_by_us(const char *what)
{
	FILE *status = fopen("/proc/self/status", "re");
	unsigned long used = 0;
	char line[256];

	while (status && fgets(line, sizeof(line), status))
		if (strncmp(line, what, strlen(what)) == 0)
			used = strtoul(line + strlen(what), NULL, 10);
	if (status)
		fclose(status);
	return used;
}

static void set_limit(const struct limit *limit)
{
	struct rlimit to;

	getrlimit(limit->resource, &to);
	to.rlim_cur = strtoul(when, NULL, 10);
	if (limit->used)
		to.rlim_cur = (to.rlim_cur + used_by_us(limit->used)) * 1024;
	if (setrlimit(limit->resource, &to) < 0)
		fault("setrlimit: %s", strerrorname_np(errno));
	atomic_fetch_add(&report->nr_troubles, 1);
}

/* ---- malloc ---- */

static _Atomic bool is_malloc_failing;
static _Atomic long nr_allocations;

static bool is_to_fail(void)
{
	long number, first;
	bool is_hit;

	if (!atomic_load(&is_malloc_failing))
		return false;
	number = atomic_fetch_add(&nr_allocations, 1) + 1;
	first = atol(when);
	is_hit = number == first || (number > first && strchr(when, '+'));
	if (is_hit) {
		atomic_fetch_add(&report->nr_troubles, 1);
		errno = ENOMEM;
	}
	return is_hit;
}

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t nr, size_t size);
void *__libc_realloc(void *old, size_t size);

/* Of the library and of glibc, for its threads.  What is freed is glibc's all the same. */
void *malloc(size_t size)
{
	return is_to_fail() ? NULL : __libc_malloc(size);
}

void *calloc(size_t nr, size_t size)
{
	return is_to_fail() ? NULL : __libc_calloc(nr, size);
}

void *realloc(void *old, size_t size)
{
	return is_to_fail() ? NULL : __libc_realloc(old, size);
}

/* ---- signals ---- */

static void count_signal(int signo)
{
	(void)signo;
	atomic_fetch_add(&report->nr_troubles, 1);
}

static void begin_signals(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM };
	struct itimerspec each = { .it_value.tv_nsec = 1000 };
	timer_t timer;

	event.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
	each.it_interval.tv_nsec = atol(when) * 1000;
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0 ||
	    timer_settime(timer, 0, &each, NULL) < 0)
		fault("a timer: %s", strerrorname_np(errno));
}

/* ---- the workload ---- */

static void become_nobody(void)
{
	uid_t uid = FIRST_USER + (uid_t)getpid();

	if (geteuid() != 0)
		return;
	if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
		fault("another user: %s", strerrorname_np(errno));
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* which the change has taken back */
}

/* A stack that cannot grow any more would be the end of any program. */
static void grow_stack(void)
{
	volatile char bytes[STACK_BYTES];

	for (size_t at = 0; at < sizeof(bytes); at += 1024)
		bytes[at] = 0;
}

void disturb_prepare(void)
{
	struct sigaction action = { .sa_handler = count_signal };

	if (!find_limit()) {
		sigaction(SIGALRM, &action, NULL);
		return;
	}
	grow_stack();
	become_nobody();
}

void disturb_thread(int number, int round)
{
	const struct limit *limit = find_limit();
	const char *first = strchr(when, '@');

	if (limit && number == 0 && round == (first ? atoi(first + 1) : 0))
		set_limit(limit);
	else if (strcmp(call, "signals") == 0 && round == 0)
		begin_signals();
	else if (strcmp(call, "malloc") == 0)
		atomic_store(&is_malloc_failing, true);
}
