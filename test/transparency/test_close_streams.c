// SPDX-License-Identifier: MIT
/*
 * test_close_streams.c - streams on which a request is blocked, and their closing
 *
 * A request that is blocked on a silent line must cost the program nothing: no
 * fd of its table, no reference to the file in a forked child, and no close()
 * that waits for the line.  Where fds are scarce this holds just as well.
 */
#include "served.h"
#include "sockets.h"
#include "transparency.h"

#include <poll.h>
#include <pty.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>

#define NR_LINES      40
#define TRANSFER_SIZE (2 * PIPE_BUF)

/* ---- lines: [0] is the end that is read, [1] the peer ---- */

static void open_terminal(int fds[2])
{
	struct termios raw;

	check_equal(openpty(&fds[1], &fds[0], NULL, NULL, NULL), 0);
	check_equal(tcgetattr(fds[0], &raw), 0);
	cfmakeraw(&raw);
	check_equal(tcsetattr(fds[0], TCSANOW, &raw), 0);
}

static void open_socket(int fds[2])
{
	open_socketpair(fds, SOCK_STREAM);
}

static void open_fifo(int fds[2])
{
	const char *path = temp_path("fifo");

	check_equal(mkfifo(path, 0600), 0);
	fds[0] = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	fds[1] = open(path, O_WRONLY | O_CLOEXEC);
	unlink(path);
	check(fds[0] >= 0 && fds[1] >= 0);
	check_equal(fcntl(fds[0], F_SETFL, 0), 0);
}

/* The end that is written to, and the one that nobody reads. */
static void open_full_pipe(int fds[2])
{
	int ends[2];

	open_pipe(ends);
	fill_up(ends[1]);
	fds[0] = ends[1];
	fds[1] = ends[0];
}

typedef void open_fn(int fds[2]);

/* ---- many requests, each blocked on a line of its own ---- */

static int lines[NR_LINES][2];
static struct aiocb cbs[NR_LINES];
static char bufs[NR_LINES][TRANSFER_SIZE];
static int nr_lines;

static void open_lines(void *open_line, int nr)
{
	nr_lines = nr;
	for (int i = 0; i < nr; i++)
		((open_fn *)open_line)(lines[i]);
}

/* As soon as there is something to read, or as all of it is written. */
static void submit_lines(void)
{
	for (int i = 0; i < nr_lines; i++) {
		bool is_write = (fcntl(lines[i][0], F_GETFL) & O_ACCMODE) == O_WRONLY;

		aiocb_init(&cbs[i], lines[i][0], bufs[i], TRANSFER_SIZE, 0);
		check_equal(is_write ? aio_write(&cbs[i]) : aio_read(&cbs[i]), 0);
	}
}

static void use_lines(void)
{
	submit_lines();
	eventually(others_are_asleep());
}

static void *close_lines(void *arg)
{
	(void)arg;
	for (int i = 0; i < nr_lines; i++)
		check_equal(close(lines[i][0]), 0);
	return NULL;
}

/* ---- close returns, however few fds are left ---- */

static void take_all_fds(void)
{
	while (open("/dev/null", O_RDWR | O_CLOEXEC) >= 0)
		;
	check_equal(errno, EMFILE);
}

/* RLIMIT_NOFILE of 1024, as most programs have. */
static int close_returns_with_usual_limit(void *open_line)
{
	set_soft_limit(RLIMIT_NOFILE, 1024);
	open_lines(open_line, NR_LINES);
	use_lines();
	join_thread(start_thread(close_lines, NULL));
	return 0;
}

/* RLIMIT_NOFILE of so few that none is free above 1000. */
static int close_returns_with_small_limit(void *open_line)
{
	set_soft_limit(RLIMIT_NOFILE, 256);
	open_lines(open_line, 1);
	use_lines();
	join_thread(start_thread(close_lines, NULL));
	return 0;
}

static int close_returns_with_none_left(void *open_line)
{
	set_soft_limit(RLIMIT_NOFILE, 1024);
	open_lines(open_line, NR_LINES);
	take_all_fds();
	submit_lines();
	join_thread(start_thread(close_lines, NULL));
	return 0;
}

/* ---- a blocked request takes no fd of the program's ---- */

static unsigned int nr_fds(void)
{
	unsigned int nr = 0;

	for (int fd = 0; fd < 1024; fd++)
		nr += fcntl(fd, F_GETFD) >= 0;
	return nr;
}

