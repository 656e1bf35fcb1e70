// SPDX-License-Identifier: MIT
/*
 * stress_idle.c - threads that serve leave as soon as they have nothing to do
 *
 * A negative idle time in aio_init asks for it.  Four threads submit with
 * pauses of about the length that leaving takes, so that most requests meet a
 * service that is going, gone or coming.  No request may be lost to that.
 */
#include "support.h"

#include <pthread.h>
#include <stdatomic.h>

#define NR_THREADS   4
#define PAUSE_MAX_NS 300000

static uint64_t end_ns;
static atomic_uint nr_called;

static unsigned int test_ms(void)
{
	const char *text = getenv("RTAIO_TEST_SECONDS");

	return text ? 1000 * (unsigned int)strtoul(text, NULL, 10) : 2000;
}

/* Busy for short pauses, since a sleep has a length of its own. */
static void pause_a_while(unsigned int *seed)
{
	struct timespec pause = { 0 };
	uint64_t until;

	*seed = *seed * 1664525 + 1013904223;
	pause.tv_nsec = (*seed >> 8) % PAUSE_MAX_NS;
	until = now_ns() + (uint64_t)pause.tv_nsec / 4;
	if (*seed >> 31)
		nanosleep(&pause, NULL);
	else
		while (now_ns() < until)
			continue;
}

static void count(union sigval value)
{
	(void)value;
	atomic_fetch_add(&nr_called, 1);
}

static void *submit_with_pauses(void *arg)
{
	unsigned int seed = (unsigned int)(uintptr_t)arg, nr = 0,
		     *nr_notified = malloc(sizeof(*nr_notified));
	int fds[2];

	check(nr_notified);
	*nr_notified = 0;
	open_pipe(fds);
	while (now_ns() < end_ns) {
		struct aiocb reading, writing;
		char byte = (char)nr++, got = 0;

		aiocb_init(&reading, fds[0], &got, 1, 0);
		aiocb_init(&writing, fds[1], &byte, 1, 0);
		if (nr % 16 == 0) {
			notify_by_thread(&reading.aio_sigevent, count, NULL);
			++*nr_notified;
		}
		check_equal(aio_read(&reading), 0);
		pause_a_while(&seed);
		check_equal(aio_write(&writing), 0);
		check_equal(await_result(&writing), 1);
		check_equal(await_result(&reading), 1);
		check_equal(got, byte);
		pause_a_while(&seed);
	}
	close_pair(fds);
	return nr_notified;
}

static int restart_all_the_time(void)
{
	struct aioinit init = { .aio_threads = 20, .aio_num = 64, .aio_idle_time = -1 };
	pthread_t threads[NR_THREADS];
	unsigned int nr_expected = 0;
	void *nr_notified;

	aio_init(&init);
	end_ns = now_ns() + (uint64_t)test_ms() * 1000000;
	for (uintptr_t i = 0; i < NR_THREADS; i++)
		check_equal(pthread_create(&threads[i], NULL, submit_with_pauses, (void *)i), 0);
	for (int i = 0; i < NR_THREADS; i++) {
		check_equal(pthread_join(threads[i], &nr_notified), 0);
		nr_expected += *(unsigned int *)nr_notified;
		free(nr_notified);
	}
	eventually(atomic_load(&nr_called) == nr_expected);
	return 0;
}

static void test_no_request_is_lost_while_threads_leave(void **state)
{
	(void)state;
	check_in_child(restart_all_the_time, test_ms() + 30000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_request_is_lost_while_threads_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
