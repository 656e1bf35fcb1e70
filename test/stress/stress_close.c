// SPDX-License-Identifier: MIT
/*
 * stress_close.c - descriptors are closed and reused at once
 *
 * A request belongs to the file that its descriptor meant when it was
 * submitted.  Threads close it under the request and open a file that gets the
 * descriptor: no byte of the request may reach that file, none of the file's may
 * reach the request.
 */
#include "support.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <sys/time.h>

#define NR_THREADS     4
#define NR_ROUNDS_JUMP 2000
#define NR_READS       20
#define STREAM_BYTES   8192 /* more than PIPE_BUF: a write that may block half way */

static uint64_t end_ns;

static unsigned int test_ms(void)
{
	const char *text = getenv("RTAIO_TEST_SECONDS");

	return text ? 1000 * (unsigned int)strtoul(text, NULL, 10) : 3000;
}

static void set_time(void)
{
	end_ns = now_ns() + (uint64_t)test_ms() * 1000000;
}

static void run_threads(void *(*function)(void *))
{
	pthread_t threads[NR_THREADS];

	set_time();
	for (int i = 0; i < NR_THREADS; i++)
		check_equal(pthread_create(&threads[i], NULL, function, NULL), 0);
	for (int i = 0; i < NR_THREADS; i++)
		check_equal(pthread_join(threads[i], NULL), 0);
}

static int open_again(int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fd = open(path, O_RDWR | O_CLOEXEC);
	check(fd >= 0);
	return fd;
}

static void *close_under_writes(void *arg)
{
	static char data[STREAM_BYTES];
	int victim = temp_file(0);

	while (now_ns() < end_ns) {
		struct aiocb cb;
		int fds[2], fd;

		open_pipe(fds);
		aiocb_init(&cb, fds[1], data, sizeof(data), 0);
		check_equal(aio_write(&cb), 0);
		close(fds[1]);
		fd = open_again(victim);
		await(&cb);
		check_equal(file_size(victim), 0);
		check_equal(lseek(fd, 0, SEEK_CUR), 0);
		close(fd);
		close(fds[0]);
	}
	close(victim);
	return arg;
}

static int writes_and_closes(void)
{
	run_threads(close_under_writes);
	return 0;
}

static void test_write_never_reaches_the_next_file_of_its_descriptor(void **state)
{
	(void)state;
	temp_dir(); /* made here, so that it is removed */
	check_in_child(writes_and_closes, test_ms() + 30000);
}

static void *close_under_reads(void *arg)
{
	int victim = temp_file_filled(4096);

	while (now_ns() < end_ns) {
		char bytes[2][16] = { "untouched", "untouched" };
		struct aiocb cbs[2];
		int fds[2], fd;

		open_pipe(fds);
		for (int i = 0; i < 2; i++) {
			aiocb_init(&cbs[i], fds[0], bytes[i], sizeof(bytes[i]), 0);
			check_equal(aio_read(&cbs[i]), 0);
		}
		close(fds[0]);
		fd = open_again(victim);
		close(fds[1]); /* end of file for what still waits */
		for (int i = 0; i < 2; i++) {
			await(&cbs[i]);
			check_memory(bytes[i], "untouched", 10);
		}
		close(fd);
	}
	close(victim);
	return arg;
}

static int reads_and_closes(void)
{
	run_threads(close_under_reads);
	return 0;
}

static void test_read_never_gets_the_next_file_of_its_descriptor(void **state)
{
	(void)state;
	temp_dir(); /* made here, so that it is removed */
	check_in_child(reads_and_closes, test_ms() + 30000);
}

static sigjmp_buf way_out;
static volatile sig_atomic_t may_jump;

static void jump_out(int signo)
{
	(void)signo;
	if (may_jump) {
		may_jump = 0;
		siglongjmp(way_out, 1);
	}
}

/* Is what lies where the abandoned call had its frame left alone? */
static __attribute__((noinline)) void check_dead_frames(void)
{
	volatile unsigned char frame[2048];

	for (size_t i = 0; i < sizeof(frame); i++)
		frame[i] = 0x5a;
	for (int round = 0; round < 20; round++)
		for (size_t i = 0; i < sizeof(frame); i++)
			check_equal(frame[i], 0x5a);
}

static void close_and_jump(int fds[2])
{
	static struct aiocb cbs[NR_READS];
	static char bytes[NR_READS];

	for (int i = 0; i < NR_READS; i++) {
		aiocb_init(&cbs[i], fds[0], &bytes[i], 1, 0);
		check_equal(aio_read(&cbs[i]), 0);
	}
	if (sigsetjmp(way_out, 1) == 0) {
		may_jump = 1;
		close(fds[0]);
		may_jump = 0;
	} else {
		check_dead_frames();
		close(fds[0]); /* the first may or may not have got there */
	}
	close(fds[1]);
	for (int i = 0; i < NR_READS; i++)
		await(&cbs[i]);
}

/* close is async-signal-safe (POSIX.1-2024, 2.4.3), so a handler may leave it by a jump. */
static int jump_out_of_close(void)
{
	struct sigaction action = { .sa_handler = jump_out };
	struct itimerval often = { { 0, 200 }, { 0, 200 } }, never = { { 0, 0 }, { 0, 0 } };
	int fds[2];

	check_equal(sigaction(SIGALRM, &action, NULL), 0);
	check_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	for (int i = 0; i < NR_ROUNDS_JUMP; i++) {
		open_pipe(fds);
		close_and_jump(fds);
	}
	check_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	return 0;
}

static void test_handler_may_jump_out_of_close(void **state)
{
	(void)state;
	check_in_child(jump_out_of_close, 30000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write_never_reaches_the_next_file_of_its_descriptor),
		cmocka_unit_test(test_read_never_gets_the_next_file_of_its_descriptor),
		cmocka_unit_test(test_handler_may_jump_out_of_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
