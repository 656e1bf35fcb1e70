// SPDX-License-Identifier: MIT
/*
 * test_blocking_calls.c - what changes the meaning of a plain read or write
 *
 * A request means what read or write would mean that is made now and waits.  What
 * that is depends on more than O_NONBLOCK.  The kind, and where each is tested:
 *
 *   SO_RCVLOWAT               a read waits for so many bytes: here
 *   SO_RCVTIMEO               a read gives up: here
 *   SO_SNDTIMEO               a write gives up: test_stream_writes
 *   TCP_NOTSENT_LOWAT         a write waits though there is room: test_stream_writes
 *   SO_PEEK_OFF               a read moves the mark: here
 *   urgent data               a read ends before it: here
 *   queued errors             of UDP, told once, or kept for IP_RECVERR: here
 *   VMIN and VTIME            of terminals: here
 *   packet pipes (O_DIRECT)   a read ends with its packet: here
 *   EFD_SEMAPHORE             a read takes one: here
 *   no bytes                  EISDIR, EBADF, EINVAL, an empty datagram: here
 *   streams called regular    trace_pipe, /proc/kmsg: read in order: here
 */
#include "sockets.h"
#include "transparency.h"

#include <pty.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <termios.h>

#define NR_ROUNDS 6
#define NR_READS  6

static char buf[65536];

/* ---- SO_RCVLOWAT, SO_RCVTIMEO ---- */

/* TCP does not wake for what only makes up for bytes that are read already: write it whole. */
static void check_low_water_mark(void (*open_pair)(int fds[2]))
{
	struct aiocb cb;
	int fds[2];

	open_pair(fds);
	set_option(fds[0], SOL_SOCKET, SO_RCVLOWAT, 100);
	write_fully(fds[1], buf, 10);
	submit_read(&cb, fds[0], buf, 200, 0);
	eventually(others_are_asleep());
	write_fully(fds[1], buf, 100);
	check_equal(outcome(&cb), 110);

	submit_read(&cb, fds[0], buf, 200, 0);
	eventually(others_are_asleep());
	write_fully(fds[1], buf, 10);
	eventually(others_are_asleep());
	check_equal(aio_error(&cb), EINPROGRESS);
	write_fully(fds[1], buf, 100);
	check_equal(outcome(&cb), 110);

	/* No more than was asked for, nor more than there will be. */
	write_fully(fds[1], buf, 10);
	submit_read(&cb, fds[0], buf, 5, 0);
	check_equal(outcome(&cb), 5);
	submit_read(&cb, fds[0], buf, 200, 0);
	shutdown(fds[1], SHUT_WR);
	check_equal(outcome(&cb), 5);
	close_pair(fds);
}

static int wait_for_low_water_mark(void)
{
	check_low_water_mark(open_unix);
	check_low_water_mark(open_tcp);
	return 0;
}

static void check_low_water_mark_ends(void (*open_pair)(int fds[2]))
{
	struct aiocb cb;
	int fds[2];

	open_pair(fds);
	set_option(fds[0], SOL_SOCKET, SO_RCVLOWAT, 100);
	set_timeout(fds[0], SO_RCVTIMEO, 200);
	write_fully(fds[1], buf, 10);
	submit_read(&cb, fds[0], buf, 200, 0);
	check_equal(outcome(&cb), 10);
	submit_read(&cb, fds[0], buf, 200, 0);
	check_equal(outcome(&cb), -EAGAIN);

	set_timeout(fds[0], SO_RCVTIMEO, 0);
	check_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	write_fully(fds[1], buf, 10);
	submit_read(&cb, fds[0], buf, 200, 0);
	check_equal(outcome(&cb), 10);
	close_pair(fds);
}

static int end_low_water_mark(void)
{
	check_low_water_mark_ends(open_unix);
	check_low_water_mark_ends(open_tcp);
	return 0;
}

/* ---- other options of sockets ---- */

static int move_peek_offset(void)
{
	struct aiocb cb;
	char byte;
	int fds[2];

	open_unix(fds);
	set_option(fds[0], SOL_SOCKET, SO_PEEK_OFF, 4);
	write_fully(fds[1], "0123456789", 10);
	submit_read(&cb, fds[0], buf, 3, 0);
	check_equal(outcome(&cb), 3);
	check_equal(recv(fds[0], &byte, 1, MSG_PEEK), 1);
	check_equal(byte, '4');
	close_pair(fds);
	return 0;
}

