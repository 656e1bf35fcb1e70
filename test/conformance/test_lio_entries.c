// SPDX-License-Identifier: MIT
/*
 * test_lio_entries.c - what becomes of the entries of a list
 *
 * Each entry is a request like any other: it fails with the same error, keeps
 * its order, may be waited for alone, and goes on when the wait for the list is
 * interrupted.
 */
#include "../support/support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>

/* ---- as single requests ---- */

static void check_entry_fails(int opcode, int fd, void *buf, off_t offset, int error)
{
	struct aiocb cb, *list[1] = { &cb };

	for (int mode = 0; mode < 2; mode++) {
		aiocb_init_lio(&cb, opcode, fd, buf, 4096, offset);
		errno = 0;
		check_equal(lio_listio(mode, list, 1, NULL), mode == LIO_WAIT ? -1 : 0);
		if (mode == LIO_WAIT)
			check_equal(errno, EIO);
		await_failure(&cb, error);
	}
}

static void test_entries_fail_as_single_requests_do(void **state)
{
	int dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), fds[2];
	int fd = temp_file_filled(8192);
	static char buf[4096];

	(void)state;
	open_pipe(fds);
	check_entry_fails(LIO_READ, -1, buf, 0, EBADF);
	check_entry_fails(LIO_READ, fds[1], buf, 0, EBADF);
	check_entry_fails(LIO_WRITE, fds[0], buf, 0, EBADF);
	check_entry_fails(LIO_WRITE, dir, buf, 0, EBADF);
	check_entry_fails(LIO_READ, dir, buf, 0, EISDIR);
	check_entry_fails(LIO_READ, fd, buf, -1, EINVAL);
	check_entry_fails(LIO_WRITE, fd, buf, -1, EINVAL);
	check_entry_fails(LIO_READ, fd, NULL, 0, EFAULT);
	check_entry_fails(LIO_WRITE, fd, NULL, 0, EFAULT);
	check_entry_fails(LIO_WRITE, fd, buf, LLONG_MAX - 4096, EFBIG);
	close_pair(fds);
	close(dir);
	close(fd);
}

static void test_entries_of_an_appending_file_keep_their_order(void **state)
{
	enum { NR = 26 };
	static struct aiocb cbs[NR], *list[NR];
	static char letters[NR], found[NR];
	int fd = temp_file(O_APPEND);

	(void)state;
	for (int i = 0; i < NR; i++) {
		letters[i] = (char)('a' + i);
		aiocb_init_lio(&cbs[i], LIO_WRITE, fd, &letters[i], 1, 0);
		list[i] = &cbs[i];
	}
	check_equal(lio_listio(LIO_WAIT, list, NR, NULL), 0);
	check_equal(pread(fd, found, NR, 0), NR);
	check_memory(found, letters, NR);
	close(fd);
}

static void test_entry_may_be_waited_for_and_cancelled_alone(void **state)
{
	static struct aiocb cbs[3], *list[3] = { &cbs[0], &cbs[1], &cbs[2] };
	const struct aiocb *first[1] = { &cbs[0] };
	struct timespec timeout = { .tv_sec = default_deadline_ms() / 1000 };
	static char bytes[3];
	int fds[2];

	(void)state;
	open_pipe(fds);
	for (int i = 0; i < 3; i++)
		aiocb_init_lio(&cbs[i], LIO_READ, fds[0], &bytes[i], 1, 0);
	check_equal(lio_listio(LIO_NOWAIT, list, 3, NULL), 0);
	check_equal(aio_cancel(fds[0], &cbs[1]), AIO_CANCELED);
	write_fully(fds[1], "a", 1);
	check_equal(aio_suspend(first, 1, &timeout), 0);
	check_equal(aio_error(&cbs[0]), 0);
	check_equal(aio_error(&cbs[1]), ECANCELED);
	check_equal(aio_error(&cbs[2]), EINPROGRESS);
	write_fully(fds[1], "b", 1);
	check_equal(await_result(&cbs[2]), 1);
	check_equal(bytes[2], 'b');
	close_pair(fds);
}

/* The array of pointers is the caller's again when the call is back. */
static void test_array_of_a_list_is_not_kept(void **state)
{
	enum { NR = 8 };
	static struct aiocb cbs[NR];
	static char bytes[NR];
	struct aiocb *list[NR];
	int fds[2];

	(void)state;
	open_pipe(fds);
	for (int i = 0; i < NR; i++) {
		aiocb_init_lio(&cbs[i], LIO_READ, fds[0], &bytes[i], 1, 0);
		list[i] = &cbs[i];
	}
	check_equal(lio_listio(LIO_NOWAIT, list, NR, NULL), 0);
	memset(list, 0xA5, sizeof(list));
	write_fully(fds[1], "abcdefgh", NR);
	for (int i = 0; i < NR; i++)
		check_equal(await_result(&cbs[i]), 1);
	check_memory(bytes, "abcdefgh", NR);
	close_pair(fds);
}

