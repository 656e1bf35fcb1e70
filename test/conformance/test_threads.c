// SPDX-License-Identifier: MIT
/*
 * test_threads.c - requests of many threads at once
 *
 * Threads work side by side, their requests may use their stacks, and a request
 * of one is waited for or cancelled by another.
 */
#include "../support/support.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

static int shared_fd;
static atomic_int nr_bad;

static void *read_and_write_much(void *arg)
{
	struct aiocb read_cb, write_cb, *list[2] = { &read_cb, &write_cb };
	const struct aiocb *waited[1] = { &read_cb };
	int own_fd = *(int *)arg;
	char buf[512], data[512];

	for (int i = 0; i < 300; i++) {
		size_t where = (size_t)(i * 37 % 5000);

		aiocb_init_lio(&read_cb, LIO_READ, shared_fd, buf, 512, (off_t)where);
		memset(data, i, sizeof(data));
		aiocb_init_lio(&write_cb, LIO_WRITE, own_fd, data, 512, i * 512);
		if (i % 3 == 0) {
			nr_bad += lio_listio(LIO_WAIT, list, 2, NULL) != 0;
		} else {
			nr_bad += aio_read(&read_cb) != 0;
			nr_bad += aio_write(&write_cb) != 0;
			while (aio_error(&read_cb) == EINPROGRESS)
				aio_suspend(waited, 1, NULL);
			while (aio_error(&write_cb) == EINPROGRESS)
				sched_yield();
		}
		nr_bad += aio_return(&read_cb) != 512;
		nr_bad += aio_return(&write_cb) != 512;
		nr_bad += !pattern_matches(buf, where, 512);
		nr_bad += pread(own_fd, buf, 512, i * 512) != 512;
		nr_bad += memcmp(buf, data, 512) != 0;
	}
	return NULL;
}

static void test_many_threads_work_side_by_side(void **state)
{
	enum { NR = 8 };
	pthread_t threads[NR];
	int fds[NR];

	(void)state;
	nr_bad = 0;
	shared_fd = temp_file_filled(8192);
	for (int i = 0; i < NR; i++) {
		fds[i] = temp_file(0);
		check(pthread_create(&threads[i], NULL, read_and_write_much, &fds[i]) == 0);
	}
	for (int i = 0; i < NR; i++) {
		check(pthread_join(threads[i], NULL) == 0);
		close(fds[i]);
	}
	check_equal(nr_bad, 0);
	close(shared_fd);
}

static void *read_once(void *arg)
{
	struct aiocb cb;
	const struct aiocb *list[1] = { &cb };
	char buf[512];

	aiocb_init(&cb, shared_fd, buf, sizeof(buf), 100);
	nr_bad += aio_read(&cb) != 0;
	while (aio_error(&cb) == EINPROGRESS)
		aio_suspend(list, 1, NULL);
	nr_bad += aio_return(&cb) != 512 || !pattern_matches(buf, 100, 512);
	return arg;
}

static void test_short_lived_threads_may_use_their_stacks(void **state)
{
	pthread_t thread;

	(void)state;
	nr_bad = 0;
	shared_fd = temp_file_filled(8192);
	for (int i = 0; i < 200; i++) {
		check(pthread_create(&thread, NULL, read_once, NULL) == 0);
		check(pthread_join(thread, NULL) == 0);
	}
	check_equal(nr_bad, 0);
	close(shared_fd);
}

/* One thread submits, another waits, a third cancels. */
static struct aiocb passed[64];
static atomic_int nr_submitted, nr_finished;
static int passed_fds[2];

static void *finish_what_others_submit(void *arg)
{
	for (int i = 0; i < 64; i++) {
		const struct aiocb *list[1] = { &passed[i] };

		while (nr_submitted <= i)
			short_pause();
		while (aio_error(&passed[i]) == EINPROGRESS)
			aio_suspend(list, 1, NULL);
		nr_finished++;
	}
	return arg;
}

static void test_requests_belong_to_the_process_not_to_a_thread(void **state)
{
	static char buf[64];
	pthread_t thread;

	(void)state;
	open_pipe(passed_fds);
	nr_submitted = nr_finished = 0;
	check(pthread_create(&thread, NULL, finish_what_others_submit, NULL) == 0);
	for (int i = 0; i < 64; i++) {
		aiocb_init(&passed[i], passed_fds[0], &buf[i], 1, 0);
		check_equal(aio_read(&passed[i]), 0);
		nr_submitted++;
	}
	for (int i = 0; i < 64; i += 2)
		if (i)
			check_equal(aio_cancel(passed_fds[0], &passed[i]), AIO_CANCELED);
	write_fully(passed_fds[1], "abcdefghijklmnopqrstuvwxyz0123456", 33);
	eventually(nr_finished == 64);
	check(pthread_join(thread, NULL) == 0);
	for (int i = 0; i < 64; i++)
		check_equal(aio_error(&passed[i]), i && i % 2 == 0 ? ECANCELED : 0);
	close_pair(passed_fds);
}

int main(void)
{
	const struct CMUnitTest thread_tests[] = {
		cmocka_unit_test(test_many_threads_work_side_by_side),
		cmocka_unit_test(test_short_lived_threads_may_use_their_stacks),
		cmocka_unit_test(test_requests_belong_to_the_process_not_to_a_thread),
	};

	return cmocka_run_group_tests(thread_tests, NULL, NULL);
}
