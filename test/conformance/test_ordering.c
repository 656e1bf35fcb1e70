// SPDX-License-Identifier: MIT
/*
 * test_ordering.c - requests take effect in the order of submission
 *
 * On pipes, sockets and terminals; test_overlaps.c has files.  The order is part
 * of what programs see: a stream out of order is corrupt data.
 */
#include "../support/support.h"

#include <pthread.h>
#include <pty.h>
#include <sys/socket.h>
#include <termios.h>

#define NR_LETTERS 26
static const char letters[] = "abcdefghijklmnopqrstuvwxyz";

/* ---- streams ---- */

/* One-byte reads get the bytes in the order of the reads. */
static void read_letters(int read_fd, int write_fd)
{
	static struct aiocb cbs[NR_LETTERS];
	static char found[NR_LETTERS];

	for (int round = 0; round < 10; round++) {
		memset(found, 0, sizeof(found));
		for (int i = 0; i < NR_LETTERS; i++) {
			aiocb_init(&cbs[i], read_fd, &found[i], 1, 0);
			check_equal(aio_read(&cbs[i]), 0);
		}
		write_fully(write_fd, letters, 1);
		write_fully(write_fd, letters + 1, 10);
		write_fully(write_fd, letters + 11, 15);
		for (int i = 0; i < NR_LETTERS; i++)
			check_equal(await_result(&cbs[i]), 1);
		check_memory(found, letters, NR_LETTERS);
	}
}

/* Writes appear in the order of the calls. */
static void write_letters(int read_fd, int write_fd)
{
	static struct aiocb cbs[NR_LETTERS];
	char found[NR_LETTERS];

	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < NR_LETTERS; i++) {
			aiocb_init(&cbs[i], write_fd, (void *)&letters[i], 1, 0);
			check_equal(aio_write(&cbs[i]), 0);
		}
		read_fully(read_fd, found, NR_LETTERS);
		check_memory(found, letters, NR_LETTERS);
		for (int i = 0; i < NR_LETTERS; i++)
			check_equal(await_result(&cbs[i]), 1);
	}
}

static void test_reads_of_a_pipe_keep_their_order(void **state)
{
	int fds[2];

	(void)state;
	open_pipe(fds);
	read_letters(fds[0], fds[1]);
	close_pair(fds);
}

static void test_writes_to_a_pipe_keep_their_order(void **state)
{
	int fds[2];

	(void)state;
	open_pipe(fds);
	write_letters(fds[0], fds[1]);
	close_pair(fds);
}

/* The byte of the first read may be there, and nobody have taken it, when the second comes. */
static void test_read_of_a_pipe_does_not_overtake_one_that_waits(void **state)
{
	struct aiocb first, second;
	char found[2];
	int fds[2];

	(void)state;
	open_pipe(fds);
	for (int round = 0; round < 1000; round++) {
		aiocb_init(&first, fds[0], &found[0], 1, 0);
		aiocb_init(&second, fds[0], &found[1], 1, 0);
		check_equal(aio_read(&first), 0);
		write_fully(fds[1], letters, 2);
		check_equal(aio_read(&second), 0);
		check_equal(await_result(&first), 1);
		check_equal(await_result(&second), 1);
		check_memory(found, letters, 2);
	}
	close_pair(fds);
}

static void test_reads_of_a_socket_keep_their_order(void **state)
{
	int fds[2];

	(void)state;
	open_socketpair(fds, SOCK_STREAM);
	read_letters(fds[0], fds[1]);
	close_pair(fds);
}

static void test_writes_to_a_socket_keep_their_order(void **state)
{
	int fds[2];

	(void)state;
	open_socketpair(fds, SOCK_STREAM);
	write_letters(fds[0], fds[1]);
	close_pair(fds);
}

