// SPDX-License-Identifier: MIT
/*
 * test_messages.c - what the library says does not get into the program's way
 *
 * All messages and the statistics are asked for.  Then standard error is closed, and
 * its descriptor another file's; or it is a pipe that nobody reads; or a file at the
 * size limit.  This program runs itself anew for each, as the library looks when it
 * is loaded.
 */
#include "transparency.h"

#include <sys/socket.h>

#define LIMIT 65536

static const char data[] = "the program's data";

/* The steps of the fresh program. */
struct role {
	const char *name;
	void (*prepare)(void); /* before it is executed */
	bool takes_two;        /* it opens its data file as descriptor 2 */
	bool leaves_at_once;   /* by _exit */
};

/* ---- what standard error is ---- */

static void close_stderr(void)
{
	close(STDERR_FILENO);
}

static void become_stderr(int fd)
{
	check_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	close(fd);
}

static void break_pipe(void)
{
	int fds[2];

	open_pipe(fds);
	close(fds[0]);
	become_stderr(fds[1]);
}

static void break_socket(void)
{
	int fds[2];

	open_socketpair(fds, SOCK_STREAM);
	close(fds[0]);
	become_stderr(fds[1]);
}

/* Its reader is the fresh program itself, which is busy with something else. */
static void fill_pipe(void)
{
	int fds[2];

	open_pipe(fds);
	fill_up(fds[1]);
	check(dup(fds[0]) >= 0); /* stays open when the program is executed */
	become_stderr(fds[1]);
}

static void limit_file(void)
{
	struct rlimit limit = { LIMIT, LIMIT };
	int fd = temp_file(O_APPEND);

	check_equal(ftruncate(fd, LIMIT), 0);
	check_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	become_stderr(fd);
}

/* The statistics go to such a file. */
static void limit_statistics(void)
{
	limit_file();
	check_equal(truncate(getenv("TEST_MESSAGES_DATA"), LIMIT), 0);
	setenv("RTAIO_STATS", getenv("TEST_MESSAGES_DATA"), 1);
}

static const struct role roles[] = {
	{ "reused", NULL, .takes_two = true },
	{ "reused-exit", NULL, .takes_two = true, .leaves_at_once = true },
	{ "closed", close_stderr, .takes_two = true },
	{ "broken-pipe", break_pipe },
	{ "broken-pipe-exit", break_pipe, .leaves_at_once = true },
	{ "broken-socket", break_socket },
	{ "full-pipe", fill_pipe },
	{ "limit", limit_file },
	{ "limit-statistics", limit_statistics },
};

static const struct role *find_role(const char *name)
{
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (strcmp(roles[i].name, name) == 0)
			return &roles[i];
	return NULL;
}

/* ---- the fresh program ---- */

static void open_data_as_two(const char *path)
{
	close(STDERR_FILENO);
	check_equal(open(path, O_WRONLY | O_TRUNC), STDERR_FILENO);
	write_fully(STDERR_FILENO, data, sizeof(data));
}

static int play(const char *name)
{
	const struct role *role = find_role(name);

	if (role->takes_two)
		open_data_as_two(getenv("TEST_MESSAGES_DATA"));
	use_aio_briefly();
	/* While they were open, a signal would have ended the program. */
	check(!is_pending(SIGPIPE) && !is_pending(SIGXFSZ));
	change_mask(SIG_BLOCK, SIGPIPE);
	change_mask(SIG_BLOCK, SIGXFSZ);
	check(!is_pending(SIGPIPE) && !is_pending(SIGXFSZ));
	change_mask(SIG_UNBLOCK, SIGPIPE);
	change_mask(SIG_UNBLOCK, SIGXFSZ);
	if (role->leaves_at_once)
		_exit(0);
	return 0;
}

/* ---- the program runs itself ---- */

static int execute_role(void *arg)
{
	const struct role *role = arg;

	setenv("RTAIO_VERBOSE", "1", 1);
	setenv("RTAIO_STATS", "1", 1);
	setenv("RTAIO_NOBODY_KNOWS", "1", 1);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	if (role->prepare)
		role->prepare();
	execl(own_program(), "test_messages", role->name, NULL);
	return 1;
}

static void run_role(const char *name)
{
	support_check_child(in_child_with(execute_role, (void *)find_role(name),
					  2 * default_deadline_ms()),
			    name, __FILE__, __LINE__);
}

static const char *make_data_file(void)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s", temp_path("data"));
	close(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600));
	setenv("TEST_MESSAGES_DATA", path, 1);
	return path;
}

static void check_data(const char *name)
{
	const char *path = make_data_file();
	char found[256];
	int fd;

	run_role(name);
	fd = open(path, O_RDONLY);
	check_equal(read(fd, found, sizeof(found)), sizeof(data));
	check_memory(found, data, sizeof(data));
	close(fd);
}

static void test_messages_do_not_get_into_a_file_of_the_program(void **state)
{
	(void)state;
	check_data("reused");
	check_data("reused-exit");
	check_data("closed");
}

static void test_messages_send_no_sigpipe(void **state)
{
	(void)state;
	run_role("broken-pipe");
	run_role("broken-pipe-exit");
	run_role("broken-socket");
}

static void test_messages_do_not_wait_for_a_reader(void **state)
{
	(void)state;
	run_role("full-pipe");
}

static void test_messages_send_no_sigxfsz(void **state)
{
	(void)state;
	make_data_file();
	run_role("limit");
	run_role("limit-statistics");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages_do_not_get_into_a_file_of_the_program),
		cmocka_unit_test(test_messages_send_no_sigpipe),
		cmocka_unit_test(test_messages_do_not_wait_for_a_reader),
		cmocka_unit_test(test_messages_send_no_sigxfsz),
	};

	if (argc == 2)
		return play(argv[1]);
	return cmocka_run_group_tests_name("messages", tests, NULL, NULL);
}
