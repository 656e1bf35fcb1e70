// SPDX-License-Identifier: MIT
/*
 * test_aio_fsync.c - what aio_fsync checks, returns and waits for
 *
 * It is the one call that checks its descriptor at once.  It completes after
 * every request that was queued before it on the descriptor.
 */
#include "../support/support.h"

#include <pty.h>
#include <sys/socket.h>

static void test_fsync_and_fdatasync_return_zero(void **state)
{
	static const int ops[] = { O_SYNC, O_DSYNC };
	int fd = temp_file_filled(1000);
	struct aiocb cb;

	(void)state;
	for (int i = 0; i < 2; i++) {
		aiocb_init(&cb, fd, NULL, 0, 0);
		check_equal(aio_fsync(ops[i], &cb), 0);
		check_equal(await_result(&cb), 0);
	}
	close(fd);
}

static void test_fsync_of_other_operations_is_rejected(void **state)
{
	static const int ops[] = {
		0,
		-1,
		O_RDWR,
		O_SYNC | O_WRONLY,
		O_SYNC | O_RDWR,
		O_DSYNC | O_WRONLY,
		O_SYNC & ~O_DSYNC,
		O_APPEND,
	};
	struct aiocb *volatile no_block = NULL;
	int fd = temp_file(0);
	struct aiocb cb, before;

	(void)state;
	for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++) {
		aiocb_init(&cb, fd, NULL, 0, 0);
		before = cb;
		errno = 0;
		check_equal(aio_fsync(ops[i], &cb), -1);
		check_equal(errno, EINVAL);
		check_memory(&cb, &before, sizeof(cb));
	}
	/* The operation is checked before the control block is looked at. */
	errno = 0;
	check_equal(aio_fsync(0, no_block), -1);
	check_equal(errno, EINVAL);
	close(fd);
}

static void test_fsync_of_a_closed_descriptor_is_rejected(void **state)
{
	int closed = dup(0), fds[] = { closed, -1, INT_MAX };
	struct aiocb cb, before;

	(void)state;
	close(closed);
	for (int i = 0; i < 3; i++) {
		aiocb_init(&cb, fds[i], NULL, 0, 0);
		before = cb;
		errno = 0;
		check_equal(aio_fsync(O_SYNC, &cb), -1);
		check_equal(errno, EBADF);
		check_memory(&cb, &before, sizeof(cb));
	}
}

static void test_fsync_does_not_need_write_access(void **state)
{
	int dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = open(temp_path("file"), O_CREAT | O_RDONLY | O_CLOEXEC, 0600);
	struct aiocb cb;

	(void)state;
	aiocb_init(&cb, fd, NULL, 0, 0);
	check_equal(aio_fsync(O_SYNC, &cb), 0);
	check_equal(await_result(&cb), 0);
	aiocb_init(&cb, dir, NULL, 0, 0);
	check_equal(aio_fsync(O_DSYNC, &cb), 0);
	check_equal(await_result(&cb), 0);
	close(fd);
	close(dir);
}

static void test_fsync_of_a_path_descriptor_fails_later(void **state)
{
	int fd = open("/", O_PATH | O_CLOEXEC);
	struct aiocb cb;

	(void)state;
	aiocb_init(&cb, fd, NULL, 0, 0);
	check_equal(aio_fsync(O_SYNC, &cb), 0);
	await_failure(&cb, EBADF);
	close(fd);
}

static void check_fsync_gives_einval(int fd)
{
	struct aiocb cb;

	aiocb_init(&cb, fd, NULL, 0, 0);
	check_equal(aio_fsync(O_SYNC, &cb), 0);
	await_failure(&cb, EINVAL);
	aiocb_init(&cb, fd, NULL, 0, 0);
	check_equal(aio_fsync(O_DSYNC, &cb), 0);
	await_failure(&cb, EINVAL);
}

static void test_fsync_of_streams_gives_einval(void **state)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), fds[2];

	(void)state;
	check_fsync_gives_einval(null);
	close(null);
	open_pipe(fds);
	check_fsync_gives_einval(fds[0]);
	check_fsync_gives_einval(fds[1]);
	close_pair(fds);
	open_socketpair(fds, SOCK_STREAM);
	check_fsync_gives_einval(fds[0]);
	close_pair(fds);
	check(openpty(&fds[0], &fds[1], NULL, NULL, NULL) == 0);
	check_fsync_gives_einval(fds[1]);
	close_pair(fds);
}

