// SPDX-License-Identifier: MIT
/*
 * test_clock.c - AIO in a program whose clock another library has replaced
 *
 * fake_clock.so, in the directory of this program, stands for libfaketime.  It is
 * preloaded before and after what is preloaded already, and this program runs
 * itself with it.  A wait goes by the time of the kernel, as with glibc.
 */
#include "transparency.h"

#include <sys/syscall.h>

#define TIMEOUT_MS 100

/* The time that nobody replaces. */
static uint64_t kernel_ms(void)
{
	struct timespec now;

	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void wait_with_timeout(void)
{
	const struct timespec timeout = { .tv_nsec = TIMEOUT_MS * 1000000 };
	static struct aiocb cb;
	const struct aiocb *list[] = { &cb };
	static char byte;
	uint64_t began;
	int fds[2];

	open_pipe(fds);
	submit_read(&cb, fds[0], &byte, 1, 0);
	began = kernel_ms();
	check_equal(aio_suspend(list, 1, &timeout), -1);
	check_equal(errno, EAGAIN);
	check(kernel_ms() - began >= TIMEOUT_MS);
	write_fully(fds[1], "x", 1);
	check_equal(aio_suspend(list, 1, NULL), 0);
	close_pair(fds);
}

/* They leave when they were idle for a second. */
static void await_end_of_threads(void)
{
	uint64_t began = kernel_ms();

	while (nr_threads() > 1) {
		check(kernel_ms() - began < default_deadline_ms());
		short_pause();
	}
}

static void be_notified(void)
{
	struct sigevent event;
	struct aiocb cb;

	catch_signal(SIGUSR1, 0);
	notify_by_signal(&event, SIGUSR1, 1);
	submit_notified_read(&cb, temp_file_filled(1), &event);
	while (nr_caught() == 0)
		short_pause();
}

static int live_in_other_time(void)
{
	check(getpid() != syscall(SYS_getpid)); /* the library is there */
	wait_with_timeout();
	use_aio();
	be_notified();
	await_end_of_threads();
	return 0;
}

/* ---- the program runs itself ---- */

struct world {
	const char *time;
	bool is_first;
};

static int enter_world(void *arg)
{
	const struct world *world = arg;

	preload("fake_clock.so", world->is_first);
	setenv("FAKE_CLOCK", world->time, 1);
	execl(own_program(), "test_clock", "other", NULL);
	return 1;
}

static void check_time(const char *time)
{
	for (int i = 0; i < 2; i++) {
		struct world world = { time, i == 0 };

		support_check_child(in_child_with(enter_world, &world, 30000), time, __FILE__,
				    __LINE__);
	}
}

static void test_clock_that_is_ahead(void **state)
{
	(void)state;
	check_time("ahead");
}

static void test_clock_that_is_behind(void **state)
{
	(void)state;
	check_time("behind");
}

static void test_clock_that_stands_still(void **state)
{
	(void)state;
	check_time("stopped");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clock_that_is_ahead),
		cmocka_unit_test(test_clock_that_is_behind),
		cmocka_unit_test(test_clock_that_stands_still),
	};

	if (argc == 2 && strcmp(argv[1], "other") == 0)
		return live_in_other_time();
	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
