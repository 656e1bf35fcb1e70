// SPDX-License-Identifier: MIT
/*
 * test_ordering.c - requests take effect in the order of submission
 *
 * On pipes, sockets and terminals, on files opened with O_APPEND, and on parts
 * of a file where a write overlaps another request.  The order is part of what
 * programs see: a stream out of order is corrupt data.
 */
#include "../support/support.h"

#include <pthread.h>
#include <pty.h>
#include <stdatomic.h>
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

/* ---- O_APPEND ---- */

static void take_no_notice(union sigval value)
{
	(void)value;
}

/* A few are announced, others are not: they may be served in different ways. */
static void test_appends_keep_their_order(void **state)
{
	enum { NR = 200, SIZE = 700 };
	static struct aiocb cbs[NR];
	static char data[NR][SIZE], found[NR][SIZE];
	int fd = temp_file(O_APPEND);

	(void)state;
	for (int i = 0; i < NR; i++) {
		memset(data[i], letters[i % NR_LETTERS], SIZE);
		data[i][0] = (char)i;
		/* The offset does not count. */
		aiocb_init(&cbs[i], fd, data[i], SIZE, (NR - i) * 10000);
		if (i % 10 == 0)
			notify_by_thread(&cbs[i].aio_sigevent, take_no_notice, NULL);
		check_equal(aio_write(&cbs[i]), 0);
	}
	for (int i = 0; i < NR; i++)
		check_equal(await_result(&cbs[i]), SIZE);
	check_equal(pread(fd, found, sizeof(found), 0), sizeof(found));
	check_memory(found, data, sizeof(data));
	close(fd);
}

static void test_direct_appends_keep_their_order(void **state)
{
	enum { NR = 24, SIZE = 4096 };
	static struct aiocb cbs[NR];
	static char data[NR][SIZE] __attribute__((aligned(4096)));
	static char found[NR][SIZE] __attribute__((aligned(4096)));
	int fd = direct_file(0, O_APPEND);

	(void)state;
	if (fd < 0)
		skip_because("no O_DIRECT below build/tmp");
	for (int i = 0; i < NR; i++) {
		memset(data[i], letters[i], SIZE);
		/* The offset does not count. */
		aiocb_init(&cbs[i], fd, data[i], SIZE, (NR - i) * SIZE);
		check_equal(aio_write(&cbs[i]), 0);
	}
	for (int i = 0; i < NR; i++)
		check_equal(await_result(&cbs[i]), SIZE);
	check_equal(pread(fd, found, sizeof(found), 0), sizeof(found));
	check_memory(found, data, sizeof(data));
	close(fd);
}

#define NR_APPENDERS 4
#define NR_RECORDS   150

struct record {
	int thread;
	int serial;
};

static int append_fd;
static atomic_int nr_failed;

static void *append_records(void *arg)
{
	struct aiocb *cbs = calloc(NR_RECORDS, sizeof(*cbs));
	struct record *records = calloc(NR_RECORDS, sizeof(*records));
	int thread = *(int *)arg;

	for (int i = 0; i < NR_RECORDS; i++) {
		records[i] = (struct record){ thread, i };
		aiocb_init(&cbs[i], append_fd, &records[i], sizeof(*records), 0);
		nr_failed += aio_write(&cbs[i]) != 0;
	}
	for (int i = 0; i < NR_RECORDS; i++) {
		const struct aiocb *list[1] = { &cbs[i] };

		while (aio_error(&cbs[i]) == EINPROGRESS)
			aio_suspend(list, 1, NULL);
		nr_failed += aio_return(&cbs[i]) != sizeof(*records);
	}
	free(cbs);
	free(records);
	return NULL;
}

static void test_each_thread_keeps_the_order_of_its_appends(void **state)
{
	static struct record found[NR_APPENDERS * NR_RECORDS];
	int numbers[NR_APPENDERS], next[NR_APPENDERS] = { 0 };
	pthread_t threads[NR_APPENDERS];

	(void)state;
	append_fd = temp_file(O_APPEND);
	nr_failed = 0;
	for (int i = 0; i < NR_APPENDERS; i++) {
		numbers[i] = i;
		check(pthread_create(&threads[i], NULL, append_records, &numbers[i]) == 0);
	}
	for (int i = 0; i < NR_APPENDERS; i++)
		check(pthread_join(threads[i], NULL) == 0);
	check_equal(nr_failed, 0);
	check_equal(pread(append_fd, found, sizeof(found), 0), sizeof(found));
	for (int i = 0; i < NR_APPENDERS * NR_RECORDS; i++) {
		check(found[i].thread >= 0 && found[i].thread < NR_APPENDERS);
		check_equal(found[i].serial, next[found[i].thread]++);
	}
	close(append_fd);
}

