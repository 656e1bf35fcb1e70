// SPDX-License-Identifier: MIT
/*
 * stress_cancel.c - many threads cancel while requests complete
 *
 * aio_cancel has three answers, and each promises something about aio_error at
 * the moment it returns: CANCELED that the request has ended with ECANCELED,
 * ALLDONE that it has ended.  A program frees its memory on either.  Every
 * thread has a pipe of its own, so that what it finds is its own doing; the
 * cancellations of all threads meet behind the interface.  All tests run in
 * children: a process that has used AIO cannot fork on every implementation.
 */
#include "support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#define NR_THREADS   8
#define NR_READS     4
#define NR_CALLBACKS 16

static uint64_t end_ns;

static unsigned int test_ms(void)
{
	const char *text = getenv("RTAIO_TEST_SECONDS");

	return text ? 1000 * (unsigned int)strtoul(text, NULL, 10) : 2000;
}

static void set_time(void)
{
	end_ns = now_ns() + (uint64_t)test_ms() * 1000000;
}

static void run_threads(void *(*function)(void *))
{
	pthread_t threads[NR_THREADS];

	set_time();
	for (uintptr_t i = 0; i < NR_THREADS; i++)
		check_equal(pthread_create(&threads[i], NULL, function, (void *)i), 0);
	for (int i = 0; i < NR_THREADS; i++)
		check_equal(pthread_join(threads[i], NULL), 0);
}

/* What the answer to a cancellation of one request says about it at once. */
static void check_answer(int answer, const struct aiocb *cb)
{
	int error = aio_error(cb);

	check(answer == AIO_CANCELED || answer == AIO_NOTCANCELED || answer == AIO_ALLDONE);
	if (answer == AIO_CANCELED)
		check_equal(error, ECANCELED);
	if (answer == AIO_ALLDONE)
		check(error != EINPROGRESS);
}

