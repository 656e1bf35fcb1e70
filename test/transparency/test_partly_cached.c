// SPDX-License-Identifier: MIT
/*
 * test_partly_cached.c - reads of blocks of which the page cache has a part
 *
 * Such a read may be done in two parts, by two threads.  It counts each byte
 * once, and when it is cancelled between the two it is cancelled as a whole.
 * RTAIO_DEPTH=1 makes the second part wait for room; other implementations have
 * one thread for each fd, so that they queue what these tests queue, too.
 */
#include "offload.h"

#include <sys/stat.h>

#define NR     64
#define SIZE   65536u /* of a block */
#define EACH   8      /* of so many blocks one is cached in part */
#define TAIL   (SIZE - 1000u)
#define ROUNDS 8

/* A buffered file on a disk, of NR blocks, the last one short. */
static int disk_file(void)
{
	int fd = direct_file(NR * (size_t)SIZE, 0);

	if (fd < 0) {
		printf("no file here that the page cache can lose");
		_exit(CHILD_SKIPPED);
	}
	check_equal(fcntl(fd, F_SETFL, 0), 0);
	check_equal(ftruncate(fd, (NR - 1) * (off_t)SIZE + TAIL), 0);
	check_equal(fsync(fd), 0);
	return fd;
}

static void drop_cache(int fd)
{
	check_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	check_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM), 0);
}

/* ---- deep reads ---- */

static bool is_partly_cached(int block)
{
	return block % EACH == EACH - 1;
}

static void warm_up(int fd, char *buf)
{
	drop_cache(fd);
	for (int i = 0; i < NR; i++)
		check(pread(fd, buf, is_partly_cached(i) ? 3 * BLOCK : SIZE, (off_t)i * SIZE) > 0);
}

static void check_block(struct aiocb *cb, char *buf, int block)
{
	size_t size = block == NR - 1 ? TAIL : SIZE;

	check_equal(outcome(cb), size);
	check_pattern(buf, (size_t)block * SIZE, size);
}

static void read_all(int fd, char *buf)
{
	static struct aiocb cbs[DEPTH_MAX];

	for (int i = 0; i < NR + DEPTH_MAX; i++) {
		struct aiocb *cb = &cbs[i % DEPTH_MAX];
		char *place = buf + (size_t)(i % DEPTH_MAX) * SIZE;

		if (i >= DEPTH_MAX)
			check_block(cb, place, i - DEPTH_MAX);
		if (i >= NR)
			continue;
		memset(place, 0, SIZE);
		submit_read(cb, fd, place, SIZE, (off_t)i * SIZE);
	}
}

static int read_deep(void)
{
	char *buf = direct_buffer(DEPTH_MAX * SIZE);
	int fd = disk_file();

	for (int i = 0; i < ROUNDS; i++) {
		/* It is known as a cached file with many reads under way. */
		warm_up(fd, buf);
		for (int j = 0; j < NR; j++)
			if (is_partly_cached(j))
				check(pread(fd, buf, SIZE, (off_t)j * SIZE) > 0);
		read_all(fd, buf);
		warm_up(fd, buf);
		read_all(fd, buf);
	}
	return 0;
}

TEST_OFFLOAD(test_deep_reads_of_partly_cached_blocks_are_whole, read_deep, 30000)

/* ---- no room ---- */

#define NR_COLD   5
#define COLD_SIZE (4 << 20)

struct queue {
	struct aiocb cold[NR_COLD];
	char *buf;
	int fd, nr;
};

/* The disk has work for a while: with one only, nothing comes behind it. */
static void queue_start(struct queue *queue)
{
	drop_cache(queue->fd);
	for (int i = 0; i < queue->nr; i++)
		submit_read(&queue->cold[i], queue->fd, queue->buf + i * (size_t)COLD_SIZE,
			    COLD_SIZE, i * (off_t)COLD_SIZE);
}