static void test_fsync_ignores_the_other_fields(void **state)
{
	static const int priorities[] = { -1, 21, 20, INT_MAX };
	int fd = temp_file_filled(1000);
	struct aiocb cb;

	(void)state;
	for (int i = 0; i < 4; i++) {
		aiocb_init(&cb, fd, (void *)1, SIZE_MAX, -1);
		cb.aio_reqprio = priorities[i];
		check_equal(aio_fsync(O_DSYNC, &cb), 0);
		check_equal(await_result(&cb), 0);
	}
	close(fd);
}

static void test_fsync_completes_after_earlier_writes(void **state)
{
	enum { NR = 32, SIZE = 64 << 10 };
	static struct aiocb cbs[NR], sync;
	static char data[SIZE];
	int fd = temp_file(0);

	(void)state;
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < NR; i++) {
			aiocb_init(&cbs[i], fd, data, SIZE, (off_t)i * SIZE);
			check_equal(aio_write(&cbs[i]), 0);
		}
		aiocb_init(&sync, fd, NULL, 0, 0);
		check_equal(aio_fsync(round % 2 ? O_SYNC : O_DSYNC, &sync), 0);
		check_equal(await_result(&sync), 0);
		for (int i = 0; i < NR; i++) {
			check_equal(aio_error(&cbs[i]), 0);
			check_equal(aio_return(&cbs[i]), SIZE);
		}
	}
	close(fd);
}

static void test_fsync_completes_after_earlier_direct_writes(void **state)
{
	enum { NR = 200, SIZE = 64 << 10 }; /* the disk is still at it when the fsync comes */
	static struct aiocb cbs[NR], sync;
	static char data[SIZE] __attribute__((aligned(4096)));
	int fd = direct_file_or_skip(NR * SIZE, 0);

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < NR; i++) {
			aiocb_init(&cbs[i], fd, data, SIZE, (off_t)i * SIZE);
			check_equal(aio_write(&cbs[i]), 0);
		}
		aiocb_init(&sync, fd, NULL, 0, 0);
		check_equal(aio_fsync(O_DSYNC, &sync), 0);
		check_equal(await_result(&sync), 0);
		for (int i = 0; i < NR; i++)
			check_equal(aio_error(&cbs[i]), 0);
	}
	close(fd);
}

/*
 * The same when the writes have a lower priority, where glibc lets the fsync,
 * whose priority is always the highest, overtake those still queued.
 */
static void test_fsync_completes_after_earlier_writes_of_lower_priority(void **state)
{
	enum { NR = 48, SIZE = 512 << 10 };
	static struct aiocb cbs[NR], sync;
	static char data[SIZE];
	int fd = temp_file(0), nr_late = 0;

	(void)state;
	for (int i = 0; i < NR; i++) {
		aiocb_init(&cbs[i], fd, data, SIZE, (off_t)i * SIZE);
		cbs[i].aio_reqprio = 10;
		check_equal(aio_write(&cbs[i]), 0);
	}
	aiocb_init(&sync, fd, NULL, 0, 0);
	check_equal(aio_fsync(O_DSYNC, &sync), 0);
	await(&sync);
	for (int i = 0; i < NR; i++)
		nr_late += aio_error(&cbs[i]) == EINPROGRESS;
	for (int i = 0; i < NR; i++)
		check_equal(await_result(&cbs[i]), SIZE);
	close(fd);
	check_equal(nr_late, 0);
}

static void test_requests_behind_an_fsync_complete(void **state)
{
	enum { NR = 20 };
	static struct aiocb writes[NR], syncs[NR], reads[NR];
	static char data[NR][100], found[NR][100];
	int fd = temp_file(0);

	(void)state;
	for (int i = 0; i < NR; i++) {
		memset(data[i], 'a' + i, 100);
		aiocb_init(&writes[i], fd, data[i], 100, i * 100);
		check_equal(aio_write(&writes[i]), 0);
		aiocb_init(&syncs[i], fd, NULL, 0, 0);
		check_equal(aio_fsync(O_DSYNC, &syncs[i]), 0);
		aiocb_init(&reads[i], fd, found[i], 100, i * 100);
		check_equal(aio_read(&reads[i]), 0);
	}
	for (int i = 0; i < NR; i++) {
		check_equal(await_result(&reads[i]), 100);
		check_memory(found[i], data[i], 100);
		check_equal(await_result(&syncs[i]), 0);
		check_equal(aio_error(&writes[i]), 0);
	}
	close(fd);
}