static void test_terminal_keeps_the_order_both_ways(void **state)
{
	struct termios mode;
	int fds[2];

	(void)state;
	check(openpty(&fds[0], &fds[1], NULL, NULL, NULL) == 0);
	check(tcgetattr(fds[1], &mode) == 0);
	cfmakeraw(&mode);
	check(tcsetattr(fds[1], TCSANOW, &mode) == 0);
	read_letters(fds[1], fds[0]);
	write_letters(fds[0], fds[1]);
	close_pair(fds);
}

static void test_datagrams_keep_their_order(void **state)
{
	static struct aiocb cbs[NR_LETTERS];
	int fds[2];
	char found;

	(void)state;
	/* More of them than the socket queues. */
	open_socketpair(fds, SOCK_DGRAM);
	for (int i = 0; i < NR_LETTERS; i++) {
		aiocb_init(&cbs[i], fds[1], (void *)&letters[i], 1, 0);
		check_equal(aio_write(&cbs[i]), 0);
	}
	for (int i = 0; i < NR_LETTERS; i++) {
		read_fully(fds[0], &found, 1);
		check_equal(found, letters[i]);
	}
	for (int i = 0; i < NR_LETTERS; i++)
		check_equal(await_result(&cbs[i]), 1);
	close_pair(fds);
}

static void test_big_writes_to_a_pipe_do_not_mix(void **state)
{
	enum { NR = 8, SIZE = 200000 };
	static struct aiocb cbs[NR];
	static char data[NR][SIZE], found[SIZE];
	int fds[2];

	(void)state;
	open_pipe(fds);
	for (int i = 0; i < NR; i++) {
		memset(data[i], letters[i], SIZE);
		aiocb_init(&cbs[i], fds[1], data[i], SIZE, 0);
		check_equal(aio_write(&cbs[i]), 0);
	}
	for (int i = 0; i < NR; i++) {
		read_fully(fds[0], found, SIZE);
		check_memory(found, data[i], SIZE);
	}
	for (int i = 0; i < NR; i++)
		check_equal(await_result(&cbs[i]), SIZE);
	close_pair(fds);
}

static void test_full_duplex_socket_serves_both_directions(void **state)
{
	static struct aiocb reads[NR_LETTERS], writes[NR_LETTERS];
	static char found[NR_LETTERS];
	char seen[NR_LETTERS];
	int fds[2];

	(void)state;
	open_socketpair(fds, SOCK_STREAM);
	for (int i = 0; i < NR_LETTERS; i++) {
		aiocb_init(&writes[i], fds[0], (void *)&letters[i], 1, 0);
		check_equal(aio_write(&writes[i]), 0);
		aiocb_init(&reads[i], fds[0], &found[i], 1, 0);
		check_equal(aio_read(&reads[i]), 0);
	}
	write_fully(fds[1], letters, NR_LETTERS);
	read_fully(fds[1], seen, NR_LETTERS);
	for (int i = 0; i < NR_LETTERS; i++) {
		check_equal(await_result(&reads[i]), 1);
		check_equal(await_result(&writes[i]), 1);
	}
	check_memory(found, letters, NR_LETTERS);
	check_memory(seen, letters, NR_LETTERS);
	close_pair(fds);
}

static void test_duplicate_descriptor_does_not_wait(void **state)
{
	static struct aiocb read_cb, write_cb;
	int fds[2], other;
	static char buf;

	(void)state;
	open_socketpair(fds, SOCK_STREAM);
	other = dup(fds[0]);
	aiocb_init(&read_cb, fds[0], &buf, 1, 0);
	check_equal(aio_read(&read_cb), 0);
	aiocb_init(&write_cb, other, "x", 1, 0);
	check_equal(aio_write(&write_cb), 0);
	check_equal(await_result(&write_cb), 1);
	check_equal(aio_error(&read_cb), EINPROGRESS);
	write_fully(fds[1], "y", 1);
	check_equal(await_result(&read_cb), 1);
	close(other);
	close_pair(fds);
}

