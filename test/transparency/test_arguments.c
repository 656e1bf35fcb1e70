// SPDX-License-Identifier: MIT
/*
 * test_arguments.c - odd arguments on every kind of descriptor
 *
 * A table of what glibc answers.  Only a priority is refused at the call; all
 * else is the request's error, whichever way the request takes: alone or in a
 * list, on a file, in memory or on a stream.
 */
#include "transparency.h"

#include <sys/socket.h>

#define SIZE 8192

static char page[SIZE] __attribute__((aligned(4096)));

/* ---- descriptors ---- */

static int open_memory(void)
{
	int fd = memory_file();

	write_fully(fd, page, SIZE);
	return fd;
}

static int open_file(void)
{
	return temp_file_filled(SIZE);
}

static int open_direct(void)
{
	return direct_file(SIZE, 0);
}

static int open_read_only(void)
{
	return reopen(temp_file_filled(SIZE), O_RDONLY);
}

static int open_write_only(void)
{
	return reopen(temp_file_filled(SIZE), O_WRONLY);
}

/* With five bytes to read. */
static int open_socket(void)
{
	int fds[2];

	open_socketpair(fds, SOCK_STREAM);
	write_fully(fds[1], "hello", 5);
	return fds[0];
}

static int open_pipe_to_read(void)
{
	int fds[2];

	open_pipe(fds);
	write_fully(fds[1], "hello", 5);
	return fds[0];
}

static int open_null(void)
{
	return open("/dev/null", O_RDWR);
}

static int open_directory(void)
{
	return open("/", O_RDONLY | O_DIRECTORY);
}

static int open_path(void)
{
	return open("/", O_PATH);
}

static int open_nothing(void)
{
	return -1;
}

static int open_beyond(void)
{
	return INT_MAX;
}

/* ---- the table ---- */

#define BAD_BUFFER ((void *)8)

struct row {
	int opcode;
	int (*open)(void);
	void *buf;
	size_t nbytes;
	off_t offset;
	ssize_t expected; /* of the system call, or -errno */
};

static const struct row rows[] = {
	/* Negative offsets, before anything else but the descriptor, and also on streams. */
	{ LIO_READ, open_file, page, 100, -1, -EINVAL },
	{ LIO_READ, open_file, page, 0, -1, -EINVAL },
	{ LIO_WRITE, open_file, page, 100, LLONG_MIN, -EINVAL },
	{ LIO_READ, open_memory, page, 100, -1, -EINVAL },
	{ LIO_WRITE, open_memory, page, 0, -1, -EINVAL },
	{ LIO_READ, open_direct, page, 4096, -4096, -EINVAL },
	{ LIO_READ, open_pipe_to_read, page, 5, -1, -EINVAL },
	{ LIO_READ, open_socket, page, 5, -1, -EINVAL },
	{ LIO_WRITE, open_socket, page, 5, LLONG_MIN, -EINVAL },
	{ LIO_READ, open_null, page, 5, -1, -EINVAL },
	/* The largest: beyond the end, or too large together with the length. */
	{ LIO_READ, open_file, page, 100, LLONG_MAX, -EINVAL },
	{ LIO_READ, open_file, page, 100, SIZE, 0 },
	{ LIO_READ, open_memory, page, 100, 100000, 0 },
	{ LIO_READ, open_direct, page, 4096, SIZE, 0 },
	/* Other offsets mean nothing to streams. */
	{ LIO_READ, open_pipe_to_read, page, 5, 100000, 5 },
	{ LIO_READ, open_socket, page, 5, LLONG_MAX - 5, 5 },
	/* No bytes: the buffer does not matter, the descriptor does. */
	{ LIO_READ, open_file, NULL, 0, 0, 0 },
	{ LIO_WRITE, open_memory, NULL, 0, 0, 0 },
	{ LIO_READ, open_pipe_to_read, NULL, 0, 0, 0 },
	{ LIO_READ, open_nothing, NULL, 0, 0, -EBADF },
	{ LIO_WRITE, open_read_only, NULL, 0, 0, -EBADF },
	/* Buffers that are none. */
	{ LIO_READ, open_file, NULL, 100, 0, -EFAULT },
	{ LIO_WRITE, open_file, BAD_BUFFER, 100, 0, -EFAULT },
	{ LIO_READ, open_memory, BAD_BUFFER, 100, 0, -EFAULT },
	{ LIO_READ, open_direct, NULL, 4096, 0, -EFAULT },
	{ LIO_READ, open_pipe_to_read, NULL, 5, 0, -EFAULT },
	{ LIO_WRITE, open_socket, BAD_BUFFER, 5, 0, -EFAULT },
	{ LIO_WRITE, open_null, NULL, 5, 0, 5 },
	/* Lengths that no memory has. */
	{ LIO_READ, open_file, page, SSIZE_MAX, 0, -EFAULT },
	{ LIO_READ, open_memory, page, SIZE_MAX, 0, -EFAULT },
	{ LIO_READ, open_pipe_to_read, page, SIZE_MAX, 0, -EFAULT },
	{ LIO_READ, open_socket, page, SSIZE_MAX, 0, -EFAULT },
	{ LIO_READ, open_nothing, page, SIZE_MAX, 0, -EBADF },
	/* Descriptors that cannot. */
	{ LIO_READ, open_nothing, page, 5, 0, -EBADF },
	{ LIO_READ, open_beyond, page, 5, 0, -EBADF },
	{ LIO_WRITE, open_beyond, page, 5, 0, -EBADF },
	{ LIO_READ, open_path, page, 5, 0, -EBADF },
	{ LIO_READ, open_write_only, page, 5, 0, -EBADF },
	{ LIO_WRITE, open_read_only, page, 5, 0, -EBADF },
	{ LIO_WRITE, open_pipe_to_read, page, 5, 0, -EBADF },
	{ LIO_READ, open_directory, page, 5, 0, -EISDIR },
	{ LIO_WRITE, open_directory, page, 5, 0, -EBADF },
};

