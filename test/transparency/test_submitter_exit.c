// SPDX-License-Identifier: MIT
/*
 * test_submitter_exit.c - a request outlives the thread that submitted it
 *
 * The kernel cancels the io_uring requests of a thread that ends.  Here a thread
 * submits and ends, by returning or by cancellation, before the main thread
 * lets the requests complete: each must give its full, right result.
 */
#include "transparency.h"

#include <sys/wait.h>

#define NR_REQUESTS  16
#define REQUEST_SIZE (256 * 1024)
#define TOTAL_SIZE   (NR_REQUESTS * REQUEST_SIZE)

static struct aiocb cbs[NR_REQUESTS];
static char *buf;
static int fd;
static int fds[2];

/* ---- what the thread submits ---- */

static void submit_pipe_reads(void)
{
	for (int i = 0; i < NR_REQUESTS; i++)
		submit_read(&cbs[i], fds[0], buf + i, 1, 0);
}

static void submit_pipe_writes(void)
{
	for (int i = 0; i < NR_REQUESTS; i++)
		submit_write(&cbs[i], fds[1], buf + i * REQUEST_SIZE, REQUEST_SIZE, 0);
}

static void submit_file_reads(void)
{
	for (int i = 0; i < NR_REQUESTS; i++)
		submit_read(&cbs[i], fd, buf + i * REQUEST_SIZE, REQUEST_SIZE, i * REQUEST_SIZE);
}

static void submit_file_writes(void)
{
	for (int i = 0; i < NR_REQUESTS; i++)
		submit_write(&cbs[i], fd, buf + i * REQUEST_SIZE, REQUEST_SIZE, i * REQUEST_SIZE);
}

/* ---- how the thread ends ---- */

static void *submit_and_exit(void *arg)
{
	((void (*)(void))arg)();
	pthread_exit(NULL);
}

/* Cancelled at once: the cancellation is pending while it submits. */
static void *submit_cancelled(void *arg)
{
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	pthread_cancel(pthread_self());
	((void (*)(void))arg)();
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	pthread_testcancel();
	check_failed("a cancelled thread runs on");
}

static void submit_in_passing(void (*submit)(void), void *(*thread)(void *))
{
	join_thread(start_thread(thread, (void *)submit));
}

/* ---- what the main thread then sees ---- */

static void check_pipe_reads(void *(*thread)(void *))
{
	char text[NR_REQUESTS];

	buf = calloc(1, NR_REQUESTS);
	open_pipe(fds);
	submit_in_passing(submit_pipe_reads, thread);
	pattern_fill(text, 0, NR_REQUESTS);
	for (int i = 0; i < NR_REQUESTS; i++) {
		write_fully(fds[1], text + i, 1);
		check_equal(outcome(&cbs[i]), 1);
	}
	check_memory(buf, text, NR_REQUESTS);
}

static int pipe_reads_of_an_exited_thread(void)
{
	check_pipe_reads(submit_and_exit);
	return 0;
}

static int pipe_reads_of_a_cancelled_thread(void)
{
	check_pipe_reads(submit_cancelled);
	return 0;
}

static int pipe_writes_of_an_exited_thread(void)
{
	char *copy = malloc(TOTAL_SIZE);

	buf = malloc(TOTAL_SIZE);
	pattern_fill(buf, 0, TOTAL_SIZE);
	open_pipe(fds);
	submit_in_passing(submit_pipe_writes, submit_and_exit);
	read_fully(fds[0], copy, TOTAL_SIZE);
	for (int i = 0; i < NR_REQUESTS; i++)
		check_equal(outcome(&cbs[i]), REQUEST_SIZE);
	check_pattern(copy, 0, TOTAL_SIZE);
	return 0;
}

static void check_file_reads(void)
{
	for (int i = 0; i < NR_REQUESTS; i++)
		check_equal(outcome(&cbs[i]), REQUEST_SIZE);
	check_pattern(buf, 0, TOTAL_SIZE);
}

static int cold_reads_of_an_exited_thread(void)
{
	buf = direct_buffer(TOTAL_SIZE);
	fd = temp_file_filled(TOTAL_SIZE);
	for (int round = 0; round < 5; round++) {
		memset(buf, 0, TOTAL_SIZE);
		evict(fd);
		submit_in_passing(submit_file_reads,
				  round % 2 ? submit_cancelled : submit_and_exit);
		check_file_reads();
	}
	return 0;
}

