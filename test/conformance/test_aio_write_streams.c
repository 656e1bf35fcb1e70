// SPDX-License-Identifier: MIT
/*
 * test_aio_write_streams.c - writes to pipes, sockets and other descriptors
 *
 * A write to a blocking pipe or stream socket is in progress until all of it is
 * accepted: its result is the full count, where the kernel alone would give a
 * short one.
 */
#include "../support/support.h"

#include <pty.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <termios.h>

/* ---- pipes and sockets ---- */

/* One big write, whose data is taken from the other end bit by bit. */
static void write_big(int fds[2], size_t size)
{
	static struct aiocb cb;
	unsigned char *data = malloc(size), *found = malloc(size);
	size_t step = 64 << 10;

	check(data && found);
	pattern_fill(data, 0, size);
	aiocb_init(&cb, fds[1], data, size, 0);
	check_equal(aio_write(&cb), 0);
	for (size_t done = 0; done < size; done += step) {
		/* More is left than the descriptor can hold. */
		if (size - done > 2 * step && size - done > 500 << 10)
			check_equal(aio_error(&cb), EINPROGRESS);
		read_fully(fds[0], found + done, step);
	}
	check_equal(await_result(&cb), size);
	check_memory(found, data, size);
	free(data);
	free(found);
}

static void test_big_write_to_a_blocking_pipe_is_whole(void **state)
{
	int fds[2];

	(void)state;
	open_pipe(fds);
	write_big(fds, 512 << 10);
	write_big(fds, 2 << 20);
	close_pair(fds);
}

static void test_big_write_to_a_blocking_socket_is_whole(void **state)
{
	int fds[2];

	(void)state;
	open_socketpair(fds, SOCK_STREAM);
	write_big(fds, 512 << 10);
	write_big(fds, 2 << 20);
	close_pair(fds);
}

static void test_write_to_a_full_pipe_waits_for_room(void **state)
{
	static struct aiocb cb;
	int fds[2];
	size_t size;

	(void)state;
	open_pipe(fds);
	size = fill_up(fds[1]);
	aiocb_init(&cb, fds[1], "hello", 5, 0);
	check_equal(aio_write(&cb), 0);
	check_equal(aio_error(&cb), EINPROGRESS);
	read_fully(fds[0], NULL, size);
	check_equal(await_result(&cb), 5);
	close_pair(fds);
}

static void test_write_to_a_stream_ignores_the_offset(void **state)
{
	int fds[2];

	(void)state;
	open_pipe(fds);
	check_equal(write_now(fds[1], "hello", 5, 123456), 5);
	read_fully(fds[0], NULL, 5);
	close_pair(fds);
	open_socketpair(fds, SOCK_STREAM);
	check_equal(write_now(fds[1], "hello", 5, LLONG_MAX - 4096), 5);
	read_fully(fds[0], NULL, 5);
	close_pair(fds);
}

static void test_big_write_to_a_nonblocking_pipe_is_short(void **state)
{
	static char data[1 << 20];
	int fds[2];

	(void)state;
	open_pipe(fds);
	check(fcntl(fds[1], F_SETFL, O_NONBLOCK) == 0);
	check_equal(write_now(fds[1], data, sizeof(data), 0), 65536);
	check_write_fails(fds[1], data, sizeof(data), 0, EAGAIN);
	read_fully(fds[0], NULL, 65536);
	check_equal(write_now(fds[1], data, 100, 0), 100);
	close_pair(fds);
}

static void test_write_to_a_full_nonblocking_socket_gives_eagain(void **state)
{
	static char data[4 << 20];
	int fds[2];
	ssize_t size;

	(void)state;
	open_socketpair(fds, SOCK_STREAM | SOCK_NONBLOCK);
	size = write_now(fds[1], data, sizeof(data), 0);
	check(size > 0 && size < (ssize_t)sizeof(data));
	check_write_fails(fds[1], data, sizeof(data), 0, EAGAIN);
	close_pair(fds);
}

static void test_socket_with_a_send_timeout_gives_eagain(void **state)
{
	struct timeval timeout = { .tv_usec = 200000 };
	uint64_t begin;
	int fds[2];

	(void)state;
	open_socketpair(fds, SOCK_STREAM);
	check(setsockopt(fds[1], SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) == 0);
	fill_up(fds[1]);
	begin = now_ns();
	check_write_fails(fds[1], "hello", 5, 0, EAGAIN);
	check(now_ns() - begin >= 190000000);
	close_pair(fds);
}

static void test_write_of_a_datagram_keeps_its_boundary(void **state)
{
	char found[100];
	int fds[2];

	(void)state;
	open_socketpair(fds, SOCK_DGRAM);
	check_equal(write_now(fds[1], "one", 3, 0), 3);
	check_equal(write_now(fds[1], "", 0, 0), 0);
	check_equal(write_now(fds[1], "three", 5, 0), 5);
	check_equal(recv(fds[0], found, sizeof(found), MSG_DONTWAIT), 3);
	check_equal(recv(fds[0], found, sizeof(found), MSG_DONTWAIT), 0);
	check_equal(recv(fds[0], found, sizeof(found), MSG_DONTWAIT), 5);
	close_pair(fds);
}

static void test_write_of_an_unconnected_socket_fails(void **state)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)state;
	check_write_fails(fd, "x", 1, 0, ENOTCONN);
	close(fd);
}

/* ---- other kinds of file ---- */

static void test_write_to_an_eventfd_adds_to_its_counter(void **state)
{
	int fd = eventfd(5, EFD_CLOEXEC);
	uint64_t value = 37;

	(void)state;
	check_write_fails(fd, &value, 7, 0, EINVAL);
	check_equal(write_now(fd, &value, sizeof(value), 0), sizeof(value));
	check(eventfd_read(fd, &value) == 0);
	check_equal(value, 42);
	close(fd);
}

static void test_write_to_a_terminal_arrives(void **state)
{
	struct termios mode;
	int master, slave;
	char found[8];

	(void)state;
	check(openpty(&master, &slave, NULL, NULL, NULL) == 0);
	check(tcgetattr(slave, &mode) == 0);
	cfmakeraw(&mode);
	check(tcsetattr(slave, TCSANOW, &mode) == 0);
	check_write_fails(slave, "x", 1, -1, EINVAL);
	check_equal(write_now(slave, "hello", 5, 999), 5);
	read_fully(master, found, 5);
	check_memory(found, "hello", 5);
	close(slave);
	close(master);
}

int main(void)
{
	const struct CMUnitTest aio_write_streams_tests[] = {
		cmocka_unit_test(test_big_write_to_a_blocking_pipe_is_whole),
		cmocka_unit_test(test_big_write_to_a_blocking_socket_is_whole),
		cmocka_unit_test(test_write_to_a_full_pipe_waits_for_room),
		cmocka_unit_test(test_write_to_a_stream_ignores_the_offset),
		cmocka_unit_test(test_big_write_to_a_nonblocking_pipe_is_short),
		cmocka_unit_test(test_write_to_a_full_nonblocking_socket_gives_eagain),
		cmocka_unit_test(test_socket_with_a_send_timeout_gives_eagain),
		cmocka_unit_test(test_write_of_a_datagram_keeps_its_boundary),
		cmocka_unit_test(test_write_of_an_unconnected_socket_fails),
		cmocka_unit_test(test_write_to_an_eventfd_adds_to_its_counter),
		cmocka_unit_test(test_write_to_a_terminal_arrives),
	};

	return cmocka_run_group_tests(aio_write_streams_tests, NULL, NULL);
}