#define NR_ROWS (sizeof(rows) / sizeof(rows[0]))

/* The same twice: by then a library may know what kind of file it is. */
static void try_row(const struct row *row, void (*submit)(struct aiocb *cb))
{
	static struct aiocb cb;
	int fd = row->open();

	if (row->open == open_direct && fd < 0)
		return;
	for (int i = 0; i < 2; i++) {
		ssize_t res;

		if (i == 1 && row->expected == 5)
			break; /* of a stream that is empty now */
		aiocb_init_lio(&cb, row->opcode, fd, row->buf, row->nbytes, row->offset);
		submit(&cb);
		res = outcome(&cb);
		if (res != row->expected)
			check_failed("row %d, try %d: %zd in the place of %zd", (int)(row - rows),
				     i, res, row->expected);
	}
	if (fd >= 0 && fd != INT_MAX)
		close(fd);
}

static void submit_alone(struct aiocb *cb)
{
	check_equal(cb->aio_lio_opcode == LIO_READ ? aio_read(cb) : aio_write(cb), 0);
}

static void submit_list(struct aiocb *cb)
{
	check_equal(lio_listio(LIO_NOWAIT, &cb, 1, NULL), 0);
}

static void submit_and_wait(struct aiocb *cb)
{
	int ret = lio_listio(LIO_WAIT, &cb, 1, NULL);

	check(ret == (aio_error(cb) ? -1 : 0));
	check(ret == 0 || errno == EIO);
}

static void submit_with_signal(struct aiocb *cb)
{
	notify_by_signal(&cb->aio_sigevent, SIGUSR1, 0);
	submit_alone(cb);
}

