// SPDX-License-Identifier: MIT
/*
 * stress_notify.c - signals and callbacks, each exactly once
 *
 * Four threads read pipes and files.  Every request carries a number of its
 * own, which its signal or its callback must bring once, after the result is
 * there.  Few are pending at a time, so that no queue of signals is full.
 */
#include "support.h"

#include <pthread.h>
#include <stdatomic.h>

#define NR_THREADS 4
#define BATCH      8
#define FILE_SIZE  65536

struct notice {
	struct aiocb cb;
	atomic_uint nr_told;
	atomic_uint nr_early; /* told before the result was there */
	char bytes[16];
};

static uint64_t end_ns;
static struct notice notices[NR_THREADS][BATCH];

static unsigned int test_ms(void)
{
	const char *text = getenv("RTAIO_TEST_SECONDS");

	return text ? 1000 * (unsigned int)strtoul(text, NULL, 10) : 2000;
}

static void tell(struct notice *notice)
{
	if (aio_error(&notice->cb) == EINPROGRESS)
		atomic_fetch_add(&notice->nr_early, 1);
	atomic_fetch_add(&notice->nr_told, 1);
}

static void on_signal(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)context;
	if (info->si_code == SI_ASYNCIO)
		tell(&notices[info->si_value.sival_int / BATCH][info->si_value.sival_int % BATCH]);
}

static void on_callback(union sigval value)
{
	tell(value.sival_ptr);
}

static void set_notification(struct notice *notice, int number, bool is_signal)
{
	if (is_signal)
		notify_by_signal(&notice->cb.aio_sigevent, SIGRTMIN + 1 + number % 3, number);
	else
		notify_by_thread(&notice->cb.aio_sigevent, on_callback, notice);
}

static void run_batch(int thread, int fds[2], int file, unsigned int round)
{
	static const char data[16 * BATCH];

	for (int i = 0; i < BATCH; i++) {
		struct notice *notice = &notices[thread][i];
		bool is_file = (round + (unsigned int)i) % 3 == 0;

		atomic_store(&notice->nr_told, 0);
		aiocb_init(&notice->cb, is_file ? file : fds[0], notice->bytes, 16, i * 16);
		set_notification(notice, thread * BATCH + i, (round >> i & 1) != 0);
		check_equal(aio_read(&notice->cb), 0);
	}
	write_fully(fds[1], data, sizeof(data));
	for (int i = 0; i < BATCH; i++) {
		struct notice *notice = &notices[thread][i];

		check_equal(await_result(&notice->cb), 16);
		eventually(atomic_load(&notice->nr_told) > 0);
		check_equal(atomic_load(&notice->nr_told), 1);
		check_equal(atomic_load(&notice->nr_early), 0);
	}
}

static void *read_and_be_told(void *arg)
{
	int thread = (int)(uintptr_t)arg, fds[2], file = temp_file_filled(FILE_SIZE);
	unsigned int round = (unsigned int)thread * 77;
	char rest[16 * BATCH];

	while (now_ns() < end_ns) {
		unsigned int nr_files = 0;

		open_pipe(fds);
		run_batch(thread, fds, file, round);
		for (unsigned int i = 0; i < BATCH; i++)
			nr_files += (round + i) % 3 == 0;
		read_fully(fds[0], rest, 16 * nr_files);
		close_pair(fds);
		round++;
	}
	close(file);
	return NULL;
}

static int everybody_is_told_once(void)
{
	struct sigaction action = { .sa_sigaction = on_signal,
				    .sa_flags = SA_SIGINFO | SA_RESTART };
	pthread_t threads[NR_THREADS];

	for (int i = 0; i < 3; i++)
		check_equal(sigaction(SIGRTMIN + 1 + i, &action, NULL), 0);
	end_ns = now_ns() + (uint64_t)test_ms() * 1000000;
	for (uintptr_t i = 0; i < NR_THREADS; i++)
		check_equal(pthread_create(&threads[i], NULL, read_and_be_told, (void *)i), 0);
	for (int i = 0; i < NR_THREADS; i++)
		check_equal(pthread_join(threads[i], NULL), 0);
	return 0;
}

static void test_each_request_tells_once_and_not_too_early(void **state)
{
	(void)state;
	temp_dir(); /* made here, so that it is removed */
	check_in_child(everybody_is_told_once, test_ms() + 30000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_request_tells_once_and_not_too_early),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