/* ---- overlapping ranges ---- */

/* A write of a big range, then at once a read of some part of it. */
static void read_behind_write(int fd, char *data, char *found, size_t size)
{
	static const size_t part = 4096;
	struct aiocb write_cb, read_cb;

	for (int round = 0; round < 40; round++) {
		size_t where = (size_t)round * 7919 % (size / part) * part;

		memset(data, letters[round % NR_LETTERS], size);
		memset(found, 0, part);
		aiocb_init(&write_cb, fd, data, size, 0);
		aiocb_init(&read_cb, fd, found, part, (off_t)where);
		check_equal(aio_write(&write_cb), 0);
		check_equal(aio_read(&read_cb), 0);
		check_equal(await_result(&read_cb), part);
		check_equal(await_result(&write_cb), size);
		check_memory(found, data, part);
	}
}

static void test_read_sees_an_earlier_overlapping_write(void **state)
{
	static char data[1 << 20], found[4096];
	int fd = temp_file_filled(sizeof(data));

	(void)state;
	read_behind_write(fd, data, found, sizeof(data));
	read_behind_write(fd, data, found, 65536);
	close(fd);
}

static void test_direct_read_sees_an_earlier_overlapping_write(void **state)
{
	static char data[1 << 20] __attribute__((aligned(4096)));
	static char found[4096] __attribute__((aligned(4096)));
	int fd = direct_file(sizeof(data), 0);

	(void)state;
	if (fd < 0)
		skip_because("no O_DIRECT below build/tmp");
	read_behind_write(fd, data, found, sizeof(data));
	read_behind_write(fd, data, found, 65536);
	close(fd);
}

/* A big read, then at once a write into its range: the read sees old data. */
static void write_behind_read(int fd, char *data, char *found, size_t size)
{
	enum { PART = 4096 };
	struct aiocb write_cb, read_cb;

	for (int round = 0; round < 20; round++) {
		off_t where = (off_t)(size - PART);

		memset(data, letters[round], size);
		check_equal(pwrite(fd, data, size, 0), size);
		memset(data, '-', PART);
		aiocb_init(&read_cb, fd, found, size, 0);
		aiocb_init(&write_cb, fd, data, PART, where);
		check_equal(aio_read(&read_cb), 0);
		check_equal(aio_write(&write_cb), 0);
		check_equal(await_result(&write_cb), PART);
		check_equal(await_result(&read_cb), size);
		check_equal(found[0], letters[round]);
		check_memory(found, found + 1, size - 1);
		check_equal(pread(fd, found, PART, where), PART);
		check_equal(found[0], '-');
	}
}

static void test_read_does_not_see_a_later_overlapping_write(void **state)
{
	static char data[1 << 20], found[1 << 20];
	int fd = temp_file(0);

	(void)state;
	write_behind_read(fd, data, found, sizeof(data));
	close(fd);
}

/* The read takes its last byte so late that a write which does not wait is there before. */
static void test_read_does_not_see_a_later_write_of_its_last_byte(void **state)
{
	enum { LAST = (16 << 20) - 1 };
	static char found[LAST + 1];
	struct aiocb read_cb, write_cb;
	int fd = temp_file(0);
	char old = 'o', new = 'n';

	(void)state;
	for (int round = 0; round < 50; round++) {
		check_equal(pwrite(fd, &old, 1, LAST), 1);
		aiocb_init(&read_cb, fd, found, sizeof(found), 0);
		aiocb_init(&write_cb, fd, &new, 1, LAST);
		check_equal(aio_read(&read_cb), 0);
		check_equal(aio_write(&write_cb), 0);
		check_equal(await_result(&write_cb), 1);
		check_equal(await_result(&read_cb), sizeof(found));
		check_equal(found[LAST], old);
	}
	close(fd);
}

static void test_direct_read_does_not_see_a_later_overlapping_write(void **state)
{
	static char data[1 << 20] __attribute__((aligned(4096)));
	static char found[1 << 20] __attribute__((aligned(4096)));
	int fd = direct_file(0, 0);

	(void)state;
	if (fd < 0)
		skip_because("no O_DIRECT below build/tmp");
	write_behind_read(fd, data, found, sizeof(data));
	close(fd);
}

