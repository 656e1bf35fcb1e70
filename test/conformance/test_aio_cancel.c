// SPDX-License-Identifier: MIT
/*
 * test_aio_cancel.c - what aio_cancel answers, and what becomes of requests under way
 *
 * A request that is being carried out, here a read that blocks, may be cancelled
 * or not, POSIX leaves it open; but answer, status and data must tell the same
 * story.  test_aio_cancel_queued has those that still wait.
 */
#include "../support/support.h"

#include <stdatomic.h>
#include <sys/socket.h>

/* ---- arguments ---- */

static void test_cancel_on_a_closed_descriptor_gives_ebadf(void **state)
{
	struct aiocb cb = { 0 };
	int closed = dup(0);

	(void)state;
	close(closed);
	cb.aio_fildes = closed;
	errno = 0;
	check_equal(aio_cancel(closed, NULL), -1);
	check_equal(errno, EBADF);
	errno = 0;
	check_equal(aio_cancel(closed, &cb), -1);
	check_equal(errno, EBADF);
	errno = 0;
	check_equal(aio_cancel(-1, NULL), -1);
	check_equal(errno, EBADF);
}

static void test_cancel_accepts_a_path_descriptor(void **state)
{
	int fd = open("/", O_PATH | O_CLOEXEC);

	(void)state;
	check_equal(aio_cancel(fd, NULL), AIO_ALLDONE);
	close(fd);
}

static void test_cancel_with_another_descriptor_gives_einval(void **state)
{
	int fd = temp_file_filled(1000), other = dup(fd);
	struct aiocb cb = { 0 };
	char buf[8];

	(void)state;
	cb.aio_fildes = fd;
	errno = 0;
	check_equal(aio_cancel(other, &cb), -1);
	check_equal(errno, EINVAL);
	submit_read(&cb, fd, buf, sizeof(buf), 0);
	await_result(&cb);
	errno = 0;
	check_equal(aio_cancel(other, &cb), -1);
	check_equal(errno, EINVAL);
	close(fd);
	close(other);
}

static void test_cancel_of_finished_requests_answers_alldone(void **state)
{
	struct aiocb unused = { 0 }, cb;
	int fd = temp_file_filled(1000);
	char buf[8];

	(void)state;
	unused.aio_fildes = fd;
	check_equal(aio_cancel(fd, &unused), AIO_ALLDONE);
	submit_read(&cb, fd, buf, sizeof(buf), 0);
	check_equal(await(&cb), 0);
	check_equal(aio_cancel(fd, &cb), AIO_ALLDONE);
	check_equal(aio_return(&cb), sizeof(buf));
	check_equal(aio_cancel(fd, &cb), AIO_ALLDONE);
	check_equal(aio_cancel(fd, NULL), AIO_ALLDONE);
	check_equal(aio_error(&cb), 0);
	check_equal(aio_return(&cb), sizeof(buf));
	close(fd);
}

/* A thread that polls sees the end early. */
static void test_cancel_at_the_first_sight_of_the_end_answers_alldone(void **state)
{
	enum { SIZE = 128 * 1024 };
	int fd = temp_file_filled(SIZE);
	static char buf[SIZE];
	struct aiocb cb;

	(void)state;
	for (int i = 0; i < 100; i++) {
		uint64_t deadline = now_ns() + default_deadline_ms() * UINT64_C(1000000);

		submit_read(&cb, fd, buf, SIZE, 0);
		while (aio_error(&cb) == EINPROGRESS)
			check(now_ns() < deadline);
		check_equal(aio_cancel(fd, NULL), AIO_ALLDONE);
		check_equal(aio_return(&cb), SIZE);
	}
	close(fd);
}

static void test_cancel_on_an_unused_descriptor_answers_alldone(void **state)
{
	int fds[2];

	(void)state;
	open_pipe(fds);
	check_equal(aio_cancel(fds[0], NULL), AIO_ALLDONE);
	check_equal(aio_cancel(fds[1], NULL), AIO_ALLDONE);
	close_pair(fds);
}

static void test_cancel_of_a_copied_block_leaves_the_request_alone(void **state)
{
	static struct aiocb cb, copy;
	static char buf[8];
	int fds[2];

	(void)state;
	open_pipe(fds);
	submit_read(&cb, fds[0], buf, sizeof(buf), 0);
	copy = cb;
	check(aio_cancel(fds[0], &copy) != AIO_CANCELED);
	check_equal(aio_error(&cb), EINPROGRESS);
	write_fully(fds[1], "hello", 5);
	check_equal(await_result(&cb), 5);
	close_pair(fds);
}

