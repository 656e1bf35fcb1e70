// SPDX-License-Identifier: MIT
/*
 * test_aio_error_return.c - what aio_error and aio_return say, and when
 *
 * Both may be called as often as wanted, also from a signal handler.  Once
 * aio_error reports the end, the control block and the buffer belong to the
 * program again.
 */
#include "../support/support.h"

#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/time.h>

static void test_zeroed_block_never_submitted_reads_as_finished(void **state)
{
	struct aiocb cb = { 0 };

	(void)state;
	check_equal(aio_error(&cb), 0);
	check_equal(aio_return(&cb), 0);
	check_equal(aio_error(&cb), 0);
}

static int ask_about_garbage(void)
{
	static const int bytes[] = { 0xA5, 0xFF, 0x01, 0x7F };
	struct aiocb cb;

	for (int i = 0; i < 4; i++) {
		memset(&cb, bytes[i], sizeof(cb));
		aio_error(&cb);
		aio_return(&cb);
	}
	return 0;
}

static void test_asking_about_garbage_is_harmless(void **state)
{
	(void)state;
	check_in_child(ask_about_garbage, 5000);
}

static void test_error_and_return_may_be_repeated(void **state)
{
	int fd = temp_file_filled(1000);
	struct aiocb cb;
	char buf[100];

	(void)state;
	aiocb_init(&cb, fd, buf, sizeof(buf), 0);
	check_equal(aio_read(&cb), 0);
	check_equal(await_result(&cb), 100);
	for (int i = 0; i < 3; i++) {
		check_equal(aio_error(&cb), 0);
		check_equal(aio_return(&cb), 100);
	}
	close(fd);
}

static void test_failure_is_kept_and_errno_is_left_alone(void **state)
{
	struct aiocb cb;
	char buf[8];

	(void)state;
	aiocb_init(&cb, -1, buf, sizeof(buf), 0);
	check_equal(aio_read(&cb), 0);
	await_failure(&cb, EBADF);
	for (int i = 0; i < 3; i++) {
		errno = 12345;
		check_equal(aio_error(&cb), EBADF);
		check_equal(aio_return(&cb), -1);
		check_equal(errno, 12345);
	}
}

static void test_successful_calls_leave_errno_alone(void **state)
{
	int fd = temp_file_filled(1000);
	const struct aiocb *list[1];
	struct aiocb cb;
	char buf[100];

	(void)state;
	list[0] = &cb;
	aiocb_init(&cb, fd, buf, sizeof(buf), 0);
	errno = 12345;
	check_equal(aio_read(&cb), 0);
	check_equal(errno, 12345);
	check_equal(aio_suspend(list, 1, NULL), 0);
	check_equal(errno, 12345);
	check_equal(aio_return(&cb), 100);
	check_equal(errno, 12345);
	check_equal(aio_fsync(O_SYNC, &cb), 0);
	check_equal(aio_suspend(list, 1, NULL), 0);
	check_equal(errno, 12345);
	check_equal(aio_cancel(fd, NULL), AIO_ALLDONE);
	check_equal(errno, 12345);
	close(fd);
}

static void test_error_is_einprogress_while_blocked(void **state)
{
	static struct aiocb cb;
	static char buf[8];
	int fds[2];

	(void)state;
	open_pipe(fds);
	aiocb_init(&cb, fds[0], buf, sizeof(buf), 0);
	check_equal(aio_read(&cb), 0);
	for (int i = 0; i < 1000; i++)
		check_equal(aio_error(&cb), EINPROGRESS);
	write_fully(fds[1], "hello", 5);
	check_equal(await_result(&cb), 5);
	close_pair(fds);
}

static void test_polling_alone_sees_the_end(void **state)
{
	static char buf[4096] __attribute__((aligned(4096)));
	int fd = direct_file(65536, 0), fds[2];
	static struct aiocb cb;

	(void)state;
	open_pipe(fds);
	aiocb_init(&cb, fds[0], buf, sizeof(buf), 0);
	check_equal(aio_read(&cb), 0);
	write_fully(fds[1], "hello", 5);
	eventually(aio_error(&cb) != EINPROGRESS);
	check_equal(aio_return(&cb), 5);
	close_pair(fds);
	if (fd < 0)
		return;
	for (int i = 0; i < 64; i++) {
		aiocb_init(&cb, fd, buf, 4096, i % 16 * 4096);
		check_equal(aio_read(&cb), 0);
		eventually(aio_error(&cb) != EINPROGRESS);
		check_equal(aio_return(&cb), 4096);
		check_pattern(buf, (size_t)(i % 16) * 4096, 4096);
	}
	close(fd);
}

/*
 * Overwrite the block and the buffer the moment the end is seen, and look
 * later whether anybody wrote into them.
 */
static void check_left_alone(int fd, int round, struct aiocb *cb, char *buf)
{
	static char mark[4096];

	memset(mark, 0x5A, sizeof(mark));
	aiocb_init(cb, fd, buf, 4096, 0);
	check_equal(round % 2 ? aio_read(cb) : aio_write(cb), 0);
	while (aio_error(cb) == EINPROGRESS)
		;
	memset(cb, 0x5A, sizeof(*cb));
	memset(buf, 0x5A, 4096);
	sched_yield();
	check_memory(cb, mark, sizeof(*cb));
	check_memory(buf, mark, 4096);
}