static int read_around_urgent_data(void)
{
	struct aiocb cb;
	int fds[2];

	open_tcp(fds);
	submit_read(&cb, fds[0], buf, 100, 0);
	write_fully(fds[1], "abc", 3);
	check_equal(outcome(&cb), 3);
	check_equal(send(fds[1], "abcU", 4, MSG_OOB), 4);
	write_fully(fds[1], "de", 2);
	submit_read(&cb, fds[0], buf, 100, 0);
	check_equal(outcome(&cb), 3);
	submit_read(&cb, fds[0], buf, 100, 0);
	check_equal(outcome(&cb), 2);
	check_memory(buf, "de", 2);
	close_pair(fds);
	return 0;
}

/* What nobody received comes back as an error of the next call, once. */
static void check_refused(int receives_errors)
{
	struct sockaddr_in nobody, address;
	struct aiocb cb;
	int fd;

	close(open_bound(SOCK_DGRAM, &nobody));
	fd = open_bound(SOCK_DGRAM, &address);
	check_equal(connect(fd, (struct sockaddr *)&nobody, sizeof(nobody)), 0);
	set_option(fd, IPPROTO_IP, IP_RECVERR, receives_errors);
	submit_write(&cb, fd, buf, 10, 0);
	check_equal(outcome(&cb), 10);
	submit_read(&cb, fd, buf, 10, 0);
	check_equal(outcome(&cb), -ECONNREFUSED);
	submit_read(&cb, fd, buf, 10, 0);
	eventually(others_are_asleep());
	check_equal(aio_error(&cb), EINPROGRESS);
	/* From itself: what it is connected to would refuse. */
	check_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	check_equal(send(fd, "x", 1, 0), 1);
	check_equal(outcome(&cb), 1);
	close(fd);
}

static int read_queued_errors(void)
{
	check_refused(0);
	check_refused(1);
	return 0;
}

/* ---- terminals ---- */

static void open_raw(int fds[2], cc_t min, cc_t time)
{
	struct termios raw;

	check_equal(openpty(&fds[1], &fds[0], NULL, NULL, NULL), 0);
	check_equal(tcgetattr(fds[0], &raw), 0);
	cfmakeraw(&raw);
	raw.c_cc[VMIN] = min;
	raw.c_cc[VTIME] = time;
	check_equal(tcsetattr(fds[0], TCSANOW, &raw), 0);
}

static int read_terminals(void)
{
	struct aiocb cb;
	int fds[2];

	open_raw(fds, 0, 0);
	submit_read(&cb, fds[0], buf, 100, 0);
	check_equal(outcome(&cb), 0);
	close_pair(fds);

	open_raw(fds, 0, 2);
	submit_read(&cb, fds[0], buf, 100, 0);
	check_equal(outcome(&cb), 0);
	close_pair(fds);

	open_raw(fds, 5, 0);
	submit_read(&cb, fds[0], buf, 100, 0);
	write_fully(fds[1], "abc", 3);
	eventually(others_are_asleep());
	check_equal(aio_error(&cb), EINPROGRESS);
	write_fully(fds[1], "de", 2);
	check_equal(outcome(&cb), 5);
	close_pair(fds);

	open_raw(fds, 5, 1);
	submit_read(&cb, fds[0], buf, 100, 0);
	write_fully(fds[1], "abc", 3);
	check_equal(outcome(&cb), 3);
	close_pair(fds);
	return 0;
}

/* ---- packets ---- */

#define PACKET_MAX 65536

static int read_packets(void)
{
	static char many[20 * PACKET_MAX + 5];
	const int packet = (int)page_size(); /* the kernel cuts there */
	struct aiocb cbs[4];
	int fds[2];

	check_equal(pipe2(fds, O_DIRECT | O_CLOEXEC), 0);
	submit_read(&cbs[0], fds[0], buf, 100, 0);
	submit_read(&cbs[1], fds[0], buf, 100, 0);
	submit_read(&cbs[2], fds[0], buf, 100, 0);
	write_fully(fds[1], buf, 10);
	write_fully(fds[1], buf, 200);
	write_fully(fds[1], buf, 20);
	check_equal(outcome(&cbs[0]), 10);
	check_equal(outcome(&cbs[1]), 100);
	check_equal(outcome(&cbs[2]), 20);

	check(packet <= PACKET_MAX);
	submit_write(&cbs[0], fds[1], many, (size_t)packet + 904, 0);
	submit_write(&cbs[1], fds[1], buf, 7, 0);
	check_equal(outcome(&cbs[0]), packet + 904);
	check_equal(outcome(&cbs[1]), 7);
	for (int i = 0; i < 3; i++) {
		const int sizes[] = { packet, 904, 7 };

		submit_read(&cbs[i], fds[0], buf, sizeof(buf), 0);
		check_equal(outcome(&cbs[i]), sizes[i]);
	}

	/* Longer than the pipe: packets all the same. */
	submit_write(&cbs[0], fds[1], many, 20 * (size_t)packet + 5, 0);
	for (int i = 0; i < 21; i++) {
		submit_read(&cbs[1], fds[0], buf, sizeof(buf), 0);
		check_equal(outcome(&cbs[1]), i < 20 ? packet : 5);
	}
	check_equal(outcome(&cbs[0]), 20 * packet + 5);
	close_pair(fds);
	return 0;
}