/* ---- a request that blocks ---- */

static void test_cancel_of_a_blocked_read_is_consistent(void **state)
{
	static struct aiocb cb, next;
	static char buf[8], rest[8];
	int fds[2], answer;

	(void)state;
	open_pipe(fds);
	for (int round = 0; round < 50; round++) {
		submit_read(&cb, fds[0], buf, sizeof(buf), 0);
		answer = aio_cancel(fds[0], round % 2 ? &cb : NULL);
		if (answer == AIO_CANCELED) {
			check_cancelled(&cb);
			check_equal(aio_cancel(fds[0], &cb), AIO_ALLDONE);
			/* No byte may vanish into the cancelled request. */
			submit_read(&next, fds[0], rest, sizeof(rest), 0);
			write_fully(fds[1], "hello", 5);
			check_equal(await_result(&next), 5);
			check_memory(rest, "hello", 5);
		} else {
			check_equal(answer, AIO_NOTCANCELED);
			check_equal(aio_error(&cb), EINPROGRESS);
			write_fully(fds[1], "hello", 5);
			check_equal(await_result(&cb), 5);
			check_memory(buf, "hello", 5);
		}
	}
	close_pair(fds);
}

static void test_cancel_does_not_wait(void **state)
{
	static struct aiocb cb;
	static char buf[8];
	uint64_t begin;
	int fds[2];

	(void)state;
	open_socketpair(fds, SOCK_STREAM);
	submit_read(&cb, fds[0], buf, sizeof(buf), 0);
	begin = now_ns();
	check(aio_cancel(fds[0], &cb) >= 0);
	check(now_ns() - begin < stretched_ns(2000000000));
	write_fully(fds[1], "hello", 5);
	await(&cb);
	close_pair(fds);
}

/*
 * Bytes of a blocked write that are already in the pipe cannot be taken back:
 * the request may go on or end short, but not claim that nothing happened.
 */
static void test_cancel_of_a_half_done_write_accounts_for_its_bytes(void **state)
{
	static char data[512 << 10], found[512 << 10];
	static struct aiocb cb;
	uint64_t until = now_ns() + default_deadline_ms() * (uint64_t)1000000;
	ssize_t size, total = 0;
	int fds[2], answer;

	(void)state;
	open_pipe(fds);
	aiocb_init(&cb, fds[1], data, sizeof(data), 0);
	check_equal(aio_write(&cb), 0);
	read_fully(fds[0], found, 1000);
	total = 1000;
	answer = aio_cancel(fds[1], &cb);
	check(answer == AIO_NOTCANCELED || answer == AIO_ALLDONE);
	check(fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0);
	do {
		answer = aio_error(&cb);
		while ((size = read(fds[0], found, sizeof(found))) > 0)
			total += size;
		short_pause();
	} while (answer == EINPROGRESS && now_ns() < until);
	check_equal(await_result(&cb), total);
	close_pair(fds);
}

/* ---- regular files ---- */

/* Whatever is cancelled has not written; whatever is not, has. */
static void cancel_writes(int fd, bool one_by_one)
{
	enum { NR = 64, SIZE = 4096 };
	static char data[SIZE] __attribute__((aligned(4096)));
	static char found[NR * SIZE] __attribute__((aligned(4096)));
	static struct aiocb cbs[NR];
	int answers[NR], answer = -2;

	memset(data, 'x', SIZE);
	memset(found, 0, sizeof(found));
	check_equal(pwrite(fd, found, sizeof(found), 0), sizeof(found));
	for (int i = 0; i < NR; i++) {
		aiocb_init(&cbs[i], fd, data, SIZE, (off_t)i * SIZE);
		check_equal(aio_write(&cbs[i]), 0);
	}
	if (!one_by_one)
		answer = aio_cancel(fd, NULL);
	for (int i = 0; i < NR; i++) {
		answers[i] = one_by_one ? aio_cancel(fd, &cbs[i]) : answer;
		check(answers[i] >= 0 && answers[i] <= 2);
		if (one_by_one && answers[i] == AIO_CANCELED)
			check_cancelled(&cbs[i]);
		if (answers[i] == AIO_ALLDONE)
			check(aio_error(&cbs[i]) != EINPROGRESS);
	}
	for (int i = 0; i < NR; i++)
		await(&cbs[i]);
	check_equal(pread(fd, found, sizeof(found), 0), sizeof(found));
	for (int i = 0; i < NR; i++) {
		bool is_cancelled = aio_error(&cbs[i]) == ECANCELED;

		check(is_cancelled || aio_error(&cbs[i]) == 0);
		check_equal(aio_return(&cbs[i]), is_cancelled ? -1 : SIZE);
		check_equal(found[i * SIZE], is_cancelled ? 0 : 'x');
		if (answers[i] == AIO_ALLDONE)
			check(!is_cancelled);
	}
}