static void test_finished_block_is_not_touched_again(void **state)
{
	static char buf[4096] __attribute__((aligned(4096)));
	int fd = temp_file_filled(4096), direct = direct_file(4096, 0);
	static struct aiocb cb;

	(void)state;
	for (int round = 0; round < 1000; round++)
		check_left_alone(fd, round, &cb, buf);
	for (int round = 0; direct >= 0 && round < 200; round++)
		check_left_alone(direct, round, &cb, buf);
	close(fd);
	close(direct);
}

static void test_block_memory_may_go_after_the_end(void **state)
{
	int fd = temp_file_filled(4096);

	(void)state;
	for (int i = 0; i < 100; i++) {
		char *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				 -1, 0);
		struct aiocb *cb = (struct aiocb *)map;

		check(map != MAP_FAILED);
		aiocb_init(cb, fd, map + 4096, 100, 0);
		check_equal(aio_read(cb), 0);
		check_equal(await_result(cb), 100);
		check(munmap(map, 8192) == 0);
	}
	check_equal(aio_cancel(fd, NULL), AIO_ALLDONE);
	close(fd);
}

static void test_block_may_be_reused_without_aio_return(void **state)
{
	int fd = temp_file_filled(1000), fds[2];
	static struct aiocb cb;
	static char buf[100];

	(void)state;
	open_pipe(fds);
	for (int i = 0; i < 300; i++) {
		aiocb_init(&cb, fd, buf, 100, i);
		check_equal(aio_read(&cb), 0);
		check_equal(await(&cb), 0);
		/* Not even initialised again. */
		cb.aio_fildes = fds[0];
		check_equal(aio_read(&cb), 0);
		check_equal(aio_error(&cb), EINPROGRESS);
		write_fully(fds[1], "12345", 5);
		check_equal(await_result(&cb), 5);
	}
	close_pair(fds);
	close(fd);
}

/* ---- from a signal handler ---- */

static struct aiocb finished, blocked;
static atomic_int nr_asked, nr_wrong;

static void ask(int signo)
{
	int saved = errno;

	(void)signo;
	if (aio_error(&finished) != 0 || aio_return(&finished) != 10 ||
	    aio_error(&blocked) != EINPROGRESS)
		atomic_fetch_add(&nr_wrong, 1);
	atomic_fetch_add(&nr_asked, 1);
	errno = saved;
}

/* Polled so often that the handler interrupts every instruction of a lock. */
static int ask_while_submitting(void)
{
	struct itimerval often = { { 0, 100 }, { 0, 100 } };
	struct sigaction action = { .sa_handler = ask, .sa_flags = SA_RESTART };
	int fd = temp_file_filled(1000), fds[2];
	static char buf[100], other[100];
	struct aiocb cb;

	open_pipe(fds);
	aiocb_init(&finished, fd, other, 10, 0);
	check_equal(aio_read(&finished), 0);
	check_equal(await_result(&finished), 10);
	aiocb_init(&blocked, fds[0], other, 10, 0);
	check_equal(aio_read(&blocked), 0);
	check(sigaction(SIGALRM, &action, NULL) == 0);
	check(setitimer(ITIMER_REAL, &often, NULL) == 0);
	for (int i = 0; atomic_load(&nr_asked) < 3000; i++) {
		aiocb_init(&cb, fd, buf, 100, i % 800);
		check_equal(aio_read(&cb), 0);
		for (int polls = 0; polls < 500; polls++)
			aio_error(&cb);
		check_equal(await_result(&cb), 100);
		check_pattern(buf, (size_t)i % 800, 100);
		aio_cancel(fd, &cb);
	}
	check_equal(atomic_load(&nr_wrong), 0);
	return 0;
}

static void test_error_and_return_work_in_a_signal_handler(void **state)
{
	(void)state;
	check_in_child(ask_while_submitting, 8000);
}

int main(void)
{
	const struct CMUnitTest aio_error_return_tests[] = {
		/*
		 * Forked children first: with glibc, AIO is dead in a child
		 * whose parent has made a request within the last second.
		 */
		cmocka_unit_test(test_error_and_return_work_in_a_signal_handler),
		cmocka_unit_test(test_zeroed_block_never_submitted_reads_as_finished),
		cmocka_unit_test(test_asking_about_garbage_is_harmless),
		cmocka_unit_test(test_error_and_return_may_be_repeated),
		cmocka_unit_test(test_failure_is_kept_and_errno_is_left_alone),
		cmocka_unit_test(test_successful_calls_leave_errno_alone),
		cmocka_unit_test(test_error_is_einprogress_while_blocked),
		cmocka_unit_test(test_polling_alone_sees_the_end),
		cmocka_unit_test(test_finished_block_is_not_touched_again),
		cmocka_unit_test(test_block_memory_may_go_after_the_end),
		cmocka_unit_test(test_block_may_be_reused_without_aio_return),
	};

	return cmocka_run_group_tests(aio_error_return_tests, NULL, NULL);
}
