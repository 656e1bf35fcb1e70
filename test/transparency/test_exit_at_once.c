// SPDX-License-Identifier: MIT
/*
 * test_exit_at_once.c - several threads that end the process at the same moment
 *
 * The statistics that the user has asked for are written once, and whole, whichever thread comes
 * first.
 */
#include "transparency.h"

#include <stdatomic.h>
#include <sys/time.h>

#define NR_THREADS  4
#define NR_PROGRAMS 60

static void leave_by_exit(int status)
{
	exit(status);
}

static void (*const ways[])(int status) = { _exit, _Exit, _exit, _Exit };
static void (*const ways_and_exit[])(int status) = { leave_by_exit, _Exit, _exit, _exit };

static void (*const *chosen)(int status);
static atomic_uint nr_ready;

static void *leave(void *arg)
{
	atomic_fetch_add(&nr_ready, 1);
	while (atomic_load(&nr_ready) < NR_THREADS)
		continue;
	chosen[(uintptr_t)arg](0);
	return NULL;
}

/* In a thread that ends the process, too. */
static void leave_in_handler(int signo)
{
	(void)signo;
	_exit(0);
}

static int play_role(const char *role)
{
	char byte;
	int fd = temp_file_filled(4096);

	chosen = strcmp(role, "exit") ? ways : ways_and_exit;
	check_equal(read_now(fd, &byte, 1, 0), 1);
	if (!strcmp(role, "handler")) {
		struct itimerval soon = { { 0, 50 }, { 0, 50 } };

		handle_signal(SIGALRM, leave_in_handler, SA_NODEFER);
		setitimer(ITIMER_REAL, &soon, NULL);
	}
	if (!strcmp(role, "alone"))
		_exit(0);
	for (uintptr_t i = 1; i < NR_THREADS; i++)
		start_thread(leave, (void *)i);
	leave((void *)0);
	return 1;
}

struct program {
	const char *role, *path;
};

static int run_program(void *arg)
{
	const struct program *program = arg;

	setenv("RTAIO_STATS", program->path, 1);
	execl(own_program(), program_invocation_name, "--role", program->role, NULL);
	return 1;
}

/* How many begin, and of how many lines they are. */
static int count_blocks(const char *path, int *nr_lines)
{
	FILE *file = fopen(path, "r");
	char line[256];
	int nr = 0;

	*nr_lines = 0;
	while (file && fgets(line, sizeof(line), file)) {
		nr += !strncmp(line, "rtaio: statistics of process", 28);
		++*nr_lines;
	}
	if (file)
		fclose(file);
	unlink(path);
	return nr;
}

/* How many lines the program has written, with one block in them. */
static int lines_of(const char *role)
{
	static char path[PATH_MAX];
	struct program program = { role, path };
	int nr_blocks, nr_lines;

	snprintf(path, sizeof(path), "%s", temp_path("counters"));
	unlink(path);
	support_check_child(in_child_with(run_program, &program, 20000), role, __FILE__, __LINE__);
	nr_blocks = count_blocks(path, &nr_lines);
	if (nr_blocks == 0 && !strcmp(role, "alone"))
		skip_because("no statistics are kept");
	check_equal(nr_blocks, 1);
	return nr_lines;
}

static void check_role(const char *role)
{
	int nr_lines = lines_of("alone");

	for (int i = 0; i < NR_PROGRAMS; i++)
		check_equal(lines_of(role), nr_lines);
}

static void test_threads_that_leave_at_once_write_statistics_once(void **state)
{
	(void)state;
	check_role("threads");
}

static void test_threads_that_leave_and_exit_at_once_write_statistics_once(void **state)
{
	(void)state;
	check_role("exit");
}

static void test_handlers_that_leave_at_once_write_statistics_once(void **state)
{
	(void)state;
	check_role("handler");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads_that_leave_at_once_write_statistics_once),
		cmocka_unit_test(test_threads_that_leave_and_exit_at_once_write_statistics_once),
		cmocka_unit_test(test_handlers_that_leave_at_once_write_statistics_once),
	};

	if (argc == 3 && !strcmp(argv[1], "--role"))
		return play_role(argv[2]);
	return cmocka_run_group_tests_name("exit_at_once", tests, NULL, NULL);
}
