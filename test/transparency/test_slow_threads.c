// SPDX-License-Identifier: MIT
/*
 * test_slow_threads.c - threads that are made and do not run yet
 *
 * On a busy machine a new thread may have to wait long for a processor.  The
 * library that made it for a request must not make one more every few milliseconds until then.
 */
#include "transparency.h"

#include <dlfcn.h>
#include <semaphore.h>
#include <stdatomic.h>

#define NR_SYNCS  4
#define NR_FEW    12 /* helpers of other kinds among them */
#define NR_MAX    100
#define LOOK_MS   200 /* a fault shows early in this time */
#define FILE_SIZE 4096

typedef int create_fn(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
		      void *arg);

struct held {
	void *(*run)(void *);
	void *arg;
};

static struct held all_held[NR_MAX];
static atomic_bool is_holding;
static atomic_int nr_held;
static sem_t gate;

static void *run_later(void *arg)
{
	struct held *held = arg;

	while (sem_wait(&gate) < 0)
		continue;
	return held->run(held->arg);
}

/*
 * In place of libc's, also for a library that is preloaded: the thread is there, but does not run.
 */
int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
	create_fn *create = (create_fn *)(uintptr_t)dlsym(RTLD_NEXT, "pthread_create");
	int nr;

	if (!atomic_load(&is_holding))
		return create(thread, attr, run, arg);
	nr = atomic_fetch_add(&nr_held, 1);
	if (nr >= NR_MAX)
		return EAGAIN;
	all_held[nr] = (struct held){ run, arg };
	return create(thread, attr, run_later, &all_held[nr]);
}

static void let_run(void)
{
	atomic_store(&is_holding, false);
	for (int i = 0; i < NR_MAX; i++)
		check_equal(sem_post(&gate), 0);
}

/* All helpers that requests on a stream need have run when these return; one request remains. */
static void read_from_pipe(struct aiocb *cb, int fds[2])
{
	static char bytes[2];

	open_pipe(fds);
	submit_read(cb, fds[0], &bytes[0], 1, 0);
	write_fully(fds[1], "x", 1);
	check_equal(outcome(cb), 1);
	submit_read(cb, fds[0], &bytes[1], 1, 0);
}

static int sync_on_slow_threads(void)
{
	static struct aiocb reader, syncs[NR_SYNCS];
	int fds[2];

	check_equal(sem_init(&gate, 0, 0), 0);
	read_from_pipe(&reader, fds);
	atomic_store(&is_holding, true);
	for (int i = 0; i < NR_SYNCS; i++) {
		aiocb_init(&syncs[i], temp_file_filled(FILE_SIZE), NULL, 0, 0);
		check_equal(aio_fsync(O_SYNC, &syncs[i]), 0);
	}
	(void)becomes_true(atomic_load(&nr_held) > NR_FEW, LOOK_MS);
	if (atomic_load(&nr_held) > NR_FEW)
		check_failed("%d threads for %d requests", atomic_load(&nr_held), NR_SYNCS);
	let_run();
	for (int i = 0; i < NR_SYNCS; i++)
		check_equal(outcome(&syncs[i]), 0);
	write_fully(fds[1], "x", 1);
	check_equal(outcome(&reader), 1);
	return 0;
}

TEST_IN_CHILD(test_a_thread_that_does_not_run_yet_gets_no_more_beside_it, sync_on_slow_threads,
	      30000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_thread_that_does_not_run_yet_gets_no_more_beside_it),
	};

	return cmocka_run_group_tests_name("slow_threads", tests, NULL, NULL);
}
