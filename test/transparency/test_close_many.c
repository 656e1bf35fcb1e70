// SPDX-License-Identifier: MIT
/*
 * test_close_many.c - several descriptors closed at once under deep queues
 *
 * A request that was accepted for a file never reads from or writes to the file that gets
 * its fd next, whichever of the closed fds it is, and whether or not the range
 * has an end.  A request on an fd next to the range goes on, and so does one on
 * an fd that a failed call was to replace.
 */
#include "offload.h"

#define NR_ROUNDS 40
#define NR_DEEP   32
#define NR_QUEUED 8
#define SIZE      (16 * BLOCK)

/* The fds, higher than all others: an empty one, the middle, an empty one, the last. */
static int lowest = 300;
#define FIRST  lowest
#define MIDDLE (lowest + 1)
#define GAP    (lowest + 2)
#define LAST   (lowest + 3)

/* ---- two files with deep queues ---- */

struct deep {
	struct aiocb cbs[NR_DEEP];
	char *buf;
	int fd, kept;
	size_t size; /* of each request */
	bool is_write;
};

static void place_file(int fd, int file)
{
	check_equal(fcntl(file, F_DUPFD, fd), fd);
}

/* Most of these are collected as late as NR_DEEP requests after their submission. */
static void deep_submit(struct deep *deep, int i)
{
	char *buf = deep->buf + (size_t)(i % NR_DEEP) * deep->size;
	off_t offset = (off_t)(i % NR_DEEP) * (off_t)deep->size;
	struct aiocb *cb = &deep->cbs[i % NR_DEEP];

	if (i >= NR_DEEP)
		check_equal(outcome(cb), deep->size);
	if (deep->is_write) {
		memset(buf, 'w', deep->size);
		submit_write(cb, deep->fd, buf, deep->size, offset);
	} else {
		memset(buf, 0, deep->size);
		submit_read(cb, deep->fd, buf, deep->size, offset);
	}
}

static void deep_open(struct deep *deep, int fd, size_t size, bool is_write)
{
	int file = temp_file_filled(NR_DEEP * SIZE);

	deep->kept = reopen(file, O_RDWR);
	place_file(fd, file);
	close(file);
	deep->fd = fd;
	deep->size = size;
	deep->is_write = is_write;
}

/* In step, so that both have as many under way at the end. */
static void deep_run(struct deep *one, struct deep *other)
{
	for (int i = 0; i < 6 * NR_DEEP; i++) {
		deep_submit(one, i);
		deep_submit(other, i);
	}
}

/* Each ends as a whole or cancelled as one; @must_go_on: cancelled by nobody. */
static void deep_check(struct deep *deep, bool must_go_on)
{
	char *found = malloc(deep->size);

	for (int i = 0; i < NR_DEEP; i++) {
		char *buf = deep->buf + (size_t)i * deep->size;
		ssize_t res = outcome(&deep->cbs[i]);

		if (res == -ECANCELED && !must_go_on)
			continue;
		check_equal(res, deep->size);
		if (!deep->is_write) {
			check_pattern(buf, (size_t)i * deep->size, deep->size);
			continue;
		}
		check_equal(pread(deep->kept, found, deep->size, (off_t)(i * deep->size)),
			    deep->size);
		check_memory(found, buf, deep->size);
	}
	close(deep->kept);
	free(found);
}

/* ---- the file that comes next ---- */

static int other_file(void)
{
	char *buf = malloc(NR_DEEP * SIZE);
	int fd = temp_file(0);

	memset(buf, 'o', NR_DEEP * SIZE);
	check_equal(pwrite(fd, buf, NR_DEEP * SIZE, 0), NR_DEEP * SIZE);
	free(buf);
	return fd;
}

static void check_other(int other)
{
	char *found = malloc(NR_DEEP * SIZE);

	check_equal(pread(other, found, NR_DEEP * SIZE, 0), NR_DEEP * SIZE);
	for (size_t i = 0; i < NR_DEEP * SIZE; i++)
		if (found[i] != 'o')
			check_failed("byte %zu of the next file was written", i);
	free(found);
}

