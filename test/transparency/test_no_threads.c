// SPDX-License-Identifier: MIT
/*
 * test_no_threads.c - while no thread can be made
 *
 * A call may fail with EAGAIN then, as POSIX allows.  What it accepts can be
 * cancelled and closed, no call hangs or changes the signals of its thread, and
 * when there are threads again, all is as before: what waits is served, and the
 * helpers leave when there is nothing to do.  test_no_threads_events is about the
 * signals and callbacks of requests.
 */
#include "shortage.h"

#include <sys/ioctl.h>
#include <sys/socket.h>

#define NR_READS 12 /* fewer than threads that a library may have */

/* True if it was accepted. */
static bool try_read(struct aiocb *cb, int fd, void *buf, size_t size)
{
	aiocb_init(cb, fd, buf, size, 0);
	if (aio_read(cb) == 0)
		return true;
	check_equal(errno, EAGAIN);
	return false;
}

/* ---- several threads at once ---- */

#define NR_THREADS 4
#define NR_ROUNDS  300

static pthread_barrier_t barrier;

/* One thread may try to make the engine for all of them.  The others' requests must end as well. */
static void *read_together(void *arg)
{
	struct aiocb cb;
	char byte;
	int fds[2];

	(void)arg;
	open_pipe(fds);
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < NR_ROUNDS; i++) {
		pthread_barrier_wait(&barrier);
		if (!try_read(&cb, fds[0], &byte, 1))
			continue;
		write_fully(fds[1], "x", 1);
		if (outcome(&cb) != 1) {
			check_equal(aio_error(&cb), EAGAIN);
			read_fully(fds[0], NULL, 1);
		}
	}
	return NULL;
}

static int read_in_several_threads(void)
{
	pthread_t threads[NR_THREADS];

	pthread_barrier_init(&barrier, NULL, NR_THREADS + 1);
	for (int i = 0; i < NR_THREADS; i++)
		threads[i] = start_thread(read_together, NULL);
	begin_shortage(NO_USE);
	for (int i = 0; i <= NR_ROUNDS; i++)
		pthread_barrier_wait(&barrier);
	for (int i = 0; i < NR_THREADS; i++)
		join_thread(threads[i]);
	return 0;
}

TEST_IN_CHILD(test_requests_of_several_threads_end_without_threads, read_in_several_threads, 60000)

/* ---- close and cancel ---- */

static struct aiocb reads[NR_READS];
static char bytes[NR_READS];

/* A request that nobody closed may have got the byte, and EAGAIN is an answer, too. */
static void check_ended(bool is_accepted, struct aiocb *cb, const char *byte)
{
	ssize_t res;

	if (!is_accepted)
		return;
	res = outcome(cb);
	check(res == -ECANCELED || res == -EAGAIN || res == 0 || (res == 1 && *byte == 'x'));
}

static void close_blocked(void)
{
	bool is_accepted[NR_READS];
	int fds[NR_READS][2];

	memset(bytes, 0, sizeof(bytes));
	for (int i = 0; i < NR_READS; i++) {
		if (i % 2)
			open_socketpair(fds[i], SOCK_STREAM);
		else
			open_pipe(fds[i]);
		is_accepted[i] = try_read(&reads[i], fds[i][0], &bytes[i], 1);
	}
	for (int i = 0; i < NR_READS; i++)
		check_equal(close(fds[i][0]), 0);
	for (int i = 0; i < NR_READS; i++) {
		check(write(fds[i][1], "x", 1) == 1 || errno == EPIPE);
		check_equal(close(fds[i][1]), 0);
		check_ended(is_accepted[i], &reads[i], &bytes[i]);
	}
}

static int close_in_shortage(enum use use)
{
	signal(SIGPIPE, SIG_IGN);
	begin_shortage(use);
	for (int i = 0; i < 5; i++)
		close_blocked();
	end_shortage();
	use_aio();
	return 0;
}

static void cancel_blocked(int fd, int writer)
{
	struct timespec timeout = { .tv_nsec = 10000000 };
	const struct aiocb *list[] = { &reads[0] };

	if (!try_read(&reads[0], fd, &bytes[0], 1))
		return;
	check(aio_suspend(list, 1, &timeout) == 0 || errno == EAGAIN);
	if (aio_cancel(fd, NULL) == AIO_CANCELED)
		check_equal(aio_error(&reads[0]), ECANCELED);
	write_fully(writer, "x", 1);
	check_ended(true, &reads[0], &bytes[0]);
}