static void test_cancel_of_file_writes_is_consistent(void **state)
{
	int fd = temp_file(0);

	(void)state;
	for (int round = 0; round < 20; round++)
		cancel_writes(fd, round % 2);
	close(fd);
}

static void test_cancel_of_direct_writes_is_consistent(void **state)
{
	int fd = direct_file_or_skip(64 * 4096, 0);

	(void)state;
	for (int round = 0; round < 10; round++)
		cancel_writes(fd, round % 2);
	close(fd);
}

/* ---- where it is called ---- */

static struct aiocb victim;
static atomic_int callback_answer;
static sem_t callback_done;

static void cancel_from_callback(union sigval value)
{
	(void)value;
	atomic_store(&callback_answer, aio_cancel(victim.aio_fildes, &victim));
	sem_post(&callback_done);
}

static void test_cancel_works_in_a_callback(void **state)
{
	static struct aiocb blocked, trigger;
	static char bufs[2][8];
	int fd = temp_file_filled(1000), fds[2];
	char buf[8];

	(void)state;
	check(sem_init(&callback_done, 0, 0) == 0);
	open_pipe(fds);
	submit_read(&blocked, fds[0], bufs[0], 1, 0);
	submit_read(&victim, fds[0], bufs[1], 1, 0);
	aiocb_init(&trigger, fd, buf, sizeof(buf), 0);
	notify_by_thread(&trigger.aio_sigevent, cancel_from_callback, NULL);
	check_equal(aio_read(&trigger), 0);
	await_semaphore(&callback_done);
	check_equal(atomic_load(&callback_answer), AIO_CANCELED);
	check_cancelled(&victim);
	write_fully(fds[1], "a", 1);
	check_equal(await_result(&blocked), 1);
	await(&trigger);
	close_pair(fds);
	close(fd);
}

static void test_cancel_after_close_gives_ebadf(void **state)
{
	static struct aiocb cb;
	static char buf[8];
	int fds[2];

	(void)state;
	open_pipe(fds);
	submit_read(&cb, fds[0], buf, 1, 0);
	close(fds[0]);
	errno = 0;
	check_equal(aio_cancel(fds[0], NULL), -1);
	check_equal(errno, EBADF);
	errno = 0;
	check_equal(aio_cancel(fds[0], &cb), -1);
	check_equal(errno, EBADF);
	close(fds[1]);
	await(&cb);
}

int main(void)
{
	const struct CMUnitTest aio_cancel_tests[] = {
		cmocka_unit_test(test_cancel_on_a_closed_descriptor_gives_ebadf),
		cmocka_unit_test(test_cancel_accepts_a_path_descriptor),
		cmocka_unit_test(test_cancel_with_another_descriptor_gives_einval),
		cmocka_unit_test(test_cancel_of_finished_requests_answers_alldone),
		cmocka_unit_test(test_cancel_at_the_first_sight_of_the_end_answers_alldone),
		cmocka_unit_test(test_cancel_on_an_unused_descriptor_answers_alldone),
		cmocka_unit_test(test_cancel_of_a_copied_block_leaves_the_request_alone),
		cmocka_unit_test(test_cancel_of_a_blocked_read_is_consistent),
		cmocka_unit_test(test_cancel_does_not_wait),
		cmocka_unit_test(test_cancel_of_a_half_done_write_accounts_for_its_bytes),
		cmocka_unit_test(test_cancel_of_file_writes_is_consistent),
		cmocka_unit_test(test_cancel_of_direct_writes_is_consistent),
		cmocka_unit_test(test_cancel_works_in_a_callback),
		cmocka_unit_test(test_cancel_after_close_gives_ebadf),
	};

	return cmocka_run_group_tests(aio_cancel_tests, NULL, NULL);
}