static void close_range_if_open(unsigned int first, unsigned int last)
{
	if (close_range(first, last, 0) == 0)
		return;
	check_equal(errno, ENOSYS);
	printf("no close_range here");
	_exit(CHILD_SKIPPED);
}

/* ---- ways to close several ---- */

static void close_up_to_gap(void)
{
	close_range_if_open(FIRST, GAP);
}

static void close_up_to_middle(void)
{
	close_range_if_open(FIRST, MIDDLE);
}

static void close_up_to_last(void)
{
	close_range_if_open(FIRST, LAST);
}

static void close_without_end(void)
{
	close_range_if_open(FIRST, ~0U);
}

static void close_from(void)
{
	closefrom(FIRST);
}

static void close_from_last(void)
{
	close_range_if_open(LAST, ~0U);
}

struct way {
	void (*close)(void);
	bool takes_middle, takes_last;
};

static void close_under(const struct way *way, struct deep *middle, struct deep *last, int other)
{
	way->close();
	if (way->takes_middle)
		place_file(MIDDLE, other);
	if (way->takes_last)
		place_file(LAST, other);
	deep_check(middle, !way->takes_middle);
	deep_check(last, !way->takes_last);
	check_other(other);
	close(MIDDLE);
	close(LAST);
}

static int close_many(const struct way *way, int nr_rounds)
{
	static struct deep middle, last;
	int other = other_file();

	middle.buf = direct_buffer(NR_DEEP * SIZE);
	last.buf = direct_buffer(NR_DEEP * SIZE);
	for (int i = 0; i < nr_rounds; i++) {
		size_t size = i % 4 < 2 ? BLOCK : SIZE;

		deep_open(&middle, MIDDLE, size, i % 2);
		deep_open(&last, LAST, size, i % 2);
		deep_run(&middle, &last);
		close_under(way, &middle, &last, other);
	}
	return 0;
}

/* ---- two pipes with queues ---- */

struct stream {
	struct aiocb cbs[NR_QUEUED];
	char bytes[NR_QUEUED];
	int writer;
};

static void stream_open(struct stream *stream, int fd)
{
	int fds[2];

	open_pipe(fds);
	place_file(fd, fds[0]);
	close(fds[0]);
	stream->writer = fds[1];
	memset(stream->bytes, 0, sizeof(stream->bytes));
	for (int i = 0; i < NR_QUEUED; i++)
		submit_read(&stream->cbs[i], fd, &stream->bytes[i], 1, 0);
	check_equal(aio_error(&stream->cbs[0]), EINPROGRESS);
}

static void stream_check(struct stream *stream, bool must_go_on)
{
	for (int i = 0; i < NR_QUEUED; i++)
		if (write(stream->writer, "s", 1) < 0)
			break;
	for (int i = 0; i < NR_QUEUED; i++) {
		ssize_t res = outcome(&stream->cbs[i]);

		if (res == -ECANCELED && !must_go_on)
			continue;
		check_equal(res, 1);
		check_equal(stream->bytes[i], 's');
	}
	close(stream->writer);
}

static int close_streams(const struct way *way)
{
	static struct stream middle, last;
	int other = other_file();

	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < 5; i++) {
		stream_open(&middle, MIDDLE);
		stream_open(&last, LAST);
		way->close();
		if (way->takes_middle)
			place_file(MIDDLE, other);
		if (way->takes_last)
			place_file(LAST, other);
		stream_check(&middle, !way->takes_middle);
		stream_check(&last, !way->takes_last);
		check_other(other);
		close(MIDDLE);
		close(LAST);
	}
	return 0;
}

static const struct way ways[] = {
	{ close_up_to_gap, true, false },  { close_up_to_last, true, true },
	{ close_without_end, true, true }, { close_from, true, true },
	{ close_from_last, false, true },  { close_up_to_middle, true, false },
};