static int cancel_in_shortage(enum use use)
{
	int fds[2];

	begin_shortage(use);
	for (int i = 0; i < 5; i++) {
		open_pipe(fds);
		cancel_blocked(fds[0], fds[1]);
		close_pair(fds);
	}
	end_shortage();
	use_aio();
	return 0;
}

/* ---- lists ---- */

/* LIO_WAIT does not wait for what nobody can serve. */
static int list_in_shortage(void)
{
	struct aiocb *list[NR_READS];
	int fds[2];

	begin_shortage(NO_USE);
	open_pipe(fds);
	for (int i = 0; i < NR_READS; i++) {
		aiocb_init_lio(&reads[i], LIO_READ, fds[0], &bytes[i], 1, 0);
		list[i] = &reads[i];
	}
	check_equal(lio_listio(LIO_WAIT, list, NR_READS, NULL), -1);
	check_equal(errno, EAGAIN);
	for (int i = 0; i < NR_READS; i++)
		check(aio_error(&reads[i]) != EINPROGRESS && aio_error(&reads[i]) != 0);
	end_shortage();
	write_fully(fds[1], "abcdefghijkl", NR_READS);
	check_equal(lio_listio(LIO_WAIT, list, NR_READS, NULL), 0);
	check_memory(bytes, "abcdefghijkl", NR_READS);
	return 0;
}

/* ---- a read that waits already ---- */

/* It was accepted when there were threads, and may need one when its data come. */
static int serve_blocked_in_shortage(void)
{
	int fds[2];

	become_nobody();
	open_pipe(fds);
	submit_read(&reads[0], fds[0], &bytes[0], 1, 0);
	eventually(others_are_asleep());
	set_soft_limit(RLIMIT_NPROC, 1);
	write_fully(fds[1], "x", 1);
	check_equal(outcome(&reads[0]), 1);
	check_equal(bytes[0], 'x');
	return 0;
}

/* ---- data ---- */

/* A read that has found nothing yet takes what comes first, and no more than it asked for. */
static void read_first_of_two(int fds[2])
{
	char rest[2];
	bool is_accepted = try_read(&reads[0], fds[0], &bytes[0], 1);
	ssize_t res;

	eventually(others_are_asleep());
	write_fully(fds[1], "ab", 2);
	res = is_accepted ? outcome(&reads[0]) : -EAGAIN;
	if (res == -EAGAIN) {
		check_equal(read(fds[0], rest, 2), 2);
		check_memory(rest, "ab", 2);
		return;
	}
	check_equal(res, 1);
	check_equal(bytes[0], 'a');
	check_equal(read(fds[0], rest, 2), 1);
	check_equal(rest[0], 'b');
}

static int read_in_shortage(enum use use)
{
	int fds[2];

	begin_shortage(use);
	open_pipe(fds);
	read_first_of_two(fds);
	close_pair(fds);
	open_socketpair(fds, SOCK_STREAM);
	read_first_of_two(fds);
	close_pair(fds);
	return 0;
}

#define LONG_WRITE 300000
#define NR_AHEAD   64
#define BLOCK      4096

/*
 * More than fits at once: each piece waits for room. What is accepted arrives whole and in order.
 */
static void write_to(int fds[2])
{
	char *data = malloc(LONG_WRITE), *arrived = malloc(LONG_WRITE);
	ssize_t nr = 0, ret;
	struct aiocb cb;

	pattern_fill(data, 0, LONG_WRITE);
	check_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	aiocb_init(&cb, fds[1], data, LONG_WRITE, 0);
	if (aio_write(&cb) < 0) {
		check_equal(errno, EAGAIN);
		return;
	}
	eventually((ret = read(fds[0], arrived + nr, (size_t)(LONG_WRITE - nr))) < 0
			   ? aio_error(&cb) != EINPROGRESS
			   : (nr += ret) == LONG_WRITE);
	/* What came between the last read and the end of the write. */
	while ((ret = read(fds[0], arrived + nr, (size_t)(LONG_WRITE - nr))) > 0)
		nr += ret;
	ret = outcome(&cb);
	check_equal(nr, ret < 0 ? 0 : LONG_WRITE);
	check(ret == LONG_WRITE || ret == -EAGAIN);
	check_pattern(arrived, 0, (size_t)nr);
	free(data);
	free(arrived);
}