static int direct_reads_of_an_exited_thread(void)
{
	buf = direct_buffer(TOTAL_SIZE);
	fd = direct_file(TOTAL_SIZE, 0);
	if (fd < 0) {
		printf("no O_DIRECT here");
		return CHILD_SKIPPED;
	}
	for (int round = 0; round < 5; round++) {
		memset(buf, 0, TOTAL_SIZE);
		submit_in_passing(submit_file_reads,
				  round % 2 ? submit_cancelled : submit_and_exit);
		check_file_reads();
	}
	return 0;
}

static int writes_of_an_exited_thread(void)
{
	char *copy = malloc(TOTAL_SIZE);
	int direct = direct_file(0, 0);

	buf = direct_buffer(TOTAL_SIZE);
	pattern_fill(buf, 0, TOTAL_SIZE);
	for (int round = 0; round < 4; round++) {
		fd = round % 2 && direct >= 0 ? direct : temp_file(0);
		submit_in_passing(submit_file_writes, submit_and_exit);
		for (int i = 0; i < NR_REQUESTS; i++)
			check_equal(outcome(&cbs[i]), REQUEST_SIZE);
		check_equal(pread(reopen(fd, O_RDONLY), copy, TOTAL_SIZE, 0), TOTAL_SIZE);
		check_pattern(copy, 0, TOTAL_SIZE);
	}
	return 0;
}

TEST_IN_CHILD(test_pipe_reads_outlive_their_thread, pipe_reads_of_an_exited_thread, 30000)
TEST_IN_CHILD(test_pipe_reads_outlive_a_cancelled_thread, pipe_reads_of_a_cancelled_thread, 30000)
TEST_IN_CHILD(test_pipe_writes_outlive_their_thread, pipe_writes_of_an_exited_thread, 30000)
TEST_IN_CHILD(test_cold_reads_outlive_their_thread, cold_reads_of_an_exited_thread, 30000)
TEST_IN_CHILD(test_writes_outlive_their_thread, writes_of_an_exited_thread, 30000)

TEST_OR_SKIP(test_direct_reads_outlive_their_thread, direct_reads_of_an_exited_thread, 30000)

/* ---- the main thread ends ---- */

static void exit_with_value(union sigval value)
{
	exit(value.sival_int);
}

static void wait_for_end_of_main_thread(void)
{
	char path[64], stat[512] = "";

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)getpid());
	do {
		FILE *file = fopen(path, "r");

		check(file && fgets(stat, sizeof(stat), file));
		fclose(file);
		short_pause();
	} while (!strstr(stat, ") Z "));
}

/* Completes the request that the main thread left. */
static void *complete_after_main(void *arg)
{
	(void)arg;
	wait_for_end_of_main_thread();
	write_fully(fds[1], "x", 1);
	pause();
	return NULL;
}

static int main_thread_exits_before_callback(void)
{
	buf = calloc(1, 1);
	open_pipe(fds);
	aiocb_init(&cbs[0], fds[0], buf, 1, 0);
	notify_by_thread(&cbs[0].aio_sigevent, exit_with_value, NULL);
	cbs[0].aio_sigevent.sigev_value.sival_int = 7;
	check_equal(aio_read(&cbs[0]), 0);
	start_thread(complete_after_main, NULL);
	pthread_exit(NULL);
}

static void *exit_after_main(void *arg)
{
	(void)arg;
	wait_for_end_of_main_thread();
	exit(7);
}

static int main_thread_exits_without_requests(void)
{
	start_thread(exit_after_main, NULL);
	pthread_exit(NULL);
}

static void test_callback_can_exit_after_the_main_thread_ended(void **state)
{
	struct child_result result = in_child(main_thread_exits_without_requests, 15000);

	(void)state;
	if (!strcmp(describe_child(&result), "exited with status 0"))
		skip_because("the kernel forgets the status when the main thread has ended");
	result = in_child(main_thread_exits_before_callback, 15000);
	assert_string_equal(describe_child(&result), "exited with status 7");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pipe_reads_outlive_their_thread),
		cmocka_unit_test(test_pipe_reads_outlive_a_cancelled_thread),
		cmocka_unit_test(test_pipe_writes_outlive_their_thread),
		cmocka_unit_test(test_cold_reads_outlive_their_thread),
		cmocka_unit_test(test_direct_reads_outlive_their_thread),
		cmocka_unit_test(test_writes_outlive_their_thread),
		cmocka_unit_test(test_callback_can_exit_after_the_main_thread_ended),
	};

	return cmocka_run_group_tests_name("submitter_exit", tests, NULL, NULL);
}