/* Above those that the library may have for itself. */
static int close_high_range(void)
{
	lowest = 2000;
	if (!allow_descriptors(3000))
		return CHILD_SKIPPED;
	close_many(&ways[1], 4);
	return close_streams(&ways[1]);
}

TEST_OR_SKIP(test_requests_survive_a_range_of_high_descriptors, close_high_range, 60000)

/* More at once than the library remembers. */
static int close_very_many(void)
{
	enum { NR = 1100, LOWEST = 3000 };
	static struct aiocb cbs[NR];
	static char bytes[NR];
	static int writers[NR];
	int other = other_file(), fds[2];
	char byte = 0;

	if (!allow_descriptors(LOWEST + NR))
		return CHILD_SKIPPED;
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < NR; i++) {
		open_pipe(fds);
		place_file(LOWEST + i, fds[0]);
		close(fds[0]);
		writers[i] = fds[1];
		submit_read(&cbs[i], LOWEST + i, &bytes[i], 1, 0);
	}
	close_range_if_open(LOWEST, ~0U);
	for (int i = 0; i < NR; i++)
		place_file(LOWEST + i, other);
	for (int i = 0; i < NR; i++) {
		ssize_t res;

		check(write(writers[i], "s", 1) == 1 || errno == EPIPE);
		res = outcome(&cbs[i]);
		check(res == -ECANCELED || (res == 1 && bytes[i] == 's'));
		check_equal(read_now(LOWEST + i, &byte, 1, 0), 1);
		check_equal(byte, 'o');
	}
	return 0;
}

TEST_OR_SKIP(test_very_many_descriptors_are_closed_at_once, close_very_many, 60000)

#define TEST_WAY(name, index)                                                   \
	static int close_under_deep_##name(void)                                \
	{                                                                       \
		return close_many(&ways[index], NR_ROUNDS);                     \
	}                                                                       \
	static int close_under_streams_##name(void)                             \
	{                                                                       \
		return close_streams(&ways[index]);                             \
	}                                                                       \
	TEST_OFFLOAD(test_deep_requests_##name, close_under_deep_##name, 60000) \
	TEST_OR_SKIP(test_stream_requests_##name, close_under_streams_##name, 30000)

TEST_WAY(survive_a_range_that_ends_between, 0)
TEST_WAY(survive_a_range_that_ends_with_theirs, 1)
TEST_WAY(survive_a_range_without_end, 2)
TEST_WAY(survive_closefrom, 3)
TEST_WAY(survive_a_range_that_begins_with_theirs, 4)
TEST_WAY(survive_a_range_whose_last_they_have, 5)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deep_requests_survive_a_range_that_ends_between),
		cmocka_unit_test(test_deep_requests_survive_a_range_that_ends_with_theirs),
		cmocka_unit_test(test_deep_requests_survive_a_range_without_end),
		cmocka_unit_test(test_deep_requests_survive_closefrom),
		cmocka_unit_test(test_deep_requests_survive_a_range_that_begins_with_theirs),
		cmocka_unit_test(test_deep_requests_survive_a_range_whose_last_they_have),
		cmocka_unit_test(test_stream_requests_survive_a_range_that_ends_between),
		cmocka_unit_test(test_stream_requests_survive_a_range_that_ends_with_theirs),
		cmocka_unit_test(test_stream_requests_survive_a_range_without_end),
		cmocka_unit_test(test_stream_requests_survive_closefrom),
		cmocka_unit_test(test_stream_requests_survive_a_range_that_begins_with_theirs),
		cmocka_unit_test(test_stream_requests_survive_a_range_whose_last_they_have),
		cmocka_unit_test(test_requests_survive_a_range_of_high_descriptors),
		cmocka_unit_test(test_very_many_descriptors_are_closed_at_once),
	};

	return cmocka_run_group_tests_name("close_many", tests, NULL, NULL);
}