/* ---- opcodes beyond the public ones, as glibc takes them ---- */

static ssize_t run_opcode(int opcode, int fd, void *buf)
{
	struct aiocb cb, *list[1] = { &cb };

	aiocb_init_lio(&cb, opcode, fd, buf, 4, 0);
	check_equal(lio_listio(LIO_WAIT, list, 1, NULL), 0);
	check_equal(aio_error(&cb), 0);
	return aio_return(&cb);
}

static void test_opcodes_of_synchronisation_are_taken(void **state)
{
	static const int opcodes[] = { 3, 4 };
	int fd = temp_file_filled(100);

	(void)state;
	for (int i = 0; i < 2; i++)
		check_equal(run_opcode(opcodes[i], fd, NULL), 0);
	close(fd);
}

static void test_high_bits_of_an_opcode_do_not_matter(void **state)
{
	static const int reads[] = { 128, 256, -128, INT_MIN }, writes[] = { 129, 257 };
	int fd = temp_file(0);
	char buf[4];

	(void)state;
	for (int i = 0; i < 2; i++)
		check_equal(run_opcode(writes[i], fd, "data"), 4);
	for (int i = 0; i < 4; i++) {
		memset(buf, 0, sizeof(buf));
		check_equal(run_opcode(reads[i], fd, buf), 4);
		check_memory(buf, "data", 4);
	}
	close(fd);
}

/* ---- a wait that is interrupted ---- */

static struct aiocb interrupted[2];
static struct aiocb *interrupted_list[2] = { &interrupted[0], &interrupted[1] };
static atomic_int waiter_tid, wait_result, wait_errno;
static atomic_bool is_back;

static void *wait_for_list(void *arg)
{
	waiter_tid = (int)syscall(SYS_gettid);
	wait_result = lio_listio(LIO_WAIT, interrupted_list, 2, NULL);
	wait_errno = errno;
	is_back = true;
	return arg;
}

/* It may sleep somewhere else before it waits, so more than once. */
static void signal_until_back(pthread_t thread)
{
	uint64_t until = now_ns() + default_deadline_ms() * (uint64_t)1000000;

	while (!is_back && now_ns() < until) {
		if (waiter_tid && thread_sleeps(waiter_tid))
			pthread_kill(thread, SIGUSR1);
		short_pause();
	}
	check(is_back);
}

/*
 * The child ends with its requests in flight: glibc would write into the stack
 * that the wait has left, which is tested elsewhere.
 */
static int wait_and_be_interrupted(void)
{
	static char bytes[2];
	pthread_t thread;
	int fds[2];

	catch_signal(SIGUSR1, 0);
	open_pipe(fds);
	for (int i = 0; i < 2; i++)
		aiocb_init_lio(&interrupted[i], LIO_READ, fds[0], &bytes[i], 1, 0);
	check(pthread_create(&thread, NULL, wait_for_list, NULL) == 0);
	signal_until_back(thread);
	check_equal(wait_result, -1);
	check_equal(wait_errno, EINTR);
	for (int i = 0; i < 2; i++)
		check_equal(aio_error(&interrupted[i]), EINPROGRESS);
	return 0;
}

static void test_signal_handler_ends_the_wait_with_eintr(void **state)
{
	(void)state;
	check_in_child(wait_and_be_interrupted, 10000);
}

int main(void)
{
	const struct CMUnitTest lio_entry_tests[] = {
		/*
		 * Forked children first: with glibc, AIO is dead in a child
		 * whose parent has made a request within the last second.
		 */
		cmocka_unit_test(test_signal_handler_ends_the_wait_with_eintr),
		cmocka_unit_test(test_entries_fail_as_single_requests_do),
		cmocka_unit_test(test_entries_of_an_appending_file_keep_their_order),
		cmocka_unit_test(test_entry_may_be_waited_for_and_cancelled_alone),
		cmocka_unit_test(test_array_of_a_list_is_not_kept),
		cmocka_unit_test(test_opcodes_of_synchronisation_are_taken),
		cmocka_unit_test(test_high_bits_of_an_opcode_do_not_matter),
	};

	return cmocka_run_group_tests(lio_entry_tests, NULL, NULL);
}
