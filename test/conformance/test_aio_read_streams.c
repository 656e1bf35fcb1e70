// SPDX-License-Identifier: MIT
/*
 * test_aio_read_streams.c - aio_read of what is no regular file
 *
 * Pipes, sockets, terminals, devices and files that the kernel makes up: a
 * request waits where read would block, and only there.
 */
#include "../support/support.h"

#include <pty.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <termios.h>

/* ---- pipes and sockets ---- */

static void test_read_of_an_empty_pipe_waits_for_data(void **state)
{
	static struct aiocb cb;
	static char buf[100];
	int fds[2];

	(void)state;
	open_pipe(fds);
	aiocb_init(&cb, fds[0], buf, sizeof(buf), 0);
	check_equal(aio_read(&cb), 0);
	check_equal(aio_error(&cb), EINPROGRESS);
	write_fully(fds[1], "hello", 5);
	check_equal(await_result(&cb), 5);
	check_memory(buf, "hello", 5);
	close_pair(fds);
}

static void test_blocked_read_ends_with_zero_when_the_writer_closes(void **state)
{
	static struct aiocb cb;
	static char buf[100];
	int fds[2];

	(void)state;
	open_pipe(fds);
	aiocb_init(&cb, fds[0], buf, sizeof(buf), 0);
	check_equal(aio_read(&cb), 0);
	close(fds[1]);
	check_equal(await_result(&cb), 0);
	check_equal(read_now(fds[0], buf, sizeof(buf), 0), 0);
	close(fds[0]);
}

/* The bytes that are there now are read, at any offset. */
static void check_hello_arrives(int fds[2], off_t offset)
{
	char buf[100];

	write_fully(fds[1], "hello", 5);
	check_equal(read_now(fds[0], buf, sizeof(buf), offset), 5);
	check_memory(buf, "hello", 5);
	close_pair(fds);
}

static void test_read_of_a_stream_ignores_the_offset(void **state)
{
	int fds[2];

	(void)state;
	open_pipe(fds);
	check_hello_arrives(fds, LLONG_MAX - 4096);
	open_socketpair(fds, SOCK_STREAM);
	check_hello_arrives(fds, 123456);
}

static void test_read_of_an_empty_nonblocking_pipe_gives_eagain(void **state)
{
	char buf[100];
	int fds[2];

	(void)state;
	open_pipe(fds);
	check(fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0);
	check_read_fails(fds[0], buf, sizeof(buf), 0, EAGAIN);
	write_fully(fds[1], "hello", 5);
	check_equal(read_now(fds[0], buf, sizeof(buf), 0), 5);
	check_read_fails(fds[0], buf, sizeof(buf), 0, EAGAIN);
	close_pair(fds);
}

static void test_read_of_an_empty_nonblocking_socket_gives_eagain(void **state)
{
	char buf[100];
	int fds[2];

	(void)state;
	open_socketpair(fds, SOCK_STREAM | SOCK_NONBLOCK);
	check_read_fails(fds[0], buf, sizeof(buf), 0, EAGAIN);
	check_hello_arrives(fds, 0);
}

static void test_nonblocking_mode_is_noticed_when_it_is_switched(void **state)
{
	static struct aiocb cb;
	static char buf[100];
	int fds[2];

	(void)state;
	open_pipe(fds);
	for (int round = 0; round < 20; round++) {
		check(fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0);
		check_read_fails(fds[0], buf, sizeof(buf), 0, EAGAIN);
		check(fcntl(fds[0], F_SETFL, 0) == 0);
		aiocb_init(&cb, fds[0], buf, sizeof(buf), 0);
		check_equal(aio_read(&cb), 0);
		write_fully(fds[1], "x", 1);
		check_equal(await_result(&cb), 1);
	}
	close_pair(fds);
}

static void test_socket_with_a_receive_timeout_gives_eagain(void **state)
{
	struct timeval timeout = { .tv_usec = 200000 };
	static struct aiocb cb;
	static char buf[100];
	uint64_t begin;
	int fds[2];

	(void)state;
	open_socketpair(fds, SOCK_STREAM);
	check(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) == 0);
	begin = now_ns();
	aiocb_init(&cb, fds[0], buf, sizeof(buf), 0);
	check_equal(aio_read(&cb), 0);
	await_failure(&cb, EAGAIN);
	check(now_ns() - begin >= 190000000);
	check_hello_arrives(fds, 0);
}

static void test_read_of_a_socket_ends_with_zero_at_shutdown(void **state)
{
	static struct aiocb cb;
	static char buf[100];
	int fds[2];

	(void)state;
	open_socketpair(fds, SOCK_STREAM);
	aiocb_init(&cb, fds[0], buf, sizeof(buf), 0);
	check_equal(aio_read(&cb), 0);
	check(shutdown(fds[1], SHUT_WR) == 0);
	check_equal(await_result(&cb), 0);
	close_pair(fds);
}

static void test_read_of_a_reset_socket_gives_econnreset(void **state)
{
	static char buf[100];
	int fds[2];

	(void)state;
	open_socketpair(fds, SOCK_STREAM);
	write_fully(fds[0], "unread", 6);
	close(fds[1]);
	check_read_fails(fds[0], buf, sizeof(buf), 0, ECONNRESET);
	close(fds[0]);
}

static void test_read_of_an_unconnected_socket_fails(void **state)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char buf[8];

	(void)state;
	check_read_fails(fd, buf, sizeof(buf), 0, EINVAL);
	close(fd);
}