/* Time enough for a sync that waits for nothing: others, submitted later, end in it. */
static void await_other_syncs(void)
{
	static struct aiocb other;
	int fds[2];

	open_pipe(fds);
	for (int i = 0; i < 10; i++) {
		aiocb_init(&other, fds[0], NULL, 0, 0);
		check_equal(aio_fsync(O_SYNC, &other), 0);
		await_failure(&other, EINVAL);
	}
	close_pair(fds);
}

static void test_fsync_of_a_pipe_waits_for_earlier_reads(void **state)
{
	static struct aiocb read_cb, sync;
	static char buf[8];
	int fds[2];

	(void)state;
	open_pipe(fds);
	aiocb_init(&read_cb, fds[0], buf, sizeof(buf), 0);
	check_equal(aio_read(&read_cb), 0);
	aiocb_init(&sync, fds[0], NULL, 0, 0);
	check_equal(aio_fsync(O_SYNC, &sync), 0);
	await_other_syncs();
	check_equal(aio_error(&sync), EINPROGRESS);
	write_fully(fds[1], "x", 1);
	await_failure(&sync, EINVAL);
	check_equal(aio_error(&read_cb), 0);
	close_pair(fds);
}

/* Behind a read that blocks, and before another one. */
static void test_fsync_does_not_wait_for_later_requests(void **state)
{
	static struct aiocb before, sync, after;
	static char bytes[2];
	int fds[2];

	(void)state;
	open_pipe(fds);
	aiocb_init(&before, fds[0], &bytes[0], 1, 0);
	check_equal(aio_read(&before), 0);
	aiocb_init(&sync, fds[0], NULL, 0, 0);
	check_equal(aio_fsync(O_SYNC, &sync), 0);
	aiocb_init(&after, fds[0], &bytes[1], 1, 0);
	check_equal(aio_read(&after), 0);
	write_fully(fds[1], "a", 1);
	await_failure(&sync, EINVAL);
	check_equal(aio_error(&before), 0);
	check_equal(aio_error(&after), EINPROGRESS);
	write_fully(fds[1], "b", 1);
	check_equal(await_result(&after), 1);
	close_pair(fds);
}

/*
 * POSIX wants the error of a write that was queued before; glibc gives what
 * fsync itself says, and so does every replacement for it.
 */
static void test_fsync_does_not_report_earlier_failures(void **state)
{
	int fd = temp_file_filled(1000);
	struct aiocb bad, sync;

	(void)state;
	for (int i = 0; i < 20; i++) {
		aiocb_init(&bad, fd, NULL, 100, 0);
		check_equal(aio_write(&bad), 0);
		aiocb_init(&sync, fd, NULL, 0, 0);
		check_equal(aio_fsync(O_SYNC, &sync), 0);
		check_equal(await_result(&sync), 0);
		await_failure(&bad, EFAULT);
	}
	close(fd);
}

int main(void)
{
	const struct CMUnitTest aio_fsync_tests[] = {
		cmocka_unit_test(test_fsync_and_fdatasync_return_zero),
		cmocka_unit_test(test_fsync_of_other_operations_is_rejected),
		cmocka_unit_test(test_fsync_of_a_closed_descriptor_is_rejected),
		cmocka_unit_test(test_fsync_does_not_need_write_access),
		cmocka_unit_test(test_fsync_of_a_path_descriptor_fails_later),
		cmocka_unit_test(test_fsync_of_streams_gives_einval),
		cmocka_unit_test(test_fsync_ignores_the_other_fields),
		cmocka_unit_test(test_fsync_completes_after_earlier_writes),
		cmocka_unit_test(test_fsync_completes_after_earlier_direct_writes),
		cmocka_unit_test(test_fsync_completes_after_earlier_writes_of_lower_priority),
		cmocka_unit_test(test_requests_behind_an_fsync_complete),
		cmocka_unit_test(test_fsync_of_a_pipe_waits_for_earlier_reads),
		cmocka_unit_test(test_fsync_does_not_wait_for_later_requests),
		cmocka_unit_test(test_fsync_does_not_report_earlier_failures),
	};

	return cmocka_run_group_tests(aio_fsync_tests, NULL, NULL);
}
