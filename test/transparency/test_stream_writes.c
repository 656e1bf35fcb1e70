// SPDX-License-Identifier: MIT
/*
 * test_stream_writes.c - a write to a stream is one write(2) that waits
 *
 * The error of a connection is kept and told once.  A write that has moved
 * bytes leaves it to the next call, so a write in several calls would take it
 * away from the program, which then finds a clean end of file.  And a write
 * that has begun, and waits for room, goes on whatever aio_cancel is asked.
 */
#include "sockets.h"
#include "transparency.h"

#include <netinet/tcp.h>
#include <poll.h>
#include <sys/mman.h>

#define LONG_WRITE  (16u << 20)
#define SHORT_WRITE 60000u
#define NR_WRITES   8

static char data[LONG_WRITE];

/* The peer has got a part, and the rest waits for room. */
static void await_blocked(struct aiocb *cb, int peer)
{
	struct pollfd poll_in = { .fd = peer, .events = POLLIN };

	check_equal(poll(&poll_in, 1, (int)default_deadline_ms()), 1);
	eventually(others_are_asleep());
	check_equal(aio_error(cb), EINPROGRESS);
}

/* ---- the error of a connection ---- */

static void reset_connection(int peer)
{
	struct linger at_once = { .l_onoff = 1 };

	check_equal(setsockopt(peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
	close(peer);
}

static int reset_before_a_write(void)
{
	struct pollfd broken = { 0 };
	struct aiocb cb;
	int fds[2];

	open_tcp(fds);
	submit_write(&cb, fds[1], data, 1, 0);
	check_equal(outcome(&cb), 1);
	read_fully(fds[0], data, 1);
	reset_connection(fds[0]);
	broken.fd = fds[1];
	check_equal(poll(&broken, 1, (int)default_deadline_ms()), 1);
	submit_write(&cb, fds[1], data, 1, 0);
	check_equal(outcome(&cb), -ECONNRESET);
	submit_write(&cb, fds[1], data, 1, 0);
	check_equal(outcome(&cb), -EPIPE);
	close(fds[1]);
	return 0;
}

/* The peer goes amid a write of @size bytes; what it ends with, then a read. */
static void break_connection(int fds[2], size_t size, ssize_t *written, ssize_t *read_next)
{
	struct aiocb cb;
	char byte;

	submit_write(&cb, fds[1], data, size, 0);
	await_blocked(&cb, fds[0]);
	reset_connection(fds[0]);
	*written = outcome(&cb);
	*read_next = recv(fds[1], &byte, 1, MSG_DONTWAIT);
	if (*read_next < 0)
		*read_next = -errno;
	close(fds[1]);
}

static void check_reset_is_left(int fds[2], size_t size)
{
	ssize_t written, read_next;

	break_connection(fds, size, &written, &read_next);
	check(written > 0 && (size_t)written < size);
	check_equal(read_next, -ECONNRESET);
}

static int reset_long_write(void)
{
	int fds[2];

	open_tcp(fds);
	check_reset_is_left(fds, LONG_WRITE);
	return 0;
}

static int reset_short_write(void)
{
	int fds[2];

	for (int i = 0; i < 5; i++) {
		open_small_tcp(fds, 4096);
		check_reset_is_left(fds, SHORT_WRITE);
	}
	return 0;
}

/* A socket that takes less than its buffer has room for: the first call may take a part. */
static void open_with_low_water(int fds[2])
{
	open_tcp(fds);
	set_option(fds[1], SOL_SOCKET, SO_SNDBUF, 4 << 20);
	set_option(fds[1], IPPROTO_TCP, TCP_NOTSENT_LOWAT, 1);
}

/* The next call may take the error: then that is the result. */
static int reset_with_low_water(void)
{
	ssize_t written, read_next;
	int fds[2];

	open_with_low_water(fds);
	set_option(fds[0], SOL_SOCKET, SO_RCVBUF, 4096);
	break_connection(fds, 1 << 20, &written, &read_next);
	check(written == -ECONNRESET || (written > 0 && read_next == -ECONNRESET));
	return 0;
}

/* Where a part was taken first, what came of all of it is the result. */
static int finish_with_low_water(void)
{
	struct aiocb cb;
	int fds[2];

	open_with_low_water(fds);
	submit_write(&cb, fds[1], data, 1 << 20, 0);
	read_fully(fds[0], NULL, 1 << 20);
	check_equal(outcome(&cb), 1 << 20);
	close_pair(fds);
	return 0;
}

static int time_out_with_low_water(void)
{
	struct aiocb cb;
	ssize_t res;
	int fds[2];

	open_with_low_water(fds);
	set_option(fds[0], SOL_SOCKET, SO_RCVBUF, 4096);
	set_timeout(fds[1], SO_SNDTIMEO, 100);
	submit_write(&cb, fds[1], data, 1 << 20, 0);
	res = outcome(&cb);
	check(res > 0 && res < 1 << 20);
	close_pair(fds);
	return 0;
}

/* Memory ends amid the data. */
static int fault_amid_data(void)
{
	enum { GOOD = 192 << 10, ALL = 384 << 10 }; /* pages of any size */
	char *memory = mmap(NULL, ALL, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct aiocb cb;
	ssize_t res;
	int fds[2];

	check(memory != MAP_FAILED);
	check_equal(mprotect(memory + GOOD, ALL - GOOD, PROT_NONE), 0);
	for (int i = 0; i < 20; i++) {
		open_tcp(fds);
		set_option(fds[1], SOL_SOCKET, SO_SNDBUF, 4 << 20);
		submit_write(&cb, fds[1], memory + i * 1000, (size_t)(ALL - i * 1000), 0);
		res = outcome(&cb);
		check(res > 0 && res <= GOOD - i * 1000);
		close_pair(fds);
	}
	return 0;
}

/* The kernel takes this one away itself, while the write waits: the read finds the end. */
static void check_loss_on_unix_socket(size_t size, int buffer)
{
	ssize_t written, read_next;
	int fds[2];

	open_unix(fds);
	if (buffer)
		set_option(fds[1], SOL_SOCKET, SO_SNDBUF, buffer);
	break_connection(fds, size, &written, &read_next);
	check(written > 0 && (size_t)written < size);
	check_equal(read_next, 0);
}

static int lose_unix_socket(void)
{
	check_loss_on_unix_socket(LONG_WRITE, 0);
	for (int i = 0; i < 5; i++)
		check_loss_on_unix_socket(SHORT_WRITE, 4096);
	return 0;
}

/* A pipe has no such error: EPIPE comes again and again. */
static int lose_pipe(void)
{
	struct aiocb cb;
	int fds[2];

	open_pipe(fds);
	submit_write(&cb, fds[1], data, LONG_WRITE, 0);
	await_blocked(&cb, fds[0]);
	close(fds[0]);
	check_equal(outcome(&cb), 65536);
	submit_write(&cb, fds[1], data, 1, 0);
	check_equal(outcome(&cb), -EPIPE);
	close(fds[1]);
	return 0;
}

/* ---- order ---- */

#define PIPE_SIZE 65536
#define NR_ROUNDS 300

/* There is room for both when the second is submitted. */
static int write_after_a_blocked_write(void)
{
	struct aiocb first, second;
	char bytes[2];
	int fds[2];

	open_pipe(fds);
	for (int i = 0; i < NR_ROUNDS; i++) {
		write_fully(fds[1], data, PIPE_SIZE);
		submit_write(&first, fds[1], "1", 1, 0);
		check_equal(aio_error(&first), EINPROGRESS);
		read_fully(fds[0], data, PIPE_SIZE);
		submit_write(&second, fds[1], "2", 1, 0);
		check_equal(outcome(&second), 1);
		check_equal(outcome(&first), 1);
		check_equal(read(fds[0], bytes, 2), 2);
		check(bytes[0] == '1' && bytes[1] == '2');
	}
	close_pair(fds);
	return 0;
}

/* ---- parts that a write may have ---- */

/* With O_NONBLOCK the result is the number of bytes that had room. */
static void check_part(int fds[2])
{
	struct aiocb cb;
	ssize_t res;

	check_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
	submit_write(&cb, fds[1], data, LONG_WRITE, 0);
	res = outcome(&cb);
	check(res > 0 && res < (ssize_t)LONG_WRITE);
	submit_write(&cb, fds[1], data, LONG_WRITE, 0);
	check(outcome(&cb) < (ssize_t)LONG_WRITE);
	close_pair(fds);
}

static int write_part_without_waiting(void)
{
	int fds[2];

	open_pipe(fds);
	check_part(fds);
	open_unix(fds);
	check_part(fds);
	open_tcp(fds);
	check_part(fds);
	return 0;
}

/* After SO_SNDTIMEO what was moved is the result, if anything was. */
static void check_send_timeout(int fds[2])
{
	struct aiocb cb;
	ssize_t res;

	set_timeout(fds[1], SO_SNDTIMEO, 200);
	submit_write(&cb, fds[1], data, LONG_WRITE, 0);
	res = outcome(&cb);
	check(res > 0 && res < (ssize_t)LONG_WRITE);
	fill_up(fds[1]);
	submit_write(&cb, fds[1], data, LONG_WRITE, 0);
	res = outcome(&cb);
	/* TCP makes room as its segments are packed. */
	check(res == -EAGAIN || (res > 0 && res < (ssize_t)LONG_WRITE));
	close_pair(fds);
}

static int time_out_writes(void)
{
	int fds[2];

	open_unix(fds);
	check_send_timeout(fds);
	open_tcp(fds);
	check_send_timeout(fds);
	return 0;
}

/* ---- aio_cancel ---- */

static void open_datagrams(int fds[2])
{
	open_socketpair(fds, SOCK_DGRAM);
}

static void *empty(void *fd)
{
	static char buf[65536];

	while (read(*(int *)fd, buf, sizeof(buf)) > 0)
		;
	return NULL;
}

/*
 * The first of these has begun, having moved nothing yet, and waits for room:
 * it goes on.  The others are queued and end.
 */
static void check_begun_write_goes_on(int fds[2], size_t size, bool all_at_once)
{
	static struct aiocb cbs[NR_WRITES];
	pthread_t reader;

	fill_up(fds[1]);
	for (int i = 0; i < NR_WRITES; i++)
		submit_write(&cbs[i], fds[1], data, size, 0);
	eventually(others_are_asleep());
	if (all_at_once) {
		check_equal(aio_cancel(fds[1], NULL), AIO_NOTCANCELED);
	} else {
		check_equal(aio_cancel(fds[1], &cbs[0]), AIO_NOTCANCELED);
		for (int i = NR_WRITES - 1; i > 0; i--)
			check_equal(aio_cancel(fds[1], &cbs[i]), AIO_CANCELED);
	}
	check_equal(aio_error(&cbs[0]), EINPROGRESS);
	for (int i = 1; i < NR_WRITES; i++)
		check_equal(aio_error(&cbs[i]), ECANCELED);
	reader = start_thread(empty, &fds[0]);
	check_equal(outcome(&cbs[0]), size);
	shutdown(fds[1], SHUT_WR);
	shutdown(fds[0], SHUT_RD); /* for datagrams, which have no end */
	close(fds[1]);
	join_thread(reader);
	close(fds[0]);
}

static void check_begun_writes(void (*open_pair)(int fds[2]), size_t size)
{
	int fds[2];

	for (int i = 0; i < 2; i++) {
		open_pair(fds);
		check_begun_write_goes_on(fds, size, i);
	}
}

static int cancel_pipe_writes(void)
{
	check_begun_writes(open_pipe, 1);
	check_begun_writes(open_pipe, PIPE_BUF);
	check_begun_writes(open_pipe, 4 * PIPE_BUF);
	return 0;
}

static int cancel_unix_writes(void)
{
	check_begun_writes(open_unix, PIPE_BUF);
	check_begun_writes(open_unix, SHORT_WRITE);
	return 0;
}

static int cancel_datagrams(void)
{
	check_begun_writes(open_datagrams, SHORT_WRITE);
	return 0;
}

static int cancel_tcp_writes(void)
{
	check_begun_writes(open_tcp, LONG_WRITE);
	return 0;
}

/* A read takes nothing until there is something: it can be undone. */
static int cancel_blocked_read(void)
{
	static struct aiocb cb;
	int fds[2];

	open_unix(fds);
	submit_read(&cb, fds[0], data, 1, 0);
	eventually(others_are_asleep());
	check_equal(aio_cancel(fds[0], NULL), AIO_CANCELED);
	check_equal(outcome(&cb), -ECANCELED);
	close_pair(fds);
	return 0;
}

TEST_IN_CHILD(test_reset_before_a_write_is_its_error, reset_before_a_write, 20000)
TEST_IN_CHILD(test_reset_amid_a_long_write_is_left_to_the_next_call, reset_long_write, 20000)
TEST_IN_CHILD(test_reset_amid_a_short_write_is_left_to_the_next_call, reset_short_write, 20000)
TEST_IN_CHILD(test_reset_is_never_hidden_behind_a_count, reset_with_low_water, 20000)
TEST_IN_CHILD(test_write_in_parts_returns_all_of_them, finish_with_low_water, 20000)
TEST_IN_CHILD(test_write_in_parts_that_times_out_returns_what_went, time_out_with_low_water, 20000)
TEST_IN_CHILD(test_fault_amid_a_write_leaves_what_went, fault_amid_data, 20000)
TEST_IN_CHILD(test_loss_of_a_unix_socket_is_told_as_by_write, lose_unix_socket, 20000)
TEST_IN_CHILD(test_loss_of_a_pipe_is_told_by_the_next_write, lose_pipe, 20000)
TEST_IN_CHILD(test_write_never_overtakes_a_blocked_one, write_after_a_blocked_write, 20000)
TEST_IN_CHILD(test_nonblocking_write_is_what_there_is_room_for, write_part_without_waiting, 20000)
TEST_IN_CHILD(test_send_timeout_ends_a_write, time_out_writes, 20000)
TEST_IN_CHILD(test_pipe_write_that_has_begun_is_not_cancelled, cancel_pipe_writes, 20000)
TEST_IN_CHILD(test_unix_write_that_has_begun_is_not_cancelled, cancel_unix_writes, 20000)
TEST_IN_CHILD(test_datagram_that_has_begun_is_not_cancelled, cancel_datagrams, 20000)
TEST_IN_CHILD(test_tcp_write_that_has_begun_is_not_cancelled, cancel_tcp_writes, 20000)
TEST_IN_CHILD(test_blocked_read_is_cancelled, cancel_blocked_read, 20000)

int main(void)
{
	const struct CMUnitTest stream_write_tests[] = {
		cmocka_unit_test(test_reset_before_a_write_is_its_error),
		cmocka_unit_test(test_reset_amid_a_long_write_is_left_to_the_next_call),
		cmocka_unit_test(test_reset_amid_a_short_write_is_left_to_the_next_call),
		cmocka_unit_test(test_reset_is_never_hidden_behind_a_count),
		cmocka_unit_test(test_write_in_parts_returns_all_of_them),
		cmocka_unit_test(test_write_in_parts_that_times_out_returns_what_went),
		cmocka_unit_test(test_fault_amid_a_write_leaves_what_went),
		cmocka_unit_test(test_loss_of_a_unix_socket_is_told_as_by_write),
		cmocka_unit_test(test_loss_of_a_pipe_is_told_by_the_next_write),
		cmocka_unit_test(test_write_never_overtakes_a_blocked_one),
		cmocka_unit_test(test_nonblocking_write_is_what_there_is_room_for),
		cmocka_unit_test(test_send_timeout_ends_a_write),
		cmocka_unit_test(test_pipe_write_that_has_begun_is_not_cancelled),
		cmocka_unit_test(test_unix_write_that_has_begun_is_not_cancelled),
		cmocka_unit_test(test_datagram_that_has_begun_is_not_cancelled),
		cmocka_unit_test(test_tcp_write_that_has_begun_is_not_cancelled),
		cmocka_unit_test(test_blocked_read_is_cancelled),
	};

	return cmocka_run_group_tests(stream_write_tests, NULL, NULL);
}
