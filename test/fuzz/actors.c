// SPDX-License-Identifier: MIT
/*
 * actors.c - the other actors that run a step: two threads, a handler and a process
 */
#include "actors.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "history.h"
#include "notification.h"

enum { QUEUE_MAX = 256 };

/* Indexes go round; a program is shorter than that, and all is done when it ends. */
struct runner {
	bool exists;
	int queue[QUEUE_MAX];
	_Atomic unsigned int nr_queued, nr_done;
	sem_t wake;
};

/* In memory that processes share. */
struct common {
	struct runner second;
	sem_t progress;
};

static struct runner threads[2], interrupter;
static struct runner handler; /* no thread: runs in the main one */
static struct common *common;
static pthread_t main_thread;
static pid_t second; /* 0: there is none */
static void (*run_step)(int index);

static void take_all(struct runner *actor)
{
	while (atomic_load(&actor->nr_done) != atomic_load(&actor->nr_queued)) {
		run_step(actor->queue[atomic_load(&actor->nr_done) % QUEUE_MAX]);
		atomic_fetch_add(&actor->nr_done, 1);
	}
}

static void on_interrupt(int signo)
{
	int saved = errno;

	(void)signo;
	take_all(&handler);
	sem_post(&common->progress);
	errno = saved;
}

static void *work(void *arg)
{
	struct runner *actor = arg;

	for (;;) {
		while (sem_wait(&actor->wake) < 0)
			;
		if (actor != &interrupter) {
			take_all(actor);
		} else {
			atomic_fetch_add(&actor->nr_done, 1);
			notification_interrupt(main_thread);
		}
		sem_post(&common->progress);
	}
	return NULL;
}

/* No signal of the program is for these threads. */
static void start(struct runner *actor)
{
	pthread_attr_t attributes;
	sigset_t all, old;
	pthread_t thread;

	actor->exists = true;
	sem_init(&actor->wake, 0, 0);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&thread, &attributes, work, actor) != 0)
		abort();
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attributes);
}

void actors_init(void (*run)(int index))
{
	memset(threads, 0, sizeof(threads));
	memset(&interrupter, 0, sizeof(interrupter));
	memset(&handler, 0, sizeof(handler));
	common = memory_map(sizeof(*common), true);
	sem_init(&common->progress, 1, 0);
	second = 0;
	main_thread = pthread_self();
	run_step = run;
	notification_init(on_interrupt);
}

static struct runner *runner_of(int actor)
{
	if (actor == BY_PROCESS)
		return &common->second;
	return actor == BY_HANDLER ? &handler : &threads[actor - BY_THREAD_0];
}

void actors_hand_over(int actor, int index)
{
	struct runner *queue = runner_of(actor);
	struct runner *to_wake = actor == BY_HANDLER ? &interrupter : queue;

	if (actor == BY_PROCESS && !second)
		return;
	if (!to_wake->exists)
		start(to_wake);
	queue->queue[atomic_load(&queue->nr_queued) % QUEUE_MAX] = index;
	atomic_fetch_add(&queue->nr_queued, 1);
	if (to_wake != queue)
		atomic_fetch_add(&to_wake->nr_queued, 1);
	sem_post(&to_wake->wake);
}

static bool is_idle(const struct runner *actor)
{
	return atomic_load(&actor->nr_done) == atomic_load(&actor->nr_queued);
}

bool actors_are_idle(void)
{
	return is_idle(&threads[0]) && is_idle(&threads[1]) && is_idle(&handler) &&
	       is_idle(&interrupter) && is_idle(&common->second);
}

static void wait_for_second(int flags)
{
	int status;

	if (!second || waitpid(second, &status, flags) != second)
		return;
	second = 0;
	atomic_store(&common->second.nr_done, atomic_load(&common->second.nr_queued));
	if (status != 0)
		violation("process", "the second ended with status %#x", status);
}

/* A process that has crashed makes none. */
static void wait_for_progress(void)
{
	struct timespec limit;

	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec++;
	if (sem_timedwait(&common->progress, &limit) < 0 && errno == ETIMEDOUT)
		wait_for_second(WNOHANG);
}

void actors_join(void)
{
	while (!actors_are_idle())
		wait_for_progress();
}

/* ---- the second process ---- */

void actors_fork(void (*run)(int index))
{
	if (second)
		return;
	memset(&common->second, 0, sizeof(common->second));
	sem_init(&common->second.wake, 1, 0);
	common->second.exists = true;
	second = fork();
	if (second < 0)
		abort();
	if (second > 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	run_step = run;
	work(&common->second);
}

void actors_end_process(int index)
{
	actors_hand_over(BY_PROCESS, index);
	wait_for_second(0);
}
