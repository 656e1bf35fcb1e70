// SPDX-License-Identifier: MIT
/*
 * notification.c - asking for notifications, and counting what comes
 */
#include "notification.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "generate.h"

#define SIGNAL_COLLECTED (SIGRTMIN + 1) /* blocked but in callbacks, taken by sigtimedwait */
#define SIGNAL_HANDLED   (SIGRTMIN + 2)
#define SIGNAL_STEPS     (SIGRTMIN + 3)
#define GROUP_ID         0x1000u

static void (*steps_handler)(int signo);

static void check_group(const struct group *group)
{
	for (int i = 0; i < group->nr_entries; i++) {
		const struct record *record = group->entries[i];

		if (!record || record->verb == VERB_NOP || record->is_reused || record->is_scrubbed)
			continue;
		if (aio_error(record->cb) == EINPROGRESS)
			violation("list", "list %d is announced, r%d in it is not complete",
				  (int)(group - history.groups), record_id(record));
		/*
		 * Same signal, so the queue keeps the order in which they were sent; unless a
		 * callback, which blocks no signal, has caught one of them.
		 */
		if (!history.has_callbacks && group->notice == NOTICE_SIGNAL &&
		    record->notice == NOTICE_SIGNAL && record_has_good_priority(record) &&
		    atomic_load(&record->nr_notices) == 0)
			violation("list", "list %d is announced before r%d in it",
				  (int)(group - history.groups), record_id(record));
	}
}

static void take_group(unsigned int index, int notice, bool may_ask)
{
	struct group *group = &history.groups[index];

	if (index >= GROUPS_MAX || !group->exists || group->notice != notice)
		violation("notification", "of list %u, which asked for none like it", index);
	else if (may_ask && atomic_load(&group->nr_notices) == 0)
		check_group(group);
	/* Once it is counted, control blocks may be used again. */
	if (history_is_good() && atomic_fetch_add(&group->nr_notices, 1) > 0)
		violation("notification", "list %u: a second one", index);
}

static void take_record(unsigned int id, int notice, bool may_ask)
{
	struct record *record = &history.records[id];

	if (id >= REQUESTS_MAX || atomic_load(&record->state) == STATE_NONE ||
	    !record_is_mine(record) || record->notice != notice)
		violation("notification", "of r%u, which asked for none like it", id);
	else if (may_ask && atomic_load(&record->nr_notices) == 0 &&
		 aio_error(record->cb) == EINPROGRESS)
		violation("notification", "r%u: before it is complete", id);
	/* Once it is counted, the control block may be used again. */
	if (history_is_good() && atomic_fetch_add(&record->nr_notices, 1) > 0)
		violation("notification", "r%u: a second one", id);
}

static void take(uintptr_t value, int notice, bool may_ask)
{
	unsigned int id = value & 0xffff;

	if (value >> 16 != history.serial)
		violation("notification", "of another program: %#lx, this is %#lx",
			  (unsigned long)value, (unsigned long)history.serial << 16);
	else if (id & GROUP_ID)
		take_group(id & ~GROUP_ID, notice, may_ask);
	else
		take_record(id, notice, may_ask);
}

static void check_info(const siginfo_t *info)
{
	if (info->si_code != SI_ASYNCIO || info->si_pid != getpid() || info->si_uid != getuid())
		violation("siginfo", "code %d, process %d, user %d", info->si_code,
			  (int)info->si_pid, (int)info->si_uid);
}

static void on_signal(int signo, siginfo_t *info, void *context)
{
	int saved = errno;

	(void)context;
	check_info(info);
	take((uintptr_t)info->si_ptr, signo == SIGNAL_COLLECTED ? NOTICE_SIGNAL : NOTICE_HANDLER,
	     feature_is_on(FEATURE_ASK_IN_HANDLER));
	errno = saved;
}

static void on_callback(union sigval value)
{
	take((uintptr_t)value.sival_ptr, NOTICE_THREAD, true);
}

void notification_init(void (*run_steps)(int signo))
{
	sigset_t collected;

	steps_handler = run_steps;
	sigemptyset(&collected);
	sigaddset(&collected, SIGNAL_COLLECTED);
	pthread_sigmask(SIG_BLOCK, &collected, NULL);
	notification_set_restless(false);
}

void notification_set_restless(bool is_restless)
{
	struct sigaction action = { .sa_flags = SA_SIGINFO | (is_restless ? 0 : SA_RESTART) };

	sigfillset(&action.sa_mask);
	action.sa_sigaction = on_signal;
	sigaction(SIGNAL_HANDLED, &action, NULL);
	sigaction(SIGNAL_COLLECTED, &action, NULL);
	action.sa_flags &= ~SA_SIGINFO;
	action.sa_handler = steps_handler;
	sigaction(SIGNAL_STEPS, &action, NULL);
	history.is_restless = is_restless;
}

void notification_interrupt(pthread_t thread)
{
	pthread_kill(thread, SIGNAL_STEPS);
}

void notification_ask(struct sigevent *event, int notice, const struct record *record,
		      const struct group *group)
{
	uintptr_t id = record ? (uintptr_t)record_id(record)
			      : GROUP_ID + (uintptr_t)(group - history.groups);

	memset(event, 0, sizeof(*event));
	event->sigev_value.sival_ptr = (void *)(history.serial << 16 | id);
	event->sigev_notify = SIGEV_SIGNAL;
	if (notice == NOTICE_NONE)
		event->sigev_notify = SIGEV_NONE;
	else if (notice == NOTICE_SIGNAL)
		event->sigev_signo = SIGNAL_COLLECTED;
	else if (notice == NOTICE_HANDLER)
		event->sigev_signo = SIGNAL_HANDLED;
	else if (notice == NOTICE_INVALID)
		event->sigev_signo = 1000;
	else if (notice == NOTICE_THREAD) {
		event->sigev_notify = SIGEV_THREAD;
		event->sigev_notify_function = on_callback;
	}
}

void notification_collect(int wait_ms)
{
	struct timespec timeout = { .tv_nsec = (long)wait_ms * 1000000 };
	sigset_t collected;
	siginfo_t info;

	sigemptyset(&collected);
	sigaddset(&collected, SIGNAL_COLLECTED);
	while (sigtimedwait(&collected, &info, &timeout) > 0) {
		check_info(&info);
		take((uintptr_t)info.si_ptr, NOTICE_SIGNAL, true);
		timeout.tv_nsec = 0;
	}
}