static void test_read_of_a_datagram_cuts_it_to_the_buffer(void **state)
{
	char buf[100];
	int fds[2];

	(void)state;
	open_socketpair(fds, SOCK_DGRAM);
	check_equal(send(fds[1], "0123456789", 10, 0), 10);
	check_equal(send(fds[1], "", 0, 0), 0);
	check_equal(send(fds[1], "next", 4, 0), 4);
	check_equal(read_now(fds[0], buf, 4, 0), 4);
	check_memory(buf, "0123", 4);
	check_equal(read_now(fds[0], buf, sizeof(buf), 0), 0);
	check_equal(read_now(fds[0], buf, sizeof(buf), 0), 4);
	check_memory(buf, "next", 4);
	close_pair(fds);
}

/* ---- other kinds of file ---- */

static void test_read_of_a_directory_fails_with_eisdir(void **state)
{
	int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char buf[8];

	(void)state;
	check_read_fails(fd, buf, sizeof(buf), 0, EISDIR);
	close(fd);
}

static void test_read_of_an_epoll_descriptor_fails(void **state)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);
	char buf[8];

	(void)state;
	check_read_fails(fd, buf, sizeof(buf), 0, EINVAL);
	close(fd);
}

static void test_read_of_an_eventfd_waits_for_its_counter(void **state)
{
	static struct aiocb cb;
	static uint64_t value;
	int fd = eventfd(0, EFD_CLOEXEC);

	(void)state;
	check_read_fails(fd, &value, 7, 0, EINVAL);
	aiocb_init(&cb, fd, &value, sizeof(value), 0);
	check_equal(aio_read(&cb), 0);
	check_equal(aio_error(&cb), EINPROGRESS);
	check(eventfd_write(fd, 77) == 0);
	check_equal(await_result(&cb), sizeof(value));
	check_equal(value, 77);
	close(fd);
}

static void test_read_of_a_timerfd_waits_for_its_time(void **state)
{
	struct itimerspec soon = { .it_value.tv_nsec = 50000000 };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	static uint64_t value;

	(void)state;
	check(timerfd_settime(fd, 0, &soon, NULL) == 0);
	check_equal(read_now(fd, &value, sizeof(value), 0), sizeof(value));
	check_equal(value, 1);
	close(fd);
}

static void test_read_of_a_terminal_returns_a_line(void **state)
{
	static struct aiocb cb;
	static char buf[100];
	int master, slave;

	(void)state;
	check(openpty(&master, &slave, NULL, NULL, NULL) == 0);
	check_read_fails(slave, buf, sizeof(buf), -1, EINVAL);
	aiocb_init(&cb, slave, buf, sizeof(buf), 0);
	check_equal(aio_read(&cb), 0);
	write_fully(master, "no line yet", 11);
	check_equal(aio_error(&cb), EINPROGRESS);
	write_fully(master, "\n", 1);
	check_equal(await_result(&cb), 12);
	check_memory(buf, "no line yet\n", 12);
	close(slave);
	close(master);
}

static void test_read_of_device_files_works(void **state)
{
	static const char zeros[4096];
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	char buf[4096];

	(void)state;
	memset(buf, 1, sizeof(buf));
	check_equal(read_now(null, buf, sizeof(buf), 0), 0);
	check_equal(read_now(zero, buf, sizeof(buf), 0), sizeof(buf));
	check_memory(buf, zeros, sizeof(buf));
	close(null);
	close(zero);
}

static void test_read_of_a_proc_file_works(void **state)
{
	int fd = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
	char direct[64], buf[64];
	ssize_t size = pread(fd, direct, sizeof(direct), 2);

	(void)state;
	check(size > 0);
	check_equal(read_now(fd, buf, sizeof(buf), 2), size);
	check_memory(buf, direct, (size_t)size);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest aio_read_stream_tests[] = {
		cmocka_unit_test(test_read_of_an_empty_pipe_waits_for_data),
		cmocka_unit_test(test_blocked_read_ends_with_zero_when_the_writer_closes),
		cmocka_unit_test(test_read_of_a_stream_ignores_the_offset),
		cmocka_unit_test(test_read_of_an_empty_nonblocking_pipe_gives_eagain),
		cmocka_unit_test(test_read_of_an_empty_nonblocking_socket_gives_eagain),
		cmocka_unit_test(test_nonblocking_mode_is_noticed_when_it_is_switched),
		cmocka_unit_test(test_socket_with_a_receive_timeout_gives_eagain),
		cmocka_unit_test(test_read_of_a_socket_ends_with_zero_at_shutdown),
		cmocka_unit_test(test_read_of_a_reset_socket_gives_econnreset),
		cmocka_unit_test(test_read_of_an_unconnected_socket_fails),
		cmocka_unit_test(test_read_of_a_datagram_cuts_it_to_the_buffer),
		cmocka_unit_test(test_read_of_a_directory_fails_with_eisdir),
		cmocka_unit_test(test_read_of_an_epoll_descriptor_fails),
		cmocka_unit_test(test_read_of_an_eventfd_waits_for_its_counter),
		cmocka_unit_test(test_read_of_a_timerfd_waits_for_its_time),
		cmocka_unit_test(test_read_of_a_terminal_returns_a_line),
		cmocka_unit_test(test_read_of_device_files_works),
		cmocka_unit_test(test_read_of_a_proc_file_works),
	};

	return cmocka_run_group_tests(aio_read_stream_tests, NULL, NULL);
}