/* Writes of shifting ranges: the file must end as if done one by one. */
static void overwrite(int fd, char *data, char *expected, char *found, size_t unit)
{
	enum { NR = 60, BLOCKS = 16 };
	static struct aiocb cbs[NR];
	size_t size = (BLOCKS + 8) * unit;

	for (int round = 0; round < 10; round++) {
		memset(expected, 0, size);
		check_equal(pwrite(fd, expected, size, 0), size);
		for (int i = 0; i < NR; i++) {
			size_t nr = 1 + (size_t)(i * 5 + round) % 8;
			size_t where = (size_t)(i * 7 + round) % BLOCKS * unit;
			char *block = data + (size_t)i * 8 * unit;

			memset(block, i + 1, nr * unit);
			memset(expected + where, i + 1, nr * unit);
			aiocb_init(&cbs[i], fd, block, nr * unit, (off_t)where);
			check_equal(aio_write(&cbs[i]), 0);
		}
		for (int i = 0; i < NR; i++)
			check(await_result(&cbs[i]) > 0);
		check_equal(pread(fd, found, size, 0), size);
		check_memory(found, expected, size);
	}
}

static char overwrite_data[60 * 8 * 4096] __attribute__((aligned(4096)));
static char overwrite_expected[24 * 4096] __attribute__((aligned(4096)));
static char overwrite_found[24 * 4096] __attribute__((aligned(4096)));

static void test_overlapping_writes_end_as_if_one_by_one(void **state)
{
	int fd = temp_file(0);

	(void)state;
	overwrite(fd, overwrite_data, overwrite_expected, overwrite_found, 100);
	overwrite(fd, overwrite_data, overwrite_expected, overwrite_found, 4096);
	close(fd);
}

static void test_overlapping_direct_writes_end_as_if_one_by_one(void **state)
{
	int fd = direct_file(0, 0);

	(void)state;
	if (fd < 0)
		skip_because("no O_DIRECT below build/tmp");
	overwrite(fd, overwrite_data, overwrite_expected, overwrite_found, 4096);
	close(fd);
}

static void test_reads_and_writes_of_one_block_alternate(void **state)
{
	enum { NR = 200, SIZE = 512 };
	static struct aiocb writes[NR], reads[NR];
	static char data[NR][SIZE], found[NR][SIZE];
	int fd = temp_file(0);

	(void)state;
	for (int i = 0; i < NR; i++) {
		memset(data[i], i + 1, SIZE);
		aiocb_init(&writes[i], fd, data[i], SIZE, 0);
		aiocb_init(&reads[i], fd, found[i], SIZE, 0);
		check_equal(aio_write(&writes[i]), 0);
		check_equal(aio_read(&reads[i]), 0);
	}
	for (int i = 0; i < NR; i++) {
		check_equal(await_result(&writes[i]), SIZE);
		check_equal(await_result(&reads[i]), SIZE);
	}
	check_memory(found, data, sizeof(data));
	close(fd);
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

/* Queue nr reads on a pipe; the time for each, 0 once beyond the limit. */
static uint64_t time_queueing(struct aiocb *cbs, unsigned char *found, int fd, int nr,
			      uint64_t limit_ns)
{
	uint64_t begin = now_ns();

	for (int i = 0; i < nr; i++) {
		aiocb_init(&cbs[i], fd, &found[i], 1, 0);
		check_equal(aio_read(&cbs[i]), 0);
		if (now_ns() - begin > limit_ns * (uint64_t)nr)
			return 0;
	}
	return (now_ns() - begin) / (uint64_t)nr + 1;
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
	/* Memory not yet touched costs, so does a busy machine. */
	limit_ns = 12 * few_ns + 3000;
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
		cmocka_unit_test(test_appends_keep_their_order),
		cmocka_unit_test(test_direct_appends_keep_their_order),
		cmocka_unit_test(test_each_thread_keeps_the_order_of_its_appends),
		cmocka_unit_test(test_read_sees_an_earlier_overlapping_write),
		cmocka_unit_test(test_direct_read_sees_an_earlier_overlapping_write),
		cmocka_unit_test(test_read_does_not_see_a_later_overlapping_write),
		cmocka_unit_test(test_read_does_not_see_a_later_write_of_its_last_byte),
		cmocka_unit_test(test_direct_read_does_not_see_a_later_overlapping_write),
		cmocka_unit_test(test_overlapping_writes_end_as_if_one_by_one),
		cmocka_unit_test(test_overlapping_direct_writes_end_as_if_one_by_one),
		cmocka_unit_test(test_reads_and_writes_of_one_block_alternate),
		cmocka_unit_test(test_deep_queue_completes_in_order),
	};

	return cmocka_run_group_tests(ordering_tests, NULL, NULL);
}
