// SPDX-License-Identifier: MIT
/*
 * test_overlaps.c - requests on the same bytes of a file take effect in order
 *
 * Parts of a file where a write overlaps another request, and files opened with
 * O_APPEND, where every write is at the end.  Streams are in test_ordering.c.
 */
#include "../support/support.h"

#include <pthread.h>
#include <stdatomic.h>

#define NR_LETTERS 26
static const char letters[] = "abcdefghijklmnopqrstuvwxyz";

/* ---- O_APPEND ---- */

static void take_no_notice(union sigval value)
{
	(void)value;
}

/* @nr writes of @size bytes end, and stand in the file as in @data; @found is room to look. */
static void expect_in_order(int fd, struct aiocb *cbs, int nr, size_t size, const void *data,
			    void *found)
{
	size_t total = (size_t)nr * size;

	for (int i = 0; i < nr; i++)
		check_equal(await_result(&cbs[i]), (ssize_t)size);
	check_equal(pread(fd, found, total, 0), (ssize_t)total);
	check_memory(found, data, total);
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
	expect_in_order(fd, cbs, NR, SIZE, data, found);
	close(fd);
}

static void test_direct_appends_keep_their_order(void **state)
{
	enum { NR = 24, SIZE = 4096 };
	static struct aiocb cbs[NR];
	static char data[NR][SIZE] __attribute__((aligned(4096)));
	static char found[NR][SIZE] __attribute__((aligned(4096)));
	int fd = direct_file_or_skip(0, O_APPEND);

	(void)state;
	for (int i = 0; i < NR; i++) {
		memset(data[i], letters[i], SIZE);
		/* The offset does not count. */
		aiocb_init(&cbs[i], fd, data[i], SIZE, (NR - i) * SIZE);
		check_equal(aio_write(&cbs[i]), 0);
	}
	expect_in_order(fd, cbs, NR, SIZE, data, found);
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
	int fd = direct_file_or_skip(sizeof(data), 0);

	(void)state;
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
	int fd = direct_file_or_skip(0, 0);

	(void)state;
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
	int fd = direct_file_or_skip(0, 0);

	(void)state;
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

int main(void)
{
	const struct CMUnitTest overlaps_tests[] = {
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
	};

	return cmocka_run_group_tests(overlaps_tests, NULL, NULL);
}
