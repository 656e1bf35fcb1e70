// SPDX-License-Identifier: MIT
/*
 * actors.c - the other actors that run a step: two threads and a handler
 */
#include "actors.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "notification.h"

enum { QUEUE_MAX = 256 };

/* Indexes go round; a program is shorter than that, and all is done when it ends. */
struct runner {
	bool exists;
	int queue[QUEUE_MAX];
	_Atomic unsigned int nr_queued, nr_done;
	sem_t wake;
};

static struct runner threads[2], interrupter;
static struct runner handler; /* no thread: runs in the main one */
static pthread_t main_thread;
static sem_t progress;
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
	sem_post(&progress);
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
		sem_post(&progress);
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
	sem_init(&progress, 0, 0);
	main_thread = pthread_self();
	run_step = run;
	notification_init(on_interrupt);
}

void actors_hand_over(int actor, int index)
{
	struct runner *queue = actor == BY_HANDLER ? &handler : &threads[actor - BY_THREAD_0];
	struct runner *to_wake = actor == BY_HANDLER ? &interrupter : queue;

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
	       is_idle(&interrupter);
}

void actors_join(void)
{
	while (!actors_are_idle())
		sem_wait(&progress);
}
