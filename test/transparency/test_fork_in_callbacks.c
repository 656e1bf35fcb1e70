// SPDX-License-Identifier: MIT
/*
 * test_fork_in_callbacks.c - children that are forked in callbacks and signal handlers
 *
 * There the library may be in the middle of anything.
 */
#include "transparency.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

static pid_t fork_without_handlers(void)
{
	pid_t (*function)(void) = (pid_t(*)(void))dlsym(RTLD_DEFAULT, "_Fork");

	/* Newer architectures have no call fork. */
	return function ? function() : (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

static atomic_int child_status = -1;

static void fork_in_callback(union sigval value)
{
	pid_t pid = fork();

	(void)value;
	if (!pid) {
		use_aio_briefly();
		_exit(0);
	}
	child_status = wait_for_child(pid);
}

static int callback_forks(void)
{
	struct aiocb cb;
	char byte;
	int fds[2];

	for (int i = 0; i < 10; i++) {
		open_pipe(fds);
		child_status = -1;
		aiocb_init(&cb, fds[0], &byte, 1, 0);
		notify_by_thread(&cb.aio_sigevent, fork_in_callback, NULL);
		check_equal(aio_read(&cb), 0);
		write_fully(fds[1], "x", 1);
		eventually(child_status != -1);
		check_equal(child_status, 0);
		check_equal(outcome(&cb), 1);
		close_pair(fds);
	}
	return 0;
}

static atomic_int nr_calls;

static void count_call(union sigval value)
{
	(void)value;
	nr_calls++;
}

/* The thread of the callback has ended; it was the parent's that it was counted for. */
static void *call_back_in_child(void *arg)
{
	struct aiocb cb;
	int fd = temp_file_filled(100);

	eventually(nobody_else_runs());
	for (int i = 0; i < 3; i++) {
		struct sigevent event;

		notify_by_thread(&event, count_call, NULL);
		submit_notified_read(&cb, fd, &event);
		check_equal(outcome(&cb), 100);
		eventually(nr_calls == i + 1);
	}
	_exit(0);
	return arg;
}

static void fork_and_return(union sigval value)
{
	pid_t pid = fork();

	(void)value;
	if (!pid) {
		use_aio_briefly();
		start_thread(call_back_in_child, NULL);
		return;
	}
	child_status = wait_for_child(pid);
}

static int callback_returns_in_child(void)
{
	struct sigevent event;
	struct aiocb cb;
	int fd = temp_file_filled(100);

	notify_by_thread(&event, fork_and_return, NULL);
	submit_notified_read(&cb, fd, &event);
	eventually(child_status != -1);
	check_equal(child_status, 0);
	check_equal(outcome(&cb), 100);
	return 0;
}

#define NR_HANDLER_FORKS 150
#define FORK_AFTER_US    1500

static volatile sig_atomic_t nr_forks;
static struct aiocb *volatile interrupted;

/* The child looks at the block whose call was interrupted, and goes. */
static void fork_in_handler(int signo)
{
	int error = errno;
	pid_t pid = fork_without_handlers();

	(void)signo;
	if (!pid) {
		if (interrupted)
			aio_error(interrupted);
		_exit(0);
	}
	check_child(pid);
	nr_forks = nr_forks + 1;
	if (nr_forks < NR_HANDLER_FORKS)
		wind_timer(FORK_AFTER_US);
	errno = error;
}

static int handler_forks(void)
{
	int fd = temp_file_filled(4096);
	struct aiocb cb;
	char buf[4096];
	int fds[2];

	handle_signal(SIGALRM, fork_in_handler, SA_RESTART);
	wind_timer(FORK_AFTER_US);
	interrupted = &cb;
	open_pipe(fds);
	while (nr_forks < NR_HANDLER_FORKS) {
		submit_read(&cb, fd, buf, sizeof(buf), 0);
		check_equal(outcome(&cb), sizeof(buf));
		submit_read(&cb, fds[0], buf, 1, 0);
		for (int i = 0; i < 1000; i++)
			check_equal(aio_error(&cb), EINPROGRESS);
		write_fully(fds[1], "x", 1);
		check_equal(outcome(&cb), 1);
	}
	use_aio();
	return 0;
}

TEST_IN_CHILD(test_callback_may_fork, callback_forks, 40000)
TEST_IN_CHILD(test_callback_may_return_in_a_child, callback_returns_in_child, 40000)
TEST_IN_CHILD(test_handler_may_fork, handler_forks, 40000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_callback_may_fork),
		cmocka_unit_test(test_callback_may_return_in_a_child),
		cmocka_unit_test(test_handler_may_fork),
	};

	/* A child that hangs here hangs for good: most waits need not be long. */
	choose_default_deadline(4000);
	return cmocka_run_group_tests_name("fork_in_callbacks", tests, NULL, NULL);
}