static int blocked_requests_take_no_fd(void *open_line)
{
	unsigned int nr_before;

	set_soft_limit(RLIMIT_NOFILE, 1024);
	open_lines(open_line, NR_LINES);
	use_aio_briefly(); /* before Linux 6.7 the library itself may need one or two */
	nr_before = nr_fds();
	use_lines();
	check_equal(nr_fds(), nr_before);
	take_all_fds();
	check_equal(nr_fds(), 1024);
	return 0;
}

/* ---- a child that knows of one fd and closes it has no other ---- */

/* The child of a program with a blocked read; it stays until @gate is closed. */
static pid_t fork_without(const int line[2], const int gate[2])
{
	pid_t pid = fork();
	char byte;

	check(pid >= 0);
	if (pid > 0)
		return pid;
	close(line[0]);
	close(line[1]);
	close(gate[1]);
	_exit(read(gate[0], &byte, 1) == 0 ? 0 : 1);
}

static bool has_hung_up(int peer)
{
	struct pollfd polled = { .fd = peer, .events = POLLIN };

	return poll(&polled, 1, 0) == 1 && (polled.revents & (POLLHUP | POLLERR));
}

static void check_child_inherits_no_blocked_read(open_fn *open_line, bool is_closed_first)
{
	int line[2], gate[2];
	struct aiocb cb;
	ssize_t res;
	char byte;
	pid_t pid;

	open_line(line);
	open_pipe(gate);
	submit_read(&cb, line[0], &byte, 1, 0);
	eventually(others_are_asleep());
	pid = fork_without(line, gate);
	if (is_closed_first)
		check_equal(close(line[0]), 0);
	/* Without a reader, since close has cancelled the read, there is nobody to write to. */
	check(write(line[1], "x", 1) == 1 || errno == EPIPE || errno == EIO);
	res = outcome(&cb);
	check(res == 1 || (is_closed_first && res == -ECANCELED));
	if (!is_closed_first)
		check_equal(close(line[0]), 0);
	eventually(has_hung_up(line[1]));
	close_pair(gate);
	check_child(pid);
	close(line[1]);
}

static int child_inherits_no_blocked_read(void *open_line)
{
	signal(SIGPIPE, SIG_IGN);
	check_child_inherits_no_blocked_read((open_fn *)open_line, false);
	check_child_inherits_no_blocked_read((open_fn *)open_line, true);
	return 0;
}

/* ---- a keeper that takes a file over too late drops the file that it found ---- */

static int late_taker_keeps_nothing(void)
{
	int line[2], other[2];
	struct aiocb cb;
	char byte;

	signal(SIGPIPE, SIG_IGN);
	if (!served_start())
		return CHILD_SKIPPED;
	/* Whoever closes a copy of the table waits for the server. */
	served_open("held-flushed", O_RDWR);
	open_fifo(line);
	open_pipe(other);
	submit_read(&cb, line[0], &byte, 1, 0);
	eventually(others_are_asleep());
	check_equal(close(line[0]), 0);
	check_equal(dup2(other[0], line[0]), line[0]);
	check_equal(close(other[0]), 0);
	served_release();
	eventually(others_are_asleep());
	check_equal(close(line[0]), 0);
	eventually(has_hung_up(other[1]));
	check(write(line[1], "x", 1) == 1 || errno == EPIPE);
	outcome(&cb);
	return 0;
}

TEST_OR_SKIP(test_file_that_is_taken_over_too_late_is_let_go, late_taker_keeps_nothing, 30000)

/* ---- a stream that is closed without close(), and a file in its place ---- */

static int next_file_is_read_at_its_offset(void *open_line)
{
	int line[2], file = temp_file_filled(8192);
	struct aiocb first, second;
	char byte, bytes[100];

	((open_fn *)open_line)(line);
	submit_read(&first, line[0], &byte, 1, 0);
	eventually(others_are_asleep());
	check_equal(syscall(SYS_dup3, file, line[0], O_CLOEXEC), line[0]);
	submit_read(&second, line[0], bytes, sizeof(bytes), 5000);
	check_equal(write(line[1], "x", 1), 1);
	check_equal(outcome(&first), 1);
	check_equal(outcome(&second), sizeof(bytes));
	check_pattern(bytes, 5000, sizeof(bytes));
	return 0;
}

