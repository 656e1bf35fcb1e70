// SPDX-License-Identifier: MIT
/*
 * test_cancel_deep.c - aio_cancel() on one of two fds with deep queues
 *
 * Whatever serves them, the requests of the other fd go on, though it may mean
 * the same file, or lie next to the first one.  The answer of the call fits what
 * the program then finds in its blocks, and cancelling one request leaves the
 * others of its fd alone.
 */
#include "offload.h"

#define NR_DEEP   32
#define NR_ROUNDS 40
#define SIZE      (16 * BLOCK)

struct deep {
	struct aiocb cbs[NR_DEEP];
	char *buf;
	int fd;
	size_t size; /* of each request */
	bool is_write;
};

/* The data of a file are the same before and after: a write repeats what is there. */
static void deep_submit(struct deep *deep, int i)
{
	size_t offset = (size_t)(i % NR_DEEP) * deep->size;
	struct aiocb *cb = &deep->cbs[i % NR_DEEP];
	char *buf = deep->buf + offset;

	if (i >= NR_DEEP)
		check_equal(outcome(cb), deep->size);
	if (deep->is_write) {
		submit_write(cb, deep->fd, buf, deep->size, (off_t)offset);
	} else {
		memset(buf, 0, deep->size);
		submit_read(cb, deep->fd, buf, deep->size, (off_t)offset);
	}
}

static void deep_open(struct deep *deep, int fd, size_t size, bool is_write)
{
	deep->fd = fd;
	deep->size = size;
	deep->is_write = is_write;
	pattern_fill(deep->buf, 0, NR_DEEP * size);
}

static void run_both(struct deep *one, struct deep *other)
{
	for (int i = 0; i < 4 * NR_DEEP; i++) {
		deep_submit(one, i);
		deep_submit(other, i);
	}
}

static void check_done(struct deep *deep, int i)
{
	size_t offset = (size_t)i * deep->size;

	check_equal(outcome(&deep->cbs[i]), deep->size);
	check_pattern(deep->buf + offset, offset, deep->size);
}

static void check_all_done(struct deep *deep)
{
	for (int i = 0; i < NR_DEEP; i++)
		check_done(deep, i);
}

/* The state of the blocks when the call has answered. */
static void check_answer(struct deep *deep, int answer)
{
	int nr_pending = 0, nr_cancelled = 0;

	check(answer == AIO_CANCELED || answer == AIO_NOTCANCELED || answer == AIO_ALLDONE);
	for (int i = 0; i < NR_DEEP; i++) {
		int error = aio_error(&deep->cbs[i]);

		nr_pending += error == EINPROGRESS;
		nr_cancelled += error == ECANCELED;
	}
	check(answer == AIO_NOTCANCELED || nr_pending == 0);
	check(answer != AIO_CANCELED || nr_cancelled > 0);
	check(answer != AIO_ALLDONE || nr_cancelled == 0);
	for (int i = 0; i < NR_DEEP; i++)
		if (aio_error(&deep->cbs[i]) == ECANCELED)
			check_equal(aio_return(&deep->cbs[i]), -1);
		else
			check_done(deep, i);
}

/* ---- files ---- */

typedef int open_fn(int fd);

static int open_another(int fd)
{
	(void)fd;
	return temp_file_filled(NR_DEEP * SIZE);
}

static int open_duplicate(int fd)
{
	return dup(fd);
}

static int open_again(int fd)
{
	return reopen(fd, O_RDWR);
}

/* Tables that are found by a part of the fd tend to have a power of two of places. */
static int open_far_away(int fd)
{
	int file = temp_file_filled(NR_DEEP * SIZE);
	int far = fcntl(file, F_DUPFD, fd + 512);

	close(file);
	check_equal(far, fd + 512);
	return far;
}

static void cancel_one_of(int first_fd, int second_fd, size_t size, bool is_write)
{
	static struct deep first, second;
	int answer;

	if (!first.buf) {
		first.buf = direct_buffer(NR_DEEP * SIZE);
		second.buf = direct_buffer(NR_DEEP * SIZE);
	}
	deep_open(&first, first_fd, size, is_write);
	deep_open(&second, second_fd, size, is_write);
	run_both(&first, &second);
	answer = aio_cancel(first_fd, NULL);
	check_answer(&first, answer);
	check_all_done(&second);
}

static int cancel_next_to(open_fn *open_second)
{
	int first = open_another(-1), second = open_second(first);

	for (int i = 0; i < NR_ROUNDS; i++) {
		size_t size = i % 4 < 2 ? BLOCK : SIZE;

		cancel_one_of(first, second, size, i % 2);
		cancel_one_of(second, first, size, i % 2);
	}
	return 0;
}

static int cancel_next_to_another_file(void)
{
	return cancel_next_to(open_another);
}

static int cancel_next_to_a_duplicate(void)
{
	return cancel_next_to(open_duplicate);
}

static int cancel_next_to_the_same_file(void)
{
	return cancel_next_to(open_again);
}

static int cancel_next_to_a_far_fd(void)
{
	return cancel_next_to(open_far_away);
}

