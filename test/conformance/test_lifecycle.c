// SPDX-License-Identifier: MIT
/*
 * test_lifecycle.c - requests amid close, exec, exit and idleness
 *
 * What fork and limits do to requests is tested elsewhere.
 */
#include "../support/support.h"

#include <pthread.h>

/* ---- exit ---- */

static struct aiocb in_flight[50];
static char in_flight_buf;

/* Leave requests blocked and queued in every way. */
static void leave_requests(void)
{
	int fd = temp_file_filled(1000), fds[2];

	open_pipe(fds);
	for (int i = 0; i < 50; i++) {
		aiocb_init(&in_flight[i], i % 2 ? fds[0] : fd, &in_flight_buf, 1, 0);
		check_equal(aio_read(&in_flight[i]), 0);
	}
	fill_up(fds[1]);
	open_pipe(fds);
	fill_up(fds[1]);
	aiocb_init(&in_flight[0], fds[1], &in_flight_buf, 1, 0);
	check_equal(aio_write(&in_flight[0]), 0);
}

static int exit_with_requests(void)
{
	leave_requests();
	exit(11);
}

static void *exit_from_thread(void *arg)
{
	leave_requests();
	exit(12);
	return arg;
}

static int exit_with_requests_of_a_thread(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, exit_from_thread, NULL);
	pthread_join(thread, NULL);
	return 0;
}

static void exit_from_callback(union sigval value)
{
	(void)value;
	exit(13);
}

static int exit_in_a_callback(void)
{
	int fd = temp_file_filled(1000);
	static struct aiocb cb;

	leave_requests();
	aiocb_init(&cb, fd, &in_flight_buf, 1, 0);
	notify_by_thread(&cb.aio_sigevent, exit_from_callback, NULL);
	check_equal(aio_read(&cb), 0);
	becomes_true(false, stretched_ms(20000));
	return 0;
}

static void exit_from_handler(int signo)
{
	(void)signo;
	_exit(14);
}

static int exit_in_a_handler(void)
{
	int fd = temp_file_filled(1000);
	static struct aiocb cb;

	signal(SIGUSR1, exit_from_handler);
	leave_requests();
	aiocb_init(&cb, fd, &in_flight_buf, 1, 0);
	notify_by_signal(&cb.aio_sigevent, SIGUSR1, 0);
	check_equal(aio_read(&cb), 0);
	becomes_true(false, stretched_ms(20000));
	return 0;
}

static void test_exit_does_not_wait_for_requests(void **state)
{
	static int (*const ways[])(void) = {
		exit_with_requests,
		exit_with_requests_of_a_thread,
		exit_in_a_callback,
		exit_in_a_handler,
	};

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct child_result result = in_child(ways[i], 10000);

		if (result.end != CHILD_EXITED || result.code != 11 + i)
			check_failed("way %d: %s: %s", i, describe_child(&result), result.output);
	}
}

static void request_at_exit(void)
{
	int fd = temp_file_filled(1000);
	struct aiocb cb;
	char buf[100];

	aiocb_init(&cb, fd, buf, sizeof(buf), 0);
	check_equal(aio_read(&cb), 0);
	check_equal(await_result(&cb), sizeof(buf));
	_exit(15);
}

static int use_aio_in_an_exit_handler(void)
{
	atexit(request_at_exit);
	leave_requests();
	exit(0);
}

static void test_requests_work_in_an_exit_handler(void **state)
{
	struct child_result result = in_child(use_aio_in_an_exit_handler, 10000);

	(void)state;
	if (result.end != CHILD_EXITED || result.code != 15)
		check_failed("%s: %s", describe_child(&result), result.output);
}

/*
 * The new program inherits both ends of the pipe, and a request that would
 * kill it by a signal, had it survived.  What the program writes there it gets
 * back itself.
 */