#define TEST_LINE(name, line)                                                                 \
	static void test_##name##_on_a_##line(void **state)                                   \
	{                                                                                     \
		(void)state;                                                                  \
		support_check_child(in_child_with(name, (void *)(open_##line), 30000), #name, \
				    __FILE__, __LINE__);                                      \
	}

#define TEST_LINES(name)          \
	TEST_LINE(name, terminal) \
	TEST_LINE(name, fifo)     \
	TEST_LINE(name, socket)   \
	TEST_LINE(name, timed_socket)

TEST_LINES(close_returns_with_usual_limit)
TEST_LINES(close_returns_with_small_limit)
TEST_LINES(close_returns_with_none_left)
TEST_LINES(blocked_requests_take_no_fd)
TEST_LINE(close_returns_with_usual_limit, full_pipe)
TEST_LINE(close_returns_with_small_limit, full_pipe)
TEST_LINE(close_returns_with_none_left, full_pipe)
TEST_LINE(blocked_requests_take_no_fd, full_pipe)
TEST_LINES(child_inherits_no_blocked_read)
TEST_LINE(next_file_is_read_at_its_offset, fifo)
TEST_LINE(next_file_is_read_at_its_offset, socket)

#define UNIT_TESTS(name)                                                                          \
	cmocka_unit_test(test_##name##_on_a_terminal), cmocka_unit_test(test_##name##_on_a_fifo), \
		cmocka_unit_test(test_##name##_on_a_socket),                                      \
		cmocka_unit_test(test_##name##_on_a_timed_socket)

/* ---- a process that is stopped and goes on ---- */

static bool is_stopped(pid_t pid)
{
	char path[32], state = 0;
	FILE *stat;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	stat = fopen(path, "r");
	check(stat != NULL);
	check_equal(fscanf(stat, "%*d (%*[^)]) %c", &state), 1);
	fclose(stat);
	return state == 'T';
}

/* A child does it.  Some calls end with EINTR then. */
static void stop_and_go_on(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		check_equal(kill(getppid(), SIGSTOP), 0);
		eventually(is_stopped(getppid()));
		check_equal(kill(getppid(), SIGCONT), 0);
		_exit(0);
	}
	check_child(pid);
}

static int stop_amid_closed_read(void)
{
	char byte = 0, left = 0;
	struct aiocb cb;
	int old[2], next[2];

	open_socketpair(old, SOCK_STREAM);
	open_socketpair(next, SOCK_STREAM);
	set_timeout(old[0], SO_RCVTIMEO, 1000 * 1000);
	submit_read(&cb, old[0], &byte, 1, 0);
	eventually(others_are_asleep());
	check_equal(dup2(next[0], old[0]), old[0]);
	write_fully(next[1], "n", 1);
	stop_and_go_on();
	signal(SIGPIPE, SIG_IGN);
	check(write(old[1], "o", 1) == 1 || errno == EPIPE);
	if (outcome(&cb) == 1)
		check_equal(byte, 'o');
	check_equal(recv(next[0], &left, 1, MSG_DONTWAIT), 1);
	check_equal(left, 'n');
	return 0;
}

TEST_IN_CHILD(test_stopped_read_keeps_its_socket, stop_amid_closed_read, 20000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file_that_is_taken_over_too_late_is_let_go),
		UNIT_TESTS(close_returns_with_usual_limit),
		UNIT_TESTS(close_returns_with_small_limit),
		UNIT_TESTS(close_returns_with_none_left),
		UNIT_TESTS(blocked_requests_take_no_fd),
		cmocka_unit_test(test_close_returns_with_usual_limit_on_a_full_pipe),
		cmocka_unit_test(test_close_returns_with_small_limit_on_a_full_pipe),
		cmocka_unit_test(test_close_returns_with_none_left_on_a_full_pipe),
		cmocka_unit_test(test_blocked_requests_take_no_fd_on_a_full_pipe),
		UNIT_TESTS(child_inherits_no_blocked_read),
		cmocka_unit_test(test_next_file_is_read_at_its_offset_on_a_fifo),
		cmocka_unit_test(test_next_file_is_read_at_its_offset_on_a_socket),
		cmocka_unit_test(test_stopped_read_keeps_its_socket),
	};

	return cmocka_run_group_tests_name("close_streams", tests, NULL, NULL);
}