static int take_from_semaphore(void)
{
	int fd = eventfd(2, EFD_SEMAPHORE | EFD_CLOEXEC);
	struct aiocb cbs[3];
	uint64_t values[3];

	for (int i = 0; i < 3; i++)
		submit_read(&cbs[i], fd, &values[i], sizeof(values[i]), 0);
	for (int i = 0; i < 2; i++) {
		check_equal(outcome(&cbs[i]), sizeof(values[i]));
		check_equal(values[i], 1);
	}
	check_equal(aio_error(&cbs[2]), EINPROGRESS);
	check_equal(eventfd_write(fd, 1), 0);
	check_equal(outcome(&cbs[2]), sizeof(values[2]));
	close(fd);
	return 0;
}

/* ---- no bytes ---- */

static void check_no_bytes(int fd)
{
	ssize_t expected;
	struct aiocb cb;

	check(fd >= 0);
	expected = read(fd, buf, 0);
	submit_read(&cb, fd, buf, 0, 0);
	check_equal(outcome(&cb), expected < 0 ? -errno : expected);
	expected = write(fd, buf, 0);
	submit_write(&cb, fd, buf, 0, 0);
	check_equal(outcome(&cb), expected < 0 ? -errno : expected);
	close(fd);
}

static int move_no_bytes(void)
{
	static const char *const paths[] = {
		"/",         "/proc",      "/proc/self/comm",   "/dev/null",
		"/dev/zero", "/dev/full",  "/dev/shm",          "/proc/self/fd",
		"/sys",      "/proc/kmsg", "/proc/self/pagemap"
	};
	int fds[2];

	signal(SIGPIPE, SIG_IGN); /* of the plain calls */
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		int fd = open(paths[i], O_RDONLY | O_CLOEXEC);

		if (fd >= 0)
			check_no_bytes(fd);
	}
	check_no_bytes(open("/", O_PATH | O_CLOEXEC));
	check_no_bytes(temp_file_filled(100));
	check_no_bytes(open("/dev/full", O_RDWR | O_CLOEXEC));
	check_no_bytes(epoll_create1(EPOLL_CLOEXEC));
	check_no_bytes(eventfd(0, EFD_CLOEXEC));
	open_pipe(fds);
	check_no_bytes(fds[0]);
	check_no_bytes(fds[1]);
	open_unix(fds);
	check_no_bytes(fds[0]);
	check_no_bytes(fds[1]); /* whose peer is gone */
	return 0;
}

static int send_empty_datagrams(void)
{
	struct aiocb cb;
	int fds[2];

	open_socketpair(fds, SOCK_DGRAM);
	submit_write(&cb, fds[1], buf, 0, 0);
	check_equal(outcome(&cb), 0);
	submit_write(&cb, fds[1], "next", 4, 0);
	check_equal(outcome(&cb), 4);
	submit_read(&cb, fds[0], buf, 0, 0); /* takes nothing, by POSIX */
	check_equal(outcome(&cb), 0);
	check_equal(recv(fds[0], buf, 10, MSG_DONTWAIT), 0);
	check_equal(recv(fds[0], buf, 10, MSG_DONTWAIT), 4);
	close_pair(fds);
	return 0;
}

/* ---- streams that are called regular files ---- */

static bool is_done(const struct aiocb *cb)
{
	return aio_error(cb) != EINPROGRESS;
}

/* One line more; others may read there as well, and take it. */
static bool line_ends(int writer, const struct aiocb *cb)
{
	write_fully(writer, "a line\n", 7);
	return becomes_true(is_done(cb), 20);
}

