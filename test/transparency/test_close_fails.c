// SPDX-License-Identifier: MIT
/*
 * test_close_fails.c - calls that close nothing
 *
 * Where dup2, dup3 and close_range fail, or close nothing by design, the fd stays
 * what it was: its requests go on, blocked, queued and deep ones alike.
 */
#include "offload.h"

#include <linux/close_range.h>

#define NR_QUEUED 8
#define NR_DEEP   32

typedef void call_fn(int fd, int other);

/* ---- calls ---- */

static void dup2_of_minus_one(int fd, int other)
{
	(void)other;
	check_equal(dup2(-1, fd), -1);
	check_equal(errno, EBADF);
}

static void dup2_of_a_closed_fd(int fd, int other)
{
	int closed = dup(other);

	close(closed);
	check_equal(dup2(closed, fd), -1);
	check_equal(errno, EBADF);
}

static void dup2_of_itself(int fd, int other)
{
	(void)other;
	check_equal(dup2(fd, fd), fd);
}

static void dup3_of_minus_one(int fd, int other)
{
	(void)other;
	check_equal(dup3(-1, fd, O_CLOEXEC), -1);
	check_equal(errno, EBADF);
}

static void dup3_of_itself(int fd, int other)
{
	(void)other;
	check_equal(dup3(fd, fd, 0), -1);
	check_equal(errno, EINVAL);
}

static void dup3_with_unknown_flags(int fd, int other)
{
	check_equal(dup3(other, fd, O_APPEND), -1);
	check_equal(errno, EINVAL);
}

static void close_range_backwards(int fd, int other)
{
	(void)other;
	check_equal(close_range((unsigned int)fd, (unsigned int)fd - 1, 0), -1);
}

static void close_range_with_unknown_flags(int fd, int other)
{
	(void)other;
	check_equal(close_range((unsigned int)fd, (unsigned int)fd, 1 << 20), -1);
}

static void close_range_at_exec(int fd, int other)
{
	(void)other;
	if (close_range((unsigned int)fd, (unsigned int)fd, CLOSE_RANGE_CLOEXEC) < 0)
		check(errno == ENOSYS || errno == EINVAL);
}

static void close_of_minus_one(int fd, int other)
{
	(void)fd;
	(void)other;
	check_equal(close(-1), -1);
	check_equal(errno, EBADF);
}

/* ---- what must go on ---- */

static void check_stream(call_fn *call, int other)
{
	static struct aiocb cbs[NR_QUEUED];
	char bytes[NR_QUEUED] = { 0 };
	int fds[2];

	open_pipe(fds);
	for (int i = 0; i < NR_QUEUED; i++)
		submit_read(&cbs[i], fds[0], &bytes[i], 1, 0);
	check_equal(aio_error(&cbs[0]), EINPROGRESS);
	call(fds[0], other);
	for (int i = 0; i < NR_QUEUED; i++)
		check_equal(aio_error(&cbs[i]), EINPROGRESS);
	write_fully(fds[1], "abcdefgh", NR_QUEUED);
	for (int i = 0; i < NR_QUEUED; i++)
		check_equal(outcome(&cbs[i]), 1);
	check_memory(bytes, "abcdefgh", NR_QUEUED);
	close_pair(fds);
}

static void check_deep_file(call_fn *call, int other)
{
	static struct aiocb cbs[NR_DEEP];
	char *buf = direct_buffer(NR_DEEP * BLOCK);
	int fd = temp_file_filled(NR_DEEP * BLOCK);

	for (int i = 0; i < 6 * NR_DEEP; i++) {
		int place = i % NR_DEEP;

		if (i >= NR_DEEP)
			check_equal(outcome(&cbs[place]), BLOCK);
		submit_read(&cbs[place], fd, buf + place * BLOCK, BLOCK, place * BLOCK);
	}
	call(fd, other);
	for (int i = 0; i < NR_DEEP; i++)
		check_equal(outcome(&cbs[i]), BLOCK);
	check_pattern(buf, 0, NR_DEEP * BLOCK);
	close(fd);
	free(buf);
}

/* Writes that overlap have to wait for each other: some are queued when the call comes. */
static void check_queued_file(call_fn *call, int other)
{
	static struct aiocb cbs[NR_DEEP], sync;
	char *buf = direct_buffer(NR_DEEP * BLOCK);
	int fd = direct_file(NR_DEEP * BLOCK, 0);

	if (fd < 0)
		fd = temp_file_filled(NR_DEEP * BLOCK);
	for (int i = 0; i < NR_DEEP; i++)
		submit_write(&cbs[i], fd, buf, NR_DEEP * BLOCK, 0);
	aiocb_init(&sync, fd, NULL, 0, 0);
	check_equal(aio_fsync(O_DSYNC, &sync), 0);
	call(fd, other);
	for (int i = 0; i < NR_DEEP; i++)
		check_equal(outcome(&cbs[i]), NR_DEEP * BLOCK);
	check_equal(outcome(&sync), 0);
	close(fd);
	free(buf);
}

static int run_calls(call_fn *call)
{
	int other = temp_file_filled(NR_DEEP * BLOCK);

	for (int i = 0; i < 5; i++) {
		check_stream(call, other);
		check_deep_file(call, other);
		check_queued_file(call, other);
	}
	return 0;
}

#define TEST_CALL(name)                 \
	static int run_##name(void)     \
	{                               \
		return run_calls(name); \
	}                               \
	TEST_OFFLOAD(test_requests_go_on_after_##name, run_##name, 30000)

TEST_CALL(dup2_of_minus_one)
TEST_CALL(dup2_of_a_closed_fd)
TEST_CALL(dup2_of_itself)
TEST_CALL(dup3_of_minus_one)
TEST_CALL(dup3_of_itself)
TEST_CALL(dup3_with_unknown_flags)
TEST_CALL(close_range_backwards)
TEST_CALL(close_range_with_unknown_flags)
TEST_CALL(close_range_at_exec)
TEST_CALL(close_of_minus_one)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests_go_on_after_dup2_of_minus_one),
		cmocka_unit_test(test_requests_go_on_after_dup2_of_a_closed_fd),
		cmocka_unit_test(test_requests_go_on_after_dup2_of_itself),
		cmocka_unit_test(test_requests_go_on_after_dup3_of_minus_one),
		cmocka_unit_test(test_requests_go_on_after_dup3_of_itself),
		cmocka_unit_test(test_requests_go_on_after_dup3_with_unknown_flags),
		cmocka_unit_test(test_requests_go_on_after_close_range_backwards),
		cmocka_unit_test(test_requests_go_on_after_close_range_with_unknown_flags),
		cmocka_unit_test(test_requests_go_on_after_close_range_at_exec),
		cmocka_unit_test(test_requests_go_on_after_close_of_minus_one),
	};

	return cmocka_run_group_tests_name("close_fails", tests, NULL, NULL);
}
