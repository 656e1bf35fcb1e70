// SPDX-License-Identifier: MIT
/*
 * test_offload_close.c - descriptors that are taken away amid offloaded requests
 *
 * A request that was accepted for a file never reaches the file that gets its descriptor
 * next, whichever thread serves it (test_offload.c).
 */
#include "offload.h"

#include <sys/syscall.h>

/* ---- the descriptor is taken away, and given to another file ---- */

#define TAKE_SIZE (16 * BLOCK)

static void by_close(int fd, int other)
{
	check_equal(close(fd), 0);
	check_equal(fcntl(other, F_DUPFD, fd), fd);
}

static void by_dup2(int fd, int other)
{
	check_equal(dup2(other, fd), fd);
}

typedef void take_fn(int fd, int other);

/* Many on the descriptor, of which the last are under way. */
static void run_deep_on(int fd)
{
	struct work work;

	work_open_filled(&work, fd, 0, 64 * BLOCK, BLOCK, DEPTH);
	for (size_t i = 0; i < 400; i++)
		work_write(&work, i % 64 * BLOCK, BLOCK);
	work_close(&work);
}

static void check_file_is(int fd, int value, off_t offset, size_t size)
{
	char *found = malloc(size);

	check_equal(pread(fd, found, size, offset), size);
	for (size_t i = 0; i < size; i++)
		check_equal(found[i], value);
	free(found);
}

/* Done as a whole, or cancelled as one. */
static bool was_done(struct aiocb *cb, size_t size)
{
	ssize_t res = outcome(cb);

	if (res == -ECANCELED)
		return false;
	check_equal(res, size);
	return true;
}

static void take_from_writes(take_fn *take, int other, char *buf, size_t size)
{
	static struct aiocb cbs[DEPTH];
	int fd = temp_file(0), kept = reopen(fd, O_RDWR);

	run_deep_on(fd);
	memset(buf, 'w', DEPTH * size);
	for (int i = 0; i < DEPTH; i++)
		submit_write(&cbs[i], fd, buf + i * size, size, (off_t)(i * size));
	take(fd, other);
	for (int i = 0; i < DEPTH; i++)
		if (was_done(&cbs[i], size))
			check_file_is(kept, 'w', (off_t)(i * size), size);
	check_file_is(other, 'o', 0, DEPTH * TAKE_SIZE);
	close(fd);
	close(kept);
}

static void take_from_reads(take_fn *take, int other, char *buf, size_t size)
{
	static struct aiocb cbs[DEPTH];
	int fd = temp_file_filled(DEPTH * TAKE_SIZE);

	for (int i = 0; i < 400; i++) {
		char *place = buf + (size_t)(i % DEPTH) * BLOCK;

		if (i >= DEPTH)
			check_equal(outcome(&cbs[i % DEPTH]), BLOCK);
		submit_read(&cbs[i % DEPTH], fd, place, BLOCK, i % 64 * BLOCK);
	}
	for (int i = 0; i < DEPTH; i++)
		check_equal(outcome(&cbs[i]), BLOCK);
	for (int i = 0; i < DEPTH; i++)
		submit_read(&cbs[i], fd, buf + i * size, size, (off_t)(i * size));
	take(fd, other);
	for (int i = 0; i < DEPTH; i++)
		if (was_done(&cbs[i], size))
			check_pattern(buf + i * size, i * size, size);
	close(fd);
}

/* The library is used to a file there; no hook sees what comes in its place. */
static int read_what_became_a_pipe(void)
{
	char *buf = direct_buffer(BLOCK);
	struct aiocb cb;

	for (int round = 0; round < 20; round++) {
		int fd = temp_file(0), ends[2];

		run_deep_on(fd);
		check_equal(pipe(ends), 0);
		check_equal(syscall(SYS_dup3, ends[0], fd, 0), fd);
		submit_read(&cb, fd, buf, BLOCK, 0);
		check_equal(write(ends[1], "a", 1), 1);
		check_equal(outcome(&cb), 1);
		check_equal(buf[0], 'a');
		close(fd);
		close(ends[0]);
		close(ends[1]);
	}
	return 0;
}

TEST_OFFLOAD(test_deep_reads_of_what_became_a_pipe_wait_for_it, read_what_became_a_pipe, 20000)

/* Short copies, of which more may be waiting, and long ones, whose turn comes later. */
static void take_descriptors(take_fn *take)
{
	char *buf = direct_buffer(DEPTH * TAKE_SIZE);
	int other = temp_file(0);

	memset(buf, 'o', DEPTH * TAKE_SIZE);
	check_equal(pwrite(other, buf, DEPTH * TAKE_SIZE, 0), DEPTH * TAKE_SIZE);
	for (int i = 0; i < 40; i++) {
		take_from_writes(take, other, buf, i % 2 ? BLOCK : TAKE_SIZE);
		take_from_reads(take, other, buf, i % 2 ? BLOCK : TAKE_SIZE);
	}
}

static int take_by_close(void)
{
	take_descriptors(by_close);
	return 0;
}

static int take_by_dup2(void)
{
	take_descriptors(by_dup2);
	return 0;
}

TEST_OFFLOAD(test_deep_requests_survive_close, take_by_close, 30000)
TEST_OFFLOAD(test_deep_requests_survive_dup2, take_by_dup2, 30000)

/* A long write, and an fsync, that have just begun. */
static int take_from_lone(void)
{
	char *buf = direct_buffer(LONG_SIZE), *data = direct_buffer(LONG_SIZE);
	int other = temp_file(0);
	struct aiocb cb;

	memset(data, 'o', LONG_SIZE);
	check_equal(pwrite(other, data, LONG_SIZE, 0), LONG_SIZE);
	memset(data, 'w', LONG_SIZE);
	for (int i = 0; i < 60; i++) {
		int fd = temp_file(0), kept = reopen(fd, O_RDWR);
		ssize_t res;

		check_equal(pwrite(fd, data, LONG_SIZE, 0), LONG_SIZE);
		if (i % 3 == 0)
			submit_write(&cb, fd, data, LONG_SIZE, LONG_SIZE);
		else if (i % 3 == 1)
			submit_read(&cb, fd, buf, LONG_SIZE, 0);
		else
			aiocb_init(&cb, fd, NULL, 0, 0);
		if (i % 3 == 2)
			check_equal(aio_fsync(O_DSYNC, &cb), 0);
		(i % 2 ? by_close : by_dup2)(fd, other);
		res = outcome(&cb);
		if (res != -ECANCELED)
			check_equal(res, i % 3 == 2 ? 0 : LONG_SIZE);
		if (res == LONG_SIZE && i % 3 == 0)
			check_file_is(kept, 'w', LONG_SIZE, LONG_SIZE);
		if (res == LONG_SIZE && i % 3 == 1)
			check_memory(buf, data, LONG_SIZE);
		check_file_is(other, 'o', 0, LONG_SIZE);
		close(fd);
		close(kept);
	}
	return 0;
}

TEST_OFFLOAD(test_lone_requests_survive_the_close_of_their_descriptor, take_from_lone, 30000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deep_reads_of_what_became_a_pipe_wait_for_it),
		cmocka_unit_test(test_deep_requests_survive_close),
		cmocka_unit_test(test_deep_requests_survive_dup2),
		cmocka_unit_test(test_lone_requests_survive_the_close_of_their_descriptor),
	};

	return cmocka_run_group_tests_name("offload_close", tests, NULL, NULL);
}
