// SPDX-License-Identifier: MIT
/*
 * test_many.c - as many requests as there is memory for
 *
 * POSIX AIO on glibc has no limit of requests in flight (AIO_MAX is not
 * defined).  A hundred thousand at once, far beyond the size of any ring or
 * context of the kernel, are all accepted and all give the right result.
 *
 * Where a machine or an implementation is slow, there are fewer of them: glibc's
 * queues are linear lists, and it reads a file one request after the other.
 */
#include "transparency.h"

#include <sys/socket.h>
#include <sys/stat.h>

#define NR_REQUESTS 100000
/* Of a stream, where glibc is slow: its queues are linear lists. */
#define NR_WRITES 20000
/* Still far more than a ring or a context holds. */
#define NR_AT_LEAST 5000
#define BUDGET_NS   3000000000
#define RECORD_SIZE 16

static struct aiocb *cbs;
static uint32_t *numbers;

static void allocate(void)
{
	cbs = calloc(NR_REQUESTS, sizeof(*cbs));
	numbers = calloc(NR_REQUESTS, RECORD_SIZE);
	check(cbs && numbers);
}

static uint32_t *record(unsigned int i)
{
	return numbers + i * (RECORD_SIZE / sizeof(*numbers));
}

static int read_and_write_file(void)
{
	int fd = temp_file(0);
	struct stat st;

	allocate();
	for (unsigned int i = 0; i < NR_REQUESTS; i++) {
		record(i)[0] = i;
		submit_write(&cbs[i], fd, record(i), RECORD_SIZE, i * RECORD_SIZE);
	}
	for (unsigned int i = 0; i < NR_REQUESTS; i++)
		check_equal(outcome(&cbs[i]), RECORD_SIZE);
	check_equal(fstat(fd, &st), 0);
	check_equal(st.st_size, NR_REQUESTS * RECORD_SIZE);
	memset(numbers, 0xff, NR_REQUESTS * RECORD_SIZE);
	evict(fd);
	for (unsigned int i = 0; i < NR_REQUESTS; i++)
		submit_read(&cbs[i], fd, record(i), RECORD_SIZE, i * RECORD_SIZE);
	for (unsigned int i = 0; i < NR_REQUESTS; i++) {
		check_equal(outcome(&cbs[i]), RECORD_SIZE);
		check_equal(record(i)[0], i);
	}
	return 0;
}

/* How many reads of a block, one by one, the disk does within the budget. */
static unsigned int nr_affordable(int fd, char *buf)
{
	enum { NR = 32 };
	uint64_t begin = now_ns(), nr;

	for (int i = 0; i < NR; i++)
		check_equal(pread(fd, buf, 4096, 0), 4096);
	nr = NR * BUDGET_NS / (now_ns() - begin);
	if (nr < NR_AT_LEAST)
		return NR_AT_LEAST;
	return nr < NR_REQUESTS / 4 ? (unsigned int)nr : NR_REQUESTS / 4;
}

/* Past the page cache, with one block read by many requests. */
static int read_direct(void)
{
	int fd = direct_file(4096, 0);
	char *buf = direct_buffer(16 * 4096);
	unsigned int nr;

	if (fd < 0) {
		printf("no O_DIRECT here");
		return CHILD_SKIPPED;
	}
	allocate();
	nr = nr_affordable(fd, buf);
	for (unsigned int i = 0; i < nr; i++)
		submit_read(&cbs[i], fd, buf + i % 16 * 4096, 4096, 0);
	for (unsigned int i = 0; i < nr; i++)
		check_equal(outcome(&cbs[i]), 4096);
	for (unsigned int i = 0; i < 16; i++)
		check_pattern(buf + i * 4096, 0, 4096);
	return 0;
}

/* All reads wait; then each gets its own part of what is written. */
static int read_pipe(void)
{
	uint64_t until = now_ns() + BUDGET_NS;
	unsigned int nr = 0;
	int fds[2];

	allocate();
	open_pipe(fds);
	for (; nr < NR_REQUESTS && (nr < NR_AT_LEAST || now_ns() < until); nr++)
		submit_read(&cbs[nr], fds[0], record(nr), sizeof(nr), 0);
	for (unsigned int i = 0; i < nr; i++)
		write_fully(fds[1], &i, sizeof(i));
	for (unsigned int i = 0; i < nr; i++) {
		check_equal(outcome(&cbs[i]), sizeof(i));
		check_equal(record(i)[0], i);
	}
	return 0;
}

/* All writes wait for room; what is read then has them in order. */
static void write_stream(int fds[2])
{
	unsigned char *bytes;
	size_t before;

	allocate();
	before = fill_up(fds[1]);
	for (unsigned int i = 0; i < NR_WRITES; i++) {
		record(i)[0] = i;
		submit_write(&cbs[i], fds[1], record(i), sizeof(i), 0);
	}
	read_fully(fds[0], NULL, before);
	bytes = malloc(NR_WRITES * sizeof(uint32_t));
	read_fully(fds[0], bytes, NR_WRITES * sizeof(uint32_t));
	for (unsigned int i = 0; i < NR_WRITES; i++) {
		check_equal(outcome(&cbs[i]), sizeof(i));
		check_memory(bytes + i * sizeof(i), &i, sizeof(i));
	}
}

static int write_pipe(void)
{
	int fds[2];

	open_pipe(fds);
	write_stream(fds);
	return 0;
}

static int write_socket(void)
{
	int fds[2];

	open_socketpair(fds, SOCK_STREAM);
	write_stream(fds);
	return 0;
}

/* A page here and there is in the cache: what is there is not all there is. */
static int read_partly_cached(void)
{
	enum { SIZE = 64 << 10, NR = 16 };
	static char buf[SIZE];
	int fd = direct_file(NR * SIZE, 0);
	struct aiocb cb;

	if (fd < 0)
		return CHILD_SKIPPED;
	check(fcntl(fd, F_SETFL, 0) == 0);
	check_equal(fsync(fd), 0);
	check_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	check_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM), 0);
	for (int i = 0; i < NR; i++) {
		check_equal(pread(fd, buf, 4096, (off_t)i * SIZE), 4096);
		submit_read(&cb, fd, buf, SIZE, (off_t)i * SIZE);
		check_equal(outcome(&cb), SIZE);
		check_pattern(buf, (size_t)i * SIZE, SIZE);
	}
	return 0;
}

TEST_IN_CHILD(test_hundred_thousand_requests_on_a_file, read_and_write_file, 90000)
TEST_OR_SKIP(test_many_requests_past_the_page_cache, read_direct, 90000)
TEST_OR_SKIP(test_partly_cached_reads_are_whole, read_partly_cached, 20000)
TEST_IN_CHILD(test_very_many_reads_of_a_pipe, read_pipe, 90000)
TEST_IN_CHILD(test_thousands_of_writes_to_a_pipe, write_pipe, 90000)
TEST_IN_CHILD(test_thousands_of_writes_to_a_socket, write_socket, 90000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hundred_thousand_requests_on_a_file),
		cmocka_unit_test(test_many_requests_past_the_page_cache),
		cmocka_unit_test(test_partly_cached_reads_are_whole),
		cmocka_unit_test(test_very_many_reads_of_a_pipe),
		cmocka_unit_test(test_thousands_of_writes_to_a_pipe),
		cmocka_unit_test(test_thousands_of_writes_to_a_socket),
	};

	/* glibc needs minutes for the longest queues of a slow machine. */
	choose_default_deadline(60000);
	return cmocka_run_group_tests_name("many", tests, NULL, NULL);
}