/* A small generator, one for each thread. */
static unsigned int next_random(unsigned int *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* Only what was not cancelled takes a byte from the pipe, in order. */
static void check_bytes(struct aiocb *cbs, const char *bytes, size_t nr_written)
{
	size_t nr_read = 0;

	for (int i = 0; i < NR_READS; i++) {
		int error = await(&cbs[i]);

		check(error == 0 || error == ECANCELED);
		if (error)
			continue;
		check_equal(aio_return(&cbs[i]), 1);
		check_equal(bytes[i], 'a' + (int)nr_read);
		nr_read++;
	}
	check(nr_read <= nr_written);
}

static void cancel_round(unsigned int *seed)
{
	static const char letters[NR_READS + 1] = "abcd";
	struct aiocb cbs[NR_READS];
	char bytes[NR_READS];
	int fds[2];

	open_pipe(fds);
	for (int i = 0; i < NR_READS; i++) {
		aiocb_init(&cbs[i], fds[0], &bytes[i], 1, 0);
		check_equal(aio_read(&cbs[i]), 0);
	}
	if (next_random(seed) % 2)
		write_fully(fds[1], letters, 1);
	for (int i = 0; i < NR_READS; i++) {
		int which = (int)(next_random(seed) % NR_READS);

		check_answer(aio_cancel(fds[0], &cbs[which]), &cbs[which]);
	}
	if (next_random(seed) % 2) {
		int answer = aio_cancel(fds[0], NULL);

		for (int i = 0; answer != AIO_NOTCANCELED && i < NR_READS; i++)
			check(aio_error(&cbs[i]) != EINPROGRESS);
	}
	/* End of file for whatever is left. */
	close(fds[1]);
	for (int i = 0; i < NR_READS; i++) {
		int error = await(&cbs[i]);

		check(error == 0 || error == ECANCELED);
	}
	close(fds[0]);
}

static void *cancel_in_turn(void *arg)
{
	unsigned int seed = (unsigned int)(uintptr_t)arg;

	while (now_ns() < end_ns)
		cancel_round(&seed);
	return NULL;
}

static int many_threads_cancel(void)
{
	run_threads(cancel_in_turn);
	return 0;
}

static void test_answer_of_cancel_holds_when_it_returns(void **state)
{
	(void)state;
	check_in_child(many_threads_cancel, test_ms() + 30000);
}

struct race {
	int fd;
	atomic_int stage;
};

static void *write_when_told(void *arg)
{
	struct race *race = arg;

	while (atomic_load(&race->stage) == 0)
		continue;
	write_fully(race->fd, "abcd", NR_READS);
	return NULL;
}

/* The data arrives while the cancellation is under way. */
static int cancel_beside_data(void)
{
	set_time();
	while (now_ns() < end_ns) {
		struct aiocb cbs[NR_READS];
		char bytes[NR_READS], rest[NR_READS];
		struct race race = { 0 };
		pthread_t thread;
		size_t nr_read = 0;
		int fds[2];

		open_pipe(fds);
		race.fd = fds[1];
		for (int i = 0; i < NR_READS; i++) {
			aiocb_init(&cbs[i], fds[0], &bytes[i], 1, 0);
			check_equal(aio_read(&cbs[i]), 0);
		}
		check_equal(pthread_create(&thread, NULL, write_when_told, &race), 0);
		atomic_store(&race.stage, 1);
		for (int i = NR_READS - 1; i >= 0; i--)
			check_answer(aio_cancel(fds[0], &cbs[i]), &cbs[i]);
		check_equal(pthread_join(thread, NULL), 0);
		check_bytes(cbs, bytes, NR_READS);
		for (int i = 0; i < NR_READS; i++)
			nr_read += aio_error(&cbs[i]) == 0;
		/* What no request took is still in the pipe. */
		if (nr_read < NR_READS) {
			read_fully(fds[0], rest, NR_READS - nr_read);
			check_equal(rest[0], 'a' + (int)nr_read);
		}
		close_pair(fds);
	}
	return 0;
}

static void test_cancel_loses_no_byte_to_a_race_with_data(void **state)
{
	(void)state;
	check_in_child(cancel_beside_data, test_ms() + 30000);
}

/* A write that is half done is in progress, whatever the kernel said of its first half. */
static int cancel_half_done_write(void)
{
	static char data[1024 * 1024];
	struct aiocb cb;
	int fds[2], answer;

	open_socketpair(fds, SOCK_STREAM);
	aiocb_init(&cb, fds[0], data, sizeof(data), 0);
	check_equal(aio_write(&cb), 0);
	/* The first bytes have arrived, so the write is under way. */
	read_fully(fds[1], NULL, 1);
	for (int i = 0; i < 3; i++) {
		answer = aio_cancel(fds[0], &cb);
		check_answer(answer, &cb);
	}
	close(fds[1]);
	check(await(&cb) != EINPROGRESS);
	close(fds[0]);
	return 0;
}

static void test_cancel_of_a_half_done_write_does_not_say_all_done(void **state)
{
	(void)state;
	check_in_child(cancel_half_done_write, 20000);
}

static atomic_uint nr_called;

static void count_and_cancel(union sigval value)
{
	(void)value;
	atomic_fetch_add(&nr_called, 1);
	pthread_cancel(pthread_self());
}

/* The thread of a callback is the callback's to end, in any way. */
static int callbacks_cancel_their_threads(void)
{
	struct aiocb cb;
	int fds[2];
	char byte;

	open_pipe(fds);
	for (unsigned int i = 1; i <= NR_CALLBACKS; i++) {
		aiocb_init(&cb, fds[0], &byte, 1, 0);
		notify_by_thread(&cb.aio_sigevent, count_and_cancel, NULL);
		check_equal(aio_read(&cb), 0);
		write_fully(fds[1], "x", 1);
		check_equal(await_result(&cb), 1);
		eventually(atomic_load(&nr_called) == i);
	}
	close_pair(fds);
	return 0;
}

static void test_callback_may_cancel_its_own_thread(void **state)
{
	(void)state;
	check_in_child(callbacks_cancel_their_threads, 20000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answer_of_cancel_holds_when_it_returns),
		cmocka_unit_test(test_cancel_loses_no_byte_to_a_race_with_data),
		cmocka_unit_test(test_cancel_of_a_half_done_write_does_not_say_all_done),
		cmocka_unit_test(test_callback_may_cancel_its_own_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
