// SPDX-License-Identifier: MIT
/*
 * test_exit.c - the beginning and the end of a program
 *
 * A blocked request never delays exit, and exec leaks nothing into the next
 * program.  AIO works in a constructor before main(), in an atexit() handler
 * and in a destructor.  Where the moment matters, this program runs itself as
 * a fresh one with "--role NAME".
 */
#include "offload.h"

#include <dirent.h>
#include <stdatomic.h>
#include <sys/wait.h>

static struct aiocb blocked;
static char byte;
static int fds[2];

/* Without files: the directory for these goes in an exit handler. */
static void use_pipe_only(void)
{
	struct aiocb in, out;

	open_pipe(fds);
	submit_read(&in, fds[0], &byte, 1, 0);
	submit_write(&out, fds[1], "x", 1, 0);
	check_equal(outcome(&out), 1);
	check_equal(outcome(&in), 1);
}

/* A request of each kind which cannot end by itself. */
static void block(void)
{
	static struct aiocb full;

	open_pipe(fds);
	submit_read(&blocked, fds[0], &byte, 1, 0);
	open_pipe(fds);
	fill_up(fds[1]);
	submit_write(&full, fds[1], &byte, 1, 0);
	use_aio();
}

/* ---- roles of the fresh program ---- */

static int is_role(const char *name)
{
	const char *role = getenv("TEST_EXIT_ROLE");

	return role && !strcmp(role, name);
}

static void use_at_exit(void)
{
	use_aio();
	block();
	dprintf(STDOUT_FILENO, "used at exit\n");
}

static void __attribute__((constructor)) use_before_main(void)
{
	if (!is_role("constructor") && !is_role("blocked-constructor"))
		return;
	use_aio();
	if (is_role("blocked-constructor"))
		block();
	dprintf(STDOUT_FILENO, "used before main\n");
}

static void __attribute__((destructor)) use_after_main(void)
{
	if (!is_role("destructor") && !is_role("destructor-first-use"))
		return;
	use_at_exit();
}

static int count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int nr = 0;

	while (dir && (entry = readdir(dir)))
		nr += entry->d_name[0] != '.' && atoi(entry->d_name) > 2 &&
		      atoi(entry->d_name) != dirfd(dir);
	return nr;
}

#define NR_USES 4

static int use_now_and_then(void)
{
	for (int i = 0; i < NR_USES; i++) {
		use_pipe_only();
		eventually(nr_threads() == 1);
	}
	exit(0);
}

static int play_role(void)
{
	if (is_role("now-and-then"))
		use_now_and_then();
	if (is_role("return"))
		block();
	if (is_role("atexit")) {
		atexit(use_at_exit);
		use_pipe_only();
	}
	if (is_role("atexit-first-use"))
		atexit(use_at_exit);
	if (is_role("destructor"))
		use_pipe_only();
	if (is_role("exec-target")) {
		check_equal(count_descriptors(), 0);
		check_equal(nr_threads(), 1);
		use_aio();
	}
	return 5;
}

static int run_role(void *role)
{
	close_others_on_exec();
	setenv("TEST_EXIT_ROLE", role, 1);
	execl(own_program(), "test_exit", "--role", role, NULL);
	return 1;
}

static void check_role(const char *role, const char *output)
{
	uint64_t begin = now_ns();
	struct child_result result;

	result = in_child_with(run_role, (void *)role, 20000);
	if (strcmp(describe_child(&result), "exited with status 5") ||
	    strcmp(result.output, output))
		check_failed("role %s %s: %s", role, describe_child(&result), result.output);
	check(now_ns() - begin < stretched_ns(4000000000));
}

#define TEST_ROLE(test, role, output)     \
	static void test(void **state)    \
	{                                 \
		(void)state;              \
		check_role(role, output); \
	}

TEST_ROLE(test_return_from_main_does_not_wait_for_requests, "return", "")
TEST_ROLE(test_aio_works_in_atexit_handler, "atexit", "used at exit\n")
TEST_ROLE(test_aio_works_first_in_atexit_handler, "atexit-first-use", "used at exit\n")
TEST_ROLE(test_aio_works_in_destructor, "destructor", "used at exit\n")
TEST_ROLE(test_aio_works_first_in_destructor, "destructor-first-use", "used at exit\n")
TEST_ROLE(test_aio_works_before_main, "constructor", "used before main\n")
TEST_ROLE(test_request_blocked_before_main_does_not_delay_exit, "blocked-constructor",
	  "used before main\n")

/* ---- the end of a child ---- */

static int exit_with_blocked_request(void)
{
	block();
	exit(5);
}

static int leave_with_blocked_request(void)
{
	block();
	_exit(5);
}

static int exec_with_blocked_request(void)
{
	int file = temp_file_filled(1024 * 1024);
	static struct aiocb cold;

	block();
	evict(file);
	submit_read(&cold, file, malloc(1024 * 1024), 1024 * 1024, 0);
	run_role((void *)"exec-target");
	return 1;
}