/* Lines end the first of the reads that wait. */
static void check_order(int fd, int writer)
{
	static char lines[NR_READS][8192];
	struct aiocb cbs[NR_READS];

	for (int i = 0; i < NR_READS; i++)
		submit_read(&cbs[i], fd, lines[i], sizeof(lines[i]), 0);
	for (int i = 0; i < NR_READS; i++) {
		eventually(others_are_asleep());
		eventually(line_ends(writer, &cbs[i]));
		check(outcome(&cbs[i]) > 0);
		for (int j = NR_READS - 1; j > i; j--)
			check(!is_done(&cbs[j]) || is_done(&cbs[j - 1]));
	}
	close(fd);
	close(writer);
}

/* With a long number, by which its name is found.  False: not here. */
static bool check_order_of_log(void)
{
	int fd = fcntl(open("/proc/kmsg", O_RDONLY | O_CLOEXEC), F_DUPFD_CLOEXEC, 100);
	int writer = open("/dev/kmsg", O_WRONLY | O_CLOEXEC); /* takes but a few lines */

	if (fd < 0 || writer < 0)
		return false;
	while (klogctl(9, NULL, 0) > 0)
		if (read(fd, buf, sizeof(buf)) < 0)
			return false;
	check_order(fd, writer);
	return true;
}

static int read_kernel_log(void)
{
	for (int i = 0; i < NR_ROUNDS; i++)
		if (!check_order_of_log())
			return CHILD_SKIPPED;
	return 0;
}

/* In a mount name space of its own. */
static const char *mount_tracefs(void)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s", temp_path("tracefs"));
	if (mkdir(path, 0700) < 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tracefs", path, "tracefs", 0, NULL) < 0)
		return NULL;
	return path;
}

static int read_trace(void)
{
	char instance[PATH_MAX], path[PATH_MAX];
	const char *tracefs = mount_tracefs();
	int fd, writer;

	if (!tracefs)
		return CHILD_SKIPPED;
	snprintf(instance, sizeof(instance), "%.2000s/instances/rtaio-%d", tracefs, getpid());
	if (mkdir(instance, 0700) < 0)
		return CHILD_SKIPPED;
	snprintf(path, sizeof(path), "%.3000s/trace_pipe", instance);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "%.3000s/trace_marker", instance);
	writer = open(path, O_WRONLY | O_CLOEXEC);
	check(fd >= 0 && writer >= 0);
	check_order(fd, writer);
	eventually(rmdir(instance) == 0);
	return 0;
}

TEST_IN_CHILD(test_read_waits_for_the_low_water_mark, wait_for_low_water_mark, 20000)
TEST_IN_CHILD(test_low_water_mark_yields_to_a_timeout, end_low_water_mark, 20000)
TEST_IN_CHILD(test_read_moves_the_peek_offset, move_peek_offset, 20000)
TEST_IN_CHILD(test_read_ends_before_urgent_data, read_around_urgent_data, 20000)
TEST_IN_CHILD(test_queued_error_is_told_once, read_queued_errors, 20000)
TEST_IN_CHILD(test_read_of_a_terminal_waits_as_its_mode_says, read_terminals, 20000)
TEST_IN_CHILD(test_packets_of_a_pipe_stay_packets, read_packets, 20000)
TEST_IN_CHILD(test_read_of_a_semaphore_takes_one, take_from_semaphore, 20000)
TEST_IN_CHILD(test_no_bytes_end_as_with_plain_calls, move_no_bytes, 20000)
TEST_IN_CHILD(test_empty_datagrams_are_sent, send_empty_datagrams, 20000)
TEST_OR_SKIP(test_reads_of_the_kernel_log_keep_their_order, read_kernel_log, 20000)
TEST_OR_SKIP(test_reads_of_a_trace_keep_their_order, read_trace, 20000)

int main(void)
{
	const struct CMUnitTest blocking_call_tests[] = {
		cmocka_unit_test(test_read_waits_for_the_low_water_mark),
		cmocka_unit_test(test_low_water_mark_yields_to_a_timeout),
		cmocka_unit_test(test_read_moves_the_peek_offset),
		cmocka_unit_test(test_read_ends_before_urgent_data),
		cmocka_unit_test(test_queued_error_is_told_once),
		cmocka_unit_test(test_read_of_a_terminal_waits_as_its_mode_says),
		cmocka_unit_test(test_packets_of_a_pipe_stay_packets),
		cmocka_unit_test(test_read_of_a_semaphore_takes_one),
		cmocka_unit_test(test_no_bytes_end_as_with_plain_calls),
		cmocka_unit_test(test_empty_datagrams_are_sent),
		cmocka_unit_test(test_reads_of_the_kernel_log_keep_their_order),
		cmocka_unit_test(test_reads_of_a_trace_keep_their_order),
	};

	return cmocka_run_group_tests(blocking_call_tests, NULL, NULL);
}