static int exec_with_a_request(void)
{
	static struct aiocb cb;
	char script[200];
	static char byte;
	int fds[2];

	check(pipe(fds) == 0);
	aiocb_init(&cb, fds[0], &byte, 1, 0);
	notify_by_signal(&cb.aio_sigevent, SIGUSR2, 0);
	check_equal(aio_read(&cb), 0);
	snprintf(script, sizeof(script), "echo mine >&%d; read line <&%d; test \"$line\" = mine",
		 fds[1], fds[0]);
	execl("/bin/sh", "sh", "-c", script, NULL);
	return 1;
}

static void test_nothing_happens_in_the_program_after_exec(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		check_in_child(exec_with_a_request, 10000);
}

/* ---- aio_init ---- */

static int init_with(const struct aioinit *init, bool before)
{
	int fd = temp_file_filled(1000);
	struct aiocb cb;
	char buf[100];

	for (int i = 0; i < 3; i++) {
		if (i || before)
			aio_init(init);
		aiocb_init(&cb, fd, buf, sizeof(buf), 0);
		check_equal(aio_read(&cb), 0);
		check_equal(await_result(&cb), sizeof(buf));
	}
	return 0;
}

static int init_with_odd_values(void)
{
	static const int values[] = { 0, 1, -1, 64, 1000, INT_MIN };

	for (int i = 0; i < 6; i++) {
		struct aioinit init = {
			.aio_threads = values[i],
			.aio_num = values[i],
			.aio_idle_time = values[i] > 2 ? 2 : values[i],
		};

		init_with(&init, i % 2);
	}
	return 0;
}

static int init_with_one_thread(void)
{
	struct aioinit init = { .aio_threads = 1, .aio_num = 1 };

	return init_with(&init, true);
}

static void test_aio_init_takes_any_value_at_any_time(void **state)
{
	(void)state;
	check_in_child(init_with_one_thread, 10000);
	check_in_child(init_with_odd_values, 20000);
}

/* A thread that rests for an hour is woken by the next request. */
static int read_beside_resting_threads(void)
{
	struct aioinit init = { .aio_threads = 20, .aio_num = 64, .aio_idle_time = 3600 };
	struct aiocb cb;
	int fds[2];
	char byte;

	aio_init(&init);
	open_pipe(fds);
	for (int round = 0; round < 500; round++) {
		aiocb_init(&cb, fds[0], &byte, 1, 0);
		check_equal(aio_read(&cb), 0);
		write_fully(fds[1], "x", 1);
		check_equal(await_result(&cb), 1);
	}
	return 0;
}

static void test_long_idle_time_delays_no_request(void **state)
{
	(void)state;
	check_in_child(read_beside_resting_threads, 20000);
}

/* ---- close ---- */

/*
 * The running request keeps the file; those queued complete, are cancelled or
 * fail, but all end.
 */
static void test_requests_end_after_close(void **state)
{
	enum { NR = 5 };
	static struct aiocb cbs[NR];
	static char bufs[NR];
	int fds[2];

	(void)state;
	for (int round = 0; round < 20; round++) {
		open_pipe(fds);
		for (int i = 0; i < NR; i++) {
			aiocb_init(&cbs[i], fds[0], &bufs[i], 1, 0);
			check_equal(aio_read(&cbs[i]), 0);
		}
		close(fds[0]);
		/* Where nobody holds the file any more, this is refused. */
		signal(SIGPIPE, SIG_IGN);
		if (write(fds[1], "abcde", NR) != NR)
			check_equal(errno, EPIPE);
		signal(SIGPIPE, SIG_DFL);
		close(fds[1]);
		for (int i = 0; i < NR; i++) {
			int error = await(&cbs[i]);

			check(error == 0 || error == ECANCELED || error == EBADF);
			check(aio_return(&cbs[i]) == (error ? -1 : bufs[i] != 0));
			bufs[i] = 0;
		}
	}
}