static void queue_open(struct queue *queue, int nr)
{
	/* Read at the first use of AIO, which is still to come in this process. */
	setenv("RTAIO_DEPTH", "1", 1);
	queue->nr = nr;
	queue->buf = direct_buffer(NR_COLD * (size_t)COLD_SIZE);
	queue->fd = direct_file((NR_COLD + 1) * (size_t)COLD_SIZE, 0);
	if (queue->fd < 0) {
		printf("no file here that the page cache can lose");
		_exit(CHILD_SKIPPED);
	}
	check_equal(fcntl(queue->fd, F_SETFL, 0), 0);
	check_equal(fsync(queue->fd), 0);
}

static void queue_finish(struct queue *queue)
{
	for (int i = 0; i < queue->nr; i++) {
		char *buf = queue->buf + i * (size_t)COLD_SIZE;

		check_equal(outcome(&queue->cold[i]), COLD_SIZE);
		check_pattern(buf, i * (size_t)COLD_SIZE, COLD_SIZE);
		memset(buf, 0, COLD_SIZE);
	}
}

/* True if it was cancelled. */
static bool cancel_between_parts(struct queue *queue)
{
	off_t offset = NR_COLD * (off_t)COLD_SIZE;
	char *buf = direct_buffer(SIZE);
	struct aiocb cb;
	int answer;

	queue_start(queue);
	check_equal(pread(queue->fd, buf, BLOCK, offset), BLOCK);
	memset(buf, 0, SIZE);
	submit_read(&cb, queue->fd, buf, SIZE, offset);
	answer = aio_cancel(queue->fd, &cb);
	if (answer == AIO_CANCELED) {
		check_equal(aio_error(&cb), ECANCELED);
		check_equal(aio_return(&cb), -1);
	} else {
		check(answer == AIO_NOTCANCELED || answer == AIO_ALLDONE);
		check_equal(outcome(&cb), SIZE);
		check_pattern(buf, (size_t)offset, SIZE);
	}
	queue_finish(queue);
	free(buf);
	return answer == AIO_CANCELED;
}

static int cancel_partly_cached(void)
{
	static struct queue queue;
	int nr_cancelled = 0;

	queue_open(&queue, NR_COLD);
	for (int i = 0; i < 10; i++)
		nr_cancelled += cancel_between_parts(&queue);
	check(nr_cancelled > 0);
	return 0;
}

TEST_OR_SKIP(test_partly_cached_read_that_waits_is_cancelled, cancel_partly_cached, 40000)

/* ---- what waits for room is cancelled, and the next file is served ---- */

#define NR_WAITING 6

static void cancel_waiting(struct queue *queue, int fd)
{
	static struct aiocb waiting[NR_WAITING], next;
	static char bufs[NR_WAITING + 1][SIZE];
	int other = disk_file();

	queue_start(queue);
	drop_cache(fd);
	drop_cache(other);
	for (int i = 0; i < NR_WAITING; i++)
		submit_read(&waiting[i], fd, bufs[i], SIZE, i * (off_t)SIZE);
	submit_read(&next, other, bufs[NR_WAITING], SIZE, 0);
	check(aio_cancel(fd, NULL) >= 0);
	check_equal(outcome(&next), SIZE);
	check_pattern(bufs[NR_WAITING], 0, SIZE);
	for (int i = 0; i < NR_WAITING; i++) {
		ssize_t res = outcome(&waiting[i]);

		check(res == -ECANCELED || res == SIZE);
	}
	queue_finish(queue);
	close(other);
}

static int cancel_what_waits(void)
{
	static struct queue queue;
	int fd;

	queue_open(&queue, 1);
	fd = disk_file();
	for (int i = 0; i < 20; i++)
		cancel_waiting(&queue, fd);
	return 0;
}

TEST_OR_SKIP(test_file_is_served_when_what_waited_before_it_is_cancelled, cancel_what_waits, 40000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deep_reads_of_partly_cached_blocks_are_whole),
		cmocka_unit_test(test_partly_cached_read_that_waits_is_cancelled),
		cmocka_unit_test(test_file_is_served_when_what_waited_before_it_is_cancelled),
	};

	return cmocka_run_group_tests_name("partly_cached", tests, NULL, NULL);
}