static void test_blocked_pipe_does_not_hold_up_other_descriptors(void **state)
{
	enum { NR = 12 };
	static struct aiocb blocked[NR], cb;
	int fd = temp_file_filled(1000), pipes[NR][2];
	static char bytes[NR], buf[100];

	(void)state;
	for (int i = 0; i < NR; i++) {
		open_pipe(pipes[i]);
		aiocb_init(&blocked[i], pipes[i][0], &bytes[i], 1, 0);
		check_equal(aio_read(&blocked[i]), 0);
	}
	for (int i = 0; i < 50; i++) {
		aiocb_init(&cb, fd, buf, 100, i);
		check_equal(aio_read(&cb), 0);
		check_equal(await_result(&cb), 100);
	}
	for (int i = NR - 1; i >= 0; i--) {
		write_fully(pipes[i][1], "x", 1);
		check_equal(await_result(&blocked[i]), 1);
		close_pair(pipes[i]);
	}
	close(fd);
}

/* ---- priority ---- */

/*
 * Among the queued requests of a stream the smaller aio_reqprio goes first,
 * equal ones in order; the first of all is never overtaken.
 */
static void test_priority_orders_what_is_queued(void **state)
{
	static const int priorities[6] = { 10, 0, 5, 0, 20, 10 };
	static const int order[6] = { 0, 1, 3, 2, 5, 4 };
	static struct aiocb cbs[6];
	static char found[6];
	int fds[2];

	(void)state;
	for (int round = 0; round < 20; round++) {
		open_pipe(fds);
		for (int i = 0; i < 6; i++) {
			aiocb_init(&cbs[i], fds[0], &found[i], 1, 0);
			cbs[i].aio_reqprio = priorities[i];
			check_equal(aio_read(&cbs[i]), 0);
		}
		write_fully(fds[1], letters, 6);
		for (int i = 0; i < 6; i++)
			check_equal(await_result(&cbs[i]), 1);
		for (int i = 0; i < 6; i++)
			check_equal(found[order[i]], letters[i]);
		close_pair(fds);
	}
}

static void test_priority_changes_between_two_requests(void **state)
{
	static const int order[4] = { 0, 2, 3, 1 };
	struct sched_param param = { .sched_priority = 0 };
	static struct aiocb cbs[4];
	static char found[4];
	int fds[2];

	(void)state;
	open_pipe(fds);
	for (int i = 0; i < 4; i++) {
		/* The third is submitted by a thread that has become important. */
		param.sched_priority = i == 2 ? 2 : 1;
		if (i >= 1 && pthread_setschedparam(pthread_self(), SCHED_FIFO, &param) != 0)
			skip_because("real-time scheduling is not permitted here");
		aiocb_init(&cbs[i], fds[0], &found[i], 1, 0);
		cbs[i].aio_reqprio = i == 1;
		check_equal(aio_read(&cbs[i]), 0);
	}
	param.sched_priority = 0;
	check_equal(pthread_setschedparam(pthread_self(), SCHED_OTHER, &param), 0);
	write_fully(fds[1], letters, 4);
	for (int i = 0; i < 4; i++)
		check_equal(await_result(&cbs[i]), 1);
	for (int i = 0; i < 4; i++)
		check_equal(found[order[i]], letters[i]);
	close_pair(fds);
}

/* ---- deep queues ---- */

static void test_deep_queue_completes_in_order(void **state)
{
	enum { NR = 10000 };
	static struct aiocb cbs[NR];
	static unsigned char found[NR], data[NR];
	int fds[2];

	(void)state;
	pattern_fill(data, 0, NR);
	open_pipe(fds);
	for (int i = 0; i < NR; i++) {
		aiocb_init(&cbs[i], fds[0], &found[i], 1, 0);
		check_equal(aio_read(&cbs[i]), 0);
	}
	write_fully(fds[1], data, NR);
	for (int i = 0; i < NR; i++)
		check_equal(await_result(&cbs[i]), 1);
	check_memory(found, data, NR);
	close_pair(fds);
}