static int cancel_past_the_page_cache(void)
{
	int first = direct_file(NR_DEEP * SIZE, 0), second = direct_file(NR_DEEP * SIZE, 0);

	if (first < 0) {
		printf("no O_DIRECT here");
		return CHILD_SKIPPED;
	}
	for (int i = 0; i < NR_ROUNDS / 4; i++)
		cancel_one_of(first, second, SIZE, i % 2);
	return 0;
}

TEST_OFFLOAD(test_cancel_leaves_another_deep_file_alone, cancel_next_to_another_file, 30000)
TEST_OFFLOAD(test_cancel_leaves_a_deep_duplicate_alone, cancel_next_to_a_duplicate, 30000)
TEST_OFFLOAD(test_cancel_leaves_a_second_open_alone, cancel_next_to_the_same_file, 30000)
TEST_OFFLOAD(test_cancel_leaves_a_far_fd_alone, cancel_next_to_a_far_fd, 30000)
TEST_OFFLOAD(test_cancel_leaves_another_direct_file_alone, cancel_past_the_page_cache, 30000)

/*
 * ---- one request of many ----
 *
 * The last one: glibc may forget those behind one that it takes from a queue.
 */

static int cancel_one_request(void)
{
	static struct deep first, second;

	first.buf = direct_buffer(NR_DEEP * SIZE);
	second.buf = direct_buffer(NR_DEEP * SIZE);
	for (int i = 0; i < NR_ROUNDS; i++) {
		int fd = open_another(-1), other = open_another(-1), one = NR_DEEP - 1, answer;

		deep_open(&first, fd, i % 4 < 2 ? BLOCK : SIZE, i % 2);
		deep_open(&second, other, BLOCK, i % 2);
		run_both(&first, &second);
		answer = aio_cancel(fd, &first.cbs[one]);
		if (answer == AIO_CANCELED)
			check_equal(outcome(&first.cbs[one]), -ECANCELED);
		for (int j = 0; j < NR_DEEP; j++)
			if (j != one || answer != AIO_CANCELED)
				check_done(&first, j);
		check_all_done(&second);
		close(fd);
		close(other);
	}
	return 0;
}

TEST_OFFLOAD(test_cancel_of_one_deep_request_leaves_the_others_alone, cancel_one_request, 30000)

/* ---- pipes next to each other ---- */

#define NR_QUEUED 8

struct stream {
	struct aiocb cbs[NR_QUEUED];
	char bytes[NR_QUEUED];
	int fds[2];
};

static void stream_open(struct stream *stream)
{
	open_pipe(stream->fds);
	for (int i = 0; i < NR_QUEUED; i++)
		submit_read(&stream->cbs[i], stream->fds[0], &stream->bytes[i], 1, 0);
	check_equal(aio_error(&stream->cbs[0]), EINPROGRESS);
}

static void stream_check(struct stream *stream)
{
	for (int i = 0; i < NR_QUEUED; i++)
		check_equal(aio_error(&stream->cbs[i]), EINPROGRESS);
	write_fully(stream->fds[1], "abcdefgh", NR_QUEUED);
	for (int i = 0; i < NR_QUEUED; i++)
		check_equal(outcome(&stream->cbs[i]), 1);
	check_memory(stream->bytes, "abcdefgh", NR_QUEUED);
}

/* All that wait behind the first one are cancelled, and the first one if it can be. */
static void stream_check_cancelled(struct stream *stream, int answer)
{
	check(answer == AIO_CANCELED || answer == AIO_NOTCANCELED);
	for (int i = 1; i < NR_QUEUED; i++)
		check_equal(aio_error(&stream->cbs[i]), ECANCELED);
	check_equal(aio_error(&stream->cbs[0]), answer == AIO_CANCELED ? ECANCELED : EINPROGRESS);
	write_fully(stream->fds[1], "x", 1);
	check_equal(outcome(&stream->cbs[0]), answer == AIO_CANCELED ? -ECANCELED : 1);
}

static int cancel_middle_pipe(void)
{
	static struct stream streams[3];

	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 3; i++)
			stream_open(&streams[i]);
		stream_check_cancelled(&streams[1], aio_cancel(streams[1].fds[0], NULL));
		stream_check(&streams[0]);
		stream_check(&streams[2]);
		for (int i = 0; i < 3; i++)
			close_pair(streams[i].fds);
	}
	return 0;
}

TEST_IN_CHILD(test_cancel_leaves_the_pipes_next_to_it_alone, cancel_middle_pipe, 30000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cancel_leaves_another_deep_file_alone),
		cmocka_unit_test(test_cancel_leaves_a_deep_duplicate_alone),
		cmocka_unit_test(test_cancel_leaves_a_second_open_alone),
		cmocka_unit_test(test_cancel_leaves_a_far_fd_alone),
		cmocka_unit_test(test_cancel_leaves_another_direct_file_alone),
		cmocka_unit_test(test_cancel_of_one_deep_request_leaves_the_others_alone),
		cmocka_unit_test(test_cancel_leaves_the_pipes_next_to_it_alone),
	};

	return cmocka_run_group_tests_name("cancel_deep", tests, NULL, NULL);
}