static void check_prompt_end(int (*function)(void))
{
	uint64_t begin = now_ns();
	struct child_result result = in_child(function, 20000);

	if (strcmp(describe_child(&result), "exited with status 5"))
		check_failed("%s: %s", describe_child(&result), result.output);
	check(now_ns() - begin < stretched_ns(2000000000));
}

static void test_exit_does_not_wait_for_requests(void **state)
{
	(void)state;
	check_prompt_end(exit_with_blocked_request);
}

static void test_immediate_exit_does_not_wait_for_requests(void **state)
{
	(void)state;
	check_prompt_end(leave_with_blocked_request);
}

static void test_exec_does_not_wait_for_requests_and_leaks_nothing(void **state)
{
	(void)state;
	check_prompt_end(exec_with_blocked_request);
}

/* ---- exit while other threads are busy ---- */

static atomic_int nr_rounds;

static void *use_for_ever(void *arg)
{
	(void)arg;
	for (;;) {
		use_aio_briefly();
		atomic_fetch_add(&nr_rounds, 1);
	}
	return NULL;
}

static void wait_in_callback(union sigval value)
{
	(void)value;
	atomic_fetch_add(&nr_rounds, 1);
	pause();
}

static int exit_amid_use(void)
{
	struct aiocb cb;

	for (int i = 0; i < 4; i++)
		start_thread(use_for_ever, NULL);
	open_pipe(fds);
	aiocb_init(&cb, fds[1], "x", 1, 0);
	notify_by_thread(&cb.aio_sigevent, wait_in_callback, NULL);
	check_equal(aio_write(&cb), 0);
	eventually(nr_rounds >= 20);
	exit(5);
}

static void test_exit_amid_use_by_other_threads(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++)
		check_prompt_end(exit_amid_use);
}

/* ---- the last thread ends ---- */

#define NR_HANDLERS 4
#define NR_CHILDREN 12

static atomic_int nr_running;

/* Exit handlers run one after another, however many threads AIO makes for them. */
static void run_alone(void)
{
	atomic_fetch_add(&nr_running, 1);
	use_pipe_only();
	if (becomes_true(atomic_load(&nr_running) > 1, 200)) {
		dprintf(STDOUT_FILENO, "exit handlers run on two threads\n");
		_exit(1);
	}
	atomic_fetch_sub(&nr_running, 1);
}

static void *use_and_end(void *arg)
{
	(void)arg;
	use_pipe_only();
	return NULL;
}

static void end_main_thread(void)
{
	for (int i = 0; i < NR_HANDLERS; i++)
		check_equal(atexit(run_alone), 0);
	pthread_detach(start_thread(use_and_end, NULL));
	pthread_exit(NULL);
}

/* The fault that this looks for shows only now and then. */
static int end_main_threads(void)
{
	pid_t pids[NR_CHILDREN];

	for (int i = 0; i < NR_CHILDREN; i++) {
		pids[i] = fork();
		check(pids[i] >= 0);
		if (!pids[i])
			end_main_thread();
	}
	for (int i = 0; i < NR_CHILDREN; i++)
		check_child(pids[i]);
	return 0;
}

static void test_exit_handlers_run_on_one_thread_when_the_last_one_ended(void **state)
{
	(void)state;
	check_in_child(end_main_threads, 20000);
}

/* ---- helpers that leave, and come again ---- */

static void test_helpers_start_once_for_each_time_of_use(void **state)
{
	long nr;

	(void)state;
	setenv("TEST_EXIT_ROLE", "now-and-then", 1);
	nr = count_in_role("now-and-then", false, "engine_starts");
	unsetenv("TEST_EXIT_ROLE");
	if (nr > NR_USES)
		check_failed("%ld starts for %d times of use", nr, NR_USES);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_return_from_main_does_not_wait_for_requests),
		cmocka_unit_test(test_exit_does_not_wait_for_requests),
		cmocka_unit_test(test_immediate_exit_does_not_wait_for_requests),
		cmocka_unit_test(test_exec_does_not_wait_for_requests_and_leaks_nothing),
		cmocka_unit_test(test_aio_works_before_main),
		cmocka_unit_test(test_request_blocked_before_main_does_not_delay_exit),
		cmocka_unit_test(test_aio_works_in_atexit_handler),
		cmocka_unit_test(test_aio_works_first_in_atexit_handler),
		cmocka_unit_test(test_aio_works_in_destructor),
		cmocka_unit_test(test_aio_works_first_in_destructor),
		cmocka_unit_test(test_exit_amid_use_by_other_threads),
		cmocka_unit_test(test_exit_handlers_run_on_one_thread_when_the_last_one_ended),
		cmocka_unit_test(test_helpers_start_once_for_each_time_of_use),
	};

	if (argc > 2 && !strcmp(argv[1], "--role"))
		return play_role();
	return cmocka_run_group_tests_name("exit", tests, NULL, NULL);
}