static int write_in_shortage(enum use use)
{
	int fds[2];

	begin_shortage(use);
	open_pipe(fds);
	write_to(fds);
	close_pair(fds);
	open_socketpair(fds, SOCK_STREAM);
	write_to(fds);
	close_pair(fds);
	return 0;
}

/* Closed amid such a write: what has gone is its result. */
static void close_amid_write(int fds[2])
{
	char *data = malloc(LONG_WRITE), rest[4096];
	ssize_t nr = 0, ret;
	struct aiocb cb;
	int there = 0;

	pattern_fill(data, 0, LONG_WRITE);
	aiocb_init(&cb, fds[1], data, LONG_WRITE, 0);
	if (aio_write(&cb) < 0) {
		check_equal(errno, EAGAIN);
		return;
	}
	eventually((ioctl(fds[0], FIONREAD, &there) == 0 && there > 0) ||
		   aio_error(&cb) != EINPROGRESS);
	check_equal(close(fds[1]), 0);
	for (; (ret = read(fds[0], rest, sizeof(rest))) > 0; nr += ret)
		check_pattern(rest, (size_t)nr, (size_t)ret);
	check_equal(ret, 0);
	ret = outcome(&cb);
	check_equal(ret < 0 ? 0 : ret, nr);
	check(nr > 0 || ret == -EAGAIN);
	free(data);
}

static int close_amid_write_in_shortage(enum use use)
{
	int fds[2];

	begin_shortage(use);
	open_pipe(fds);
	close_amid_write(fds);
	open_socketpair(fds, SOCK_STREAM);
	close_amid_write(fds);
	return 0;
}

/* Many reads from the page cache, none of which is waited for: they would be copied by a helper. */
static int read_ahead_in_shortage(enum use use)
{
	static struct aiocb cbs[NR_AHEAD];
	char *buf = direct_buffer(NR_AHEAD * BLOCK);
	int file = temp_file_filled(NR_AHEAD * BLOCK), nr = 0;

	begin_shortage(use);
	for (; nr < NR_AHEAD; nr++) {
		aiocb_init(&cbs[nr], file, buf + nr * BLOCK, BLOCK, nr * BLOCK);
		if (aio_read(&cbs[nr]) < 0)
			break;
	}
	check(nr == NR_AHEAD || errno == EAGAIN);
	for (int i = 0; i < nr; i++) {
		check_equal(outcome(&cbs[i]), BLOCK);
		check_pattern(buf + i * BLOCK, (size_t)i * BLOCK, BLOCK);
	}
	free(buf);
	return 0;
}

/* ---- afterwards ---- */

static int leave_after_shortage(enum use use)
{
	struct aiocb cb;
	int fds[2];

	open_pipe(fds);
	begin_shortage(use);
	for (int i = 0; i < NR_READS; i++) {
		bool is_accepted = try_read(&cb, fds[0], &bytes[0], 1);

		write_fully(fds[1], "x", 1);
		if (!is_accepted || outcome(&cb) != 1)
			read_fully(fds[0], NULL, 1);
	}
	end_shortage();
	use_aio();
	eventually(nr_threads() == 1);
	return 0;
}

/* Requests that were accepted in the shortage and had to wait are served when it is over. */
static int serve_after_shortage(enum use use)
{
	bool is_accepted[NR_READS];
	int pipes[NR_READS][2];

	begin_shortage(use);
	for (int i = 0; i < NR_READS; i++) {
		open_pipe(pipes[i]);
		is_accepted[i] = try_read(&reads[i], pipes[i][0], &bytes[i], 1);
	}
	end_shortage();
	for (int i = 0; i < NR_READS; i++) {
		write_fully(pipes[i][1], "x", 1);
		check_ended(is_accepted[i], &reads[i], &bytes[i]);
	}
	use_aio();
	return 0;
}

/* ---- signals ---- */

static sigset_t mask_before;