static void test_writes_of_a_closed_file_end(void **state)
{
	enum { NR = 40, SIZE = 100000 };
	static struct aiocb cbs[NR];
	static char data[SIZE], found[SIZE];
	int fd = temp_file(0), other = dup(fd);

	(void)state;
	memset(data, 'x', SIZE);
	for (int i = 0; i < NR; i++) {
		aiocb_init(&cbs[i], fd, data, SIZE, i * SIZE);
		check_equal(aio_write(&cbs[i]), 0);
	}
	close(fd);
	for (int i = 0; i < NR; i++) {
		int error = await(&cbs[i]);

		check(error == 0 || error == ECANCELED || error == EBADF);
		check_equal(aio_return(&cbs[i]), error ? -1 : SIZE);
		if (error)
			continue;
		check_equal(pread(other, found, SIZE, i * SIZE), SIZE);
		check_memory(found, data, SIZE);
	}
	close(other);
}

static void test_descriptor_number_may_be_used_again_after_the_end(void **state)
{
	static struct aiocb cb;
	static char buf[100];
	int fds[2];

	(void)state;
	for (int i = 0; i < 200; i++) {
		int fd = temp_file_filled(1000), number = fd;

		aiocb_init(&cb, fd, buf, sizeof(buf), 5);
		check_equal(aio_read(&cb), 0);
		check_equal(await_result(&cb), sizeof(buf));
		check_pattern(buf, 5, sizeof(buf));
		close(fd);
		/* The same number, another kind of file. */
		open_pipe(fds);
		check_equal(fds[0], number);
		aiocb_init(&cb, fds[0], buf, sizeof(buf), 5);
		check_equal(aio_read(&cb), 0);
		check_equal(aio_error(&cb), EINPROGRESS);
		write_fully(fds[1], "hello", 5);
		check_equal(await_result(&cb), 5);
		close_pair(fds);
	}
}

/* ---- idleness ---- */

static int work_and_rest(void)
{
	int fd = temp_file_filled(1000), fds[2];
	static struct aiocb cb;
	char buf[100];

	open_pipe(fds);
	for (int round = 0; round < 2; round++) {
		aiocb_init(&cb, fd, buf, sizeof(buf), 0);
		check_equal(aio_read(&cb), 0);
		check_equal(await_result(&cb), sizeof(buf));
		aiocb_init(&cb, fd, NULL, 0, 0);
		check_equal(aio_fsync(O_SYNC, &cb), 0);
		check_equal(await_result(&cb), 0);
		aiocb_init(&cb, fds[0], buf, sizeof(buf), 0);
		check_equal(aio_read(&cb), 0);
		write_fully(fds[1], "hello", 5);
		check_equal(await_result(&cb), 5);
		/* Whatever threads the implementation has, go. */
		eventually(nr_threads() == 1);
	}
	return 0;
}

static void test_helper_threads_leave_an_idle_program(void **state)
{
	(void)state;
	check_in_child(work_and_rest, 30000);
}

int main(void)
{
	const struct CMUnitTest lifecycle_tests[] = {
		/*
		 * Forked children first: with glibc, AIO is dead in a child
		 * whose parent has made a request within the last second.
		 */
		cmocka_unit_test(test_exit_does_not_wait_for_requests),
		cmocka_unit_test(test_requests_work_in_an_exit_handler),
		cmocka_unit_test(test_nothing_happens_in_the_program_after_exec),
		cmocka_unit_test(test_aio_init_takes_any_value_at_any_time),
		cmocka_unit_test(test_long_idle_time_delays_no_request),
		cmocka_unit_test(test_helper_threads_leave_an_idle_program),
		cmocka_unit_test(test_requests_end_after_close),
		cmocka_unit_test(test_writes_of_a_closed_file_end),
		cmocka_unit_test(test_descriptor_number_may_be_used_again_after_the_end),
	};

	return cmocka_run_group_tests(lifecycle_tests, NULL, NULL);
}