#define TEST_ROWS(test, submit)                      \
	static int test##_in_child(void)             \
	{                                            \
		signal(SIGUSR1, SIG_IGN);            \
		for (size_t i = 0; i < NR_ROWS; i++) \
			try_row(&rows[i], submit);   \
		return 0;                            \
	}                                            \
	TEST_IN_CHILD(test, test##_in_child, 30000)

TEST_ROWS(test_odd_arguments_alone, submit_alone)
TEST_ROWS(test_odd_arguments_with_a_signal, submit_with_signal)
TEST_ROWS(test_odd_arguments_in_a_list, submit_list)
TEST_ROWS(test_odd_arguments_in_a_list_that_is_waited_for, submit_and_wait)

/* A priority comes before all of that, and nothing else is looked at. */
static int refuse_priorities(void)
{
	static const int priorities[] = { -1, 21, INT_MIN, INT_MAX };
	struct aiocb cb, *list[] = { &cb };

	for (size_t i = 0; i < NR_ROWS; i++) {
		int fd = rows[i].open();

		aiocb_init_lio(&cb, rows[i].opcode, fd, rows[i].buf, rows[i].nbytes,
			       rows[i].offset);
		cb.aio_reqprio = priorities[i % 4];
		check_equal(rows[i].opcode == LIO_READ ? aio_read(&cb) : aio_write(&cb), -1);
		check_equal(errno, EINVAL);
		check_equal(aio_error(&cb), EINVAL);
		check_equal(lio_listio(LIO_WAIT, list, 1, NULL), -1);
		check_equal(errno, EINVAL);
		if (fd >= 0 && fd != INT_MAX)
			close(fd);
	}
	return 0;
}

/* ---- what a call leaves in the block ---- */

/* Blocked or not; a program may use the block in a list afterwards. */
static int note_opcodes(void)
{
	struct aiocb blocked, cb;
	char bytes[2];
	int fds[2];

	open_pipe(fds);
	aiocb_init_lio(&blocked, LIO_WRITE, fds[0], &bytes[0], 1, 0);
	check_equal(aio_read(&blocked), 0);
	check_equal(blocked.aio_lio_opcode, LIO_READ);
	aiocb_init_lio(&cb, LIO_READ, fds[1], "x", 1, 0);
	check_equal(aio_write(&cb), 0);
	check_equal(cb.aio_lio_opcode, LIO_WRITE);
	check_equal(outcome(&cb), 1);
	check_equal(outcome(&blocked), 1);
	close_pair(fds);
	return 0;
}

TEST_IN_CHILD(test_call_notes_what_it_is_in_the_block, note_opcodes, 15000)

TEST_IN_CHILD(test_odd_priority_comes_first, refuse_priorities, 30000)

/* ---- files that are unlike others ---- */

/* Its size is 0, and it has something at each offset up to its end. */
static int read_proc(void)
{
	static const char *const paths[] = { "/proc/stat", "/proc/self/status",
					     "/proc/filesystems" };
	static char expected[4096], found[4096];

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		int fd = open(paths[i], O_RDONLY | O_CLOEXEC);

		check_equal(pread(fd, expected, 3, 1), 3);
		for (int n = 0; n < 3; n++) {
			check_equal(read_now(fd, found, 3, 1), 3);
			check_memory(found, expected, 3);
		}
		check_equal(read_now(fd, found, sizeof(found), 1 << 20), 0);
		close(fd);
	}
	return 0;
}

/* A directory may be opened past the page cache, too; whichever request it is, none reads it. */
static int read_directory(void)
{
	int fd = open(direct_dir(), O_RDONLY | O_DIRECTORY | O_DIRECT | O_CLOEXEC);

	if (fd < 0)
		fd = open(direct_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 20; i++)
		check_read_fails(fd, page, 4096, 0, EISDIR);
	close(fd);
	return 0;
}

TEST_IN_CHILD(test_files_of_proc_are_read_at_an_offset, read_proc, 15000)
TEST_IN_CHILD(test_reads_of_a_directory_fail_alike, read_directory, 15000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_odd_arguments_alone),
		cmocka_unit_test(test_odd_arguments_with_a_signal),
		cmocka_unit_test(test_odd_arguments_in_a_list),
		cmocka_unit_test(test_odd_arguments_in_a_list_that_is_waited_for),
		cmocka_unit_test(test_call_notes_what_it_is_in_the_block),
		cmocka_unit_test(test_odd_priority_comes_first),
		cmocka_unit_test(test_files_of_proc_are_read_at_an_offset),
		cmocka_unit_test(test_reads_of_a_directory_fail_alike),
	};

	return cmocka_run_group_tests_name("arguments", tests, NULL, NULL);
}