static void check_signals(void)
{
	sigset_t now, pending;

	check_equal(pthread_sigmask(SIG_BLOCK, NULL, &now), 0);
	check_equal(sigpending(&pending), 0);
	for (int signo = 1; signo <= SIGRTMAX; signo++) {
		check_equal(sigismember(&now, signo), sigismember(&mask_before, signo));
		check(sigismember(&pending, signo) != 1);
	}
}

static void call_everything(int fds[2])
{
	static struct aiocb sync, entry;
	static struct aiocb *list[] = { &entry };
	struct timespec timeout = { .tv_nsec = 1000000 };
	const struct aiocb *waited[] = { &reads[0] };
	static char byte;

	try_read(&reads[0], fds[0], &bytes[0], 1);
	check_signals();
	aiocb_init(&sync, fds[0], NULL, 0, 0);
	aio_fsync(O_SYNC, &sync);
	check_signals();
	aio_suspend(waited, 1, &timeout);
	check_signals();
	aiocb_init_lio(&entry, LIO_READ, fds[0], &byte, 1, 0);
	lio_listio(LIO_NOWAIT, list, 1, NULL);
	check_signals();
	aio_cancel(fds[0], NULL);
	check_signals();
}

static int keep_signals(enum use use)
{
	int fds[2];

	begin_shortage(use);
	change_mask(SIG_BLOCK, SIGUSR1);
	check_equal(pthread_sigmask(SIG_BLOCK, NULL, &mask_before), 0);
	open_pipe(fds);
	call_everything(fds);
	close_pair(fds);
	check_signals();
	end_shortage();
	use_aio();
	check_signals();
	return 0;
}

TEST_USES(close_returns_without_threads, close_in_shortage)
TEST_USES(cancel_returns_without_threads, cancel_in_shortage)
TEST_USES(helpers_leave_after_a_shortage, leave_after_shortage)
TEST_USES(requests_are_served_after_a_shortage, serve_after_shortage)
TEST_USES(signals_stay_as_they_are_without_threads, keep_signals)
TEST_USES(read_takes_what_came_first_without_threads, read_in_shortage)
TEST_USES(long_write_arrives_whole_without_threads, write_in_shortage)
TEST_USES(write_that_is_closed_returns_what_went_without_threads, close_amid_write_in_shortage)
TEST_USES(reads_ahead_are_right_without_threads, read_ahead_in_shortage)
TEST_IN_CHILD(test_read_that_waits_already_is_served_without_threads, serve_blocked_in_shortage,
	      30000)
TEST_IN_CHILD(test_waited_list_of_a_pipe_gives_eagain_without_threads, list_in_shortage, 30000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests_of_several_threads_end_without_threads),
		cmocka_unit_test(test_close_returns_without_threads_first),
		cmocka_unit_test(test_close_returns_without_threads_after_one_read),
		cmocka_unit_test(test_close_returns_without_threads_later),
		UNIT_TESTS(cancel_returns_without_threads),
		UNIT_TESTS(helpers_leave_after_a_shortage),
		cmocka_unit_test(test_requests_are_served_after_a_shortage_first),
		cmocka_unit_test(test_requests_are_served_after_a_shortage_after_one_read),
		cmocka_unit_test(test_requests_are_served_after_a_shortage_later),
		cmocka_unit_test(test_signals_stay_as_they_are_without_threads_first),
		cmocka_unit_test(test_signals_stay_as_they_are_without_threads_after_one_read),
		cmocka_unit_test(test_signals_stay_as_they_are_without_threads_later),
		cmocka_unit_test(test_read_takes_what_came_first_without_threads_first),
		cmocka_unit_test(test_read_takes_what_came_first_without_threads_after_one_read),
		cmocka_unit_test(test_read_takes_what_came_first_without_threads_later),
		cmocka_unit_test(test_long_write_arrives_whole_without_threads_first),
		cmocka_unit_test(test_long_write_arrives_whole_without_threads_after_one_read),
		cmocka_unit_test(test_long_write_arrives_whole_without_threads_later),
		UNIT_TESTS(write_that_is_closed_returns_what_went_without_threads),
		UNIT_TESTS(reads_ahead_are_right_without_threads),
		cmocka_unit_test(test_read_that_waits_already_is_served_without_threads),
		cmocka_unit_test(test_waited_list_of_a_pipe_gives_eagain_without_threads),
	};

	return cmocka_run_group_tests_name("no_threads", tests, NULL, NULL);
}