/* Processor time of all threads: what else runs on the machine does not count. */
static uint64_t used_ns(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

/* Queue nr reads on a pipe; the time for each, 0 once beyond the limit. */
static uint64_t time_queueing(struct aiocb *cbs, unsigned char *found, int fd, int nr,
			      uint64_t limit_ns)
{
	uint64_t begin = used_ns();

	for (int i = 0; i < nr; i++) {
		aiocb_init(&cbs[i], fd, &found[i], 1, 0);
		check_equal(aio_read(&cbs[i]), 0);
		if (used_ns() - begin > limit_ns * (uint64_t)nr)
			return 0;
	}
	return (used_ns() - begin) / (uint64_t)nr + 1;
}

static int queue_a_hundred_thousand(void)
{
	enum { NR = 100000, FEW = 1000, CHUNK = 50000 };
	struct aiocb *cbs = calloc(NR, sizeof(*cbs));
	unsigned char *found = calloc(NR, 1), *data = malloc(NR);
	uint64_t few_ns = UINT64_MAX, limit_ns;
	int fds[2];

	check(cbs && found && data);
	open_pipe(fds);
	pattern_fill(data, 0, NR);
	for (int round = 0; round < 5; round++) {
		uint64_t ns = time_queueing(cbs, found, fds[0], FEW, 1000000);

		if (ns < few_ns)
			few_ns = ns;
		write_fully(fds[1], data, FEW);
		for (int i = 0; i < FEW; i++)
			check_equal(await_result(&cbs[i]), 1);
	}
	/* Memory not yet touched costs. */
	limit_ns = 20 * few_ns + 10000;
	if (!time_queueing(cbs, found, fds[0], NR, limit_ns))
		check_failed("more than %d ns for each of %d requests, %d ns of %d", (int)limit_ns,
			     NR, (int)few_ns, FEW);
	for (int done = 0; done < NR; done += CHUNK)
		write_fully(fds[1], data + done, CHUNK);
	for (int i = 0; i < NR; i++)
		check_equal(await_result(&cbs[i]), 1);
	check_memory(found, data, NR);
	return 0;
}

static void test_hundred_thousand_queued_requests_cost_no_more_each(void **state)
{
	(void)state;
	check_in_child(queue_a_hundred_thousand, 30000);
}

int main(void)
{
	const struct CMUnitTest ordering_tests[] = {
		/*
		 * Forked children first: with glibc, AIO is dead in a child
		 * whose parent has made a request within the last second.
		 */
		cmocka_unit_test(test_hundred_thousand_queued_requests_cost_no_more_each),
		cmocka_unit_test(test_reads_of_a_pipe_keep_their_order),
		cmocka_unit_test(test_writes_to_a_pipe_keep_their_order),
		cmocka_unit_test(test_read_of_a_pipe_does_not_overtake_one_that_waits),
		cmocka_unit_test(test_reads_of_a_socket_keep_their_order),
		cmocka_unit_test(test_writes_to_a_socket_keep_their_order),
		cmocka_unit_test(test_terminal_keeps_the_order_both_ways),
		cmocka_unit_test(test_datagrams_keep_their_order),
		cmocka_unit_test(test_big_writes_to_a_pipe_do_not_mix),
		cmocka_unit_test(test_full_duplex_socket_serves_both_directions),
		cmocka_unit_test(test_duplicate_descriptor_does_not_wait),
		cmocka_unit_test(test_blocked_pipe_does_not_hold_up_other_descriptors),
		cmocka_unit_test(test_priority_orders_what_is_queued),
		cmocka_unit_test(test_priority_changes_between_two_requests),
		cmocka_unit_test(test_deep_queue_completes_in_order),
	};

	return cmocka_run_group_tests(ordering_tests, NULL, NULL);
}
