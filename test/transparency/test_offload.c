// SPDX-License-Identifier: MIT
/*
 * test_offload.c - requests that a worker of the library may serve
 *
 * A library may hand copies to a thread of its own as long as the program has
 * many requests under way.  Whichever thread serves them, the data is right,
 * overlapping requests take effect in the order of the calls, and an fsync waits for
 * earlier requests.
 *
 * test_offload_lone.c has what comes alone, test_offload_close.c and
 * test_offload_life.c what happens between submission and completion,
 * test_offload_counters.c which requests the thread is good for.
 */
#include "offload.h"

#include <sys/mman.h>

/* ---- copies ---- */

/* The file grows at first; no two that are under way touch the same block. */
static void write_blocks(int fd, unsigned int depth)
{
	struct work work;

	work_open(&work, fd, 0, FILE_SIZE, BLOCK, depth);
	for (int round = 0; round < 6; round++) {
		for (size_t i = 0; i < NR_BLOCKS; i++)
			work_write(&work, (round % 2 ? i * 37 % NR_BLOCKS : i) * BLOCK, BLOCK);
		work_check(&work);
	}
	work_close(&work);
	close(fd);
}

static int write_deep(void)
{
	write_blocks(temp_file(0), DEPTH);
	write_blocks(memory_file(), DEPTH);
	write_blocks(temp_file(0), DEPTH_MAX);
	return 0;
}

static void read_blocks(int fd, unsigned int depth)
{
	struct work work;

	work_open_filled(&work, fd, 0, FILE_SIZE, BLOCK, depth);
	for (int round = 0; round < 6; round++)
		for (size_t i = 0; i < NR_BLOCKS; i++)
			work_read(&work, (round % 2 ? i * 37 % NR_BLOCKS : i) * BLOCK, BLOCK);
	work_close(&work);
	close(fd);
}

static int read_deep(void)
{
	read_blocks(temp_file(0), DEPTH);
	read_blocks(memory_file(), DEPTH);
	read_blocks(temp_file(0), DEPTH_MAX);
	return 0;
}

TEST_OFFLOAD(test_deep_writes_are_all_in_the_file, write_deep, 20000)
TEST_OFFLOAD(test_deep_reads_give_the_data_of_the_file, read_deep, 20000)

/* A read that ends there, or begins behind the end, is as short as it would be elsewhere. */
static int read_at_the_end(void)
{
	enum { SIZE = 63 * BLOCK + 100 };
	static struct aiocb cbs[DEPTH];
	int fd = temp_file_filled(SIZE);
	char *buf = direct_buffer(DEPTH * BLOCK);

	for (int i = 0; i < 2000; i++) {
		int place = i % DEPTH, block = i % 65, before = (i + 65 - DEPTH) % 65;
		int left = SIZE - before * BLOCK;

		if (i >= DEPTH) {
			left = left < 0 ? 0 : left < BLOCK ? left : BLOCK;
			check_equal(outcome(&cbs[place]), left);
			check_pattern(buf + place * BLOCK, (size_t)before * BLOCK, (size_t)left);
		}
		submit_read(&cbs[place], fd, buf + place * BLOCK, BLOCK, (off_t)block * BLOCK);
	}
	for (int i = 0; i < DEPTH; i++)
		check(outcome(&cbs[i]) >= 0);
	return 0;
}

TEST_OFFLOAD(test_deep_reads_end_with_the_file, read_at_the_end, 20000)

/*
 * One that is over at the end of the file, after the larger part of it, changes
 * nothing for those that come after it.
 */
static int read_across_the_end(void)
{
	enum { SIZE = 64 * BLOCK, LONG = 16 * BLOCK, LEFT = 60000, LAST = LONG - BLOCK };
	char *buf = direct_buffer(LONG), *block = direct_buffer(BLOCK);
	struct aiocb read_cb, write_cb;

	for (int file = 0; file < 16; file++) {
		int fd = temp_file_filled(SIZE);

		for (int i = 0; i < 300; i++) {
			submit_read(&read_cb, fd, buf, LONG, i == 50 ? SIZE - LEFT : 0);
			memset(block, i, BLOCK);
			submit_write(&write_cb, fd, block, BLOCK, LAST);
			check_equal(outcome(&read_cb), i == 50 ? LEFT : LONG);
			check_equal(outcome(&write_cb), BLOCK);
			if (i > 0 && i != 50)
				check_equal(buf[LONG - 1], (char)(i - 1));
		}
		close(fd);
	}
	return 0;
}

TEST_OFFLOAD(test_deep_read_across_the_end_leaves_the_order_alone, read_across_the_end, 20000)

/* A file that may not be written, and memory that is not there: the error is the request's. */
static int fail_deep(void)
{
	static struct aiocb cbs[DEPTH];
	int fd = temp_file_filled(FILE_SIZE);
	int read_only = reopen(fd, O_RDONLY);
	char *buf = direct_buffer(BLOCK);
	char *nowhere = mmap(NULL, BLOCK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(nowhere != MAP_FAILED);
	for (int i = 0; i < 1000; i++) {
		struct aiocb *cb = &cbs[i % DEPTH];
		off_t offset = (off_t)(i % NR_BLOCKS) * BLOCK;

		if (i >= DEPTH) {
			int before = i - DEPTH;
			ssize_t expected = before % 5 == 0   ? -EBADF
					   : before % 5 == 1 ? -EFAULT
							     : BLOCK;

			check_equal(outcome(cb), expected);
		}
		if (i % 5 == 0)
			submit_write(cb, read_only, buf, BLOCK, offset);
		else if (i % 5 == 1)
			submit_read(cb, fd, nowhere, BLOCK, offset);
		else
			submit_read(cb, fd, buf, BLOCK, offset);
	}
	for (int i = 0; i < DEPTH; i++)
		outcome(&cbs[i]);
	return 0;
}

TEST_OFFLOAD(test_deep_requests_fail_like_others, fail_deep, 20000)

/* ---- what overlaps ---- */

#define NR_PAIRS 3000

/* Each block is read or written twice, the second time right behind the first. */
static void run_pairs(int fd, size_t nr_blocks, bool is_read, bool is_read_behind)
{
	struct work work;

	work_open_filled(&work, fd, 0, (nr_blocks + 1) * BLOCK, 2 * BLOCK, DEPTH);
	for (size_t pair = 0; pair < NR_PAIRS; pair++) {
		size_t offset = pair % nr_blocks * BLOCK;

		work_transfer(&work, is_read, offset, BLOCK);
		/* The same, one block more, and something in between. */
		if (pair % 3 == 0)
			work_transfer(&work, is_read_behind, offset, BLOCK);
		else if (pair % 3 == 1)
			work_transfer(&work, is_read_behind, offset, 2 * BLOCK);
		else
			work_transfer(&work, is_read_behind, offset + 1000, 700);
		/* A read has its own data to tell, two writes only the file. */
		if (!is_read && !is_read_behind && pair % 100 == 99)
			work_check(&work);
	}
	work_close(&work);
	close(fd);
}

static int write_over_writes(void)
{
	run_pairs(temp_file(0), 4, false, false);
	run_pairs(temp_file(0), 64, false, false);
	run_pairs(memory_file(), 4, false, false);
	run_pairs(memory_file(), 64, false, false);
	return 0;
}

static int read_behind_writes(void)
{
	run_pairs(temp_file(0), 64, false, true);
	run_pairs(memory_file(), 64, false, true);
	return 0;
}

static int write_behind_reads(void)
{
	run_pairs(temp_file(0), 64, true, false);
	run_pairs(memory_file(), 64, true, false);
	return 0;
}

TEST_OFFLOAD(test_later_of_two_deep_writes_wins, write_over_writes, 20000)
TEST_OFFLOAD(test_deep_read_sees_the_write_before_it, read_behind_writes, 20000)
TEST_OFFLOAD(test_deep_read_does_not_see_the_write_behind_it, write_behind_reads, 20000)

static int mix_deep(void)
{
	struct work work;
	unsigned int seed = 1;
	int fd = temp_file(0);

	work_open_filled(&work, fd, 0, 200 * BLOCK, 2 * BLOCK, DEPTH);
	for (int i = 0; i < 10000; i++) {
		work_do_any(&work, 200, &seed);
		if (i % 500 == 499)
			work_check(&work);
	}
	work_close(&work);
	return 0;
}

TEST_OFFLOAD(test_deep_reads_and_writes_take_effect_in_order, mix_deep, 20000)

/*
 * What the page cache does not hold is read by somebody else, later, and what
 * overlaps it and was submitted behind it waits for that.
 */
static int write_behind_cold_reads(void)
{
	struct work work;
	int fd = temp_file(0);

	work_open_filled(&work, fd, 0, FILE_SIZE, BLOCK, DEPTH);
	for (size_t round = 0; round < 100; round++) {
		size_t cold = (round * 37 % (NR_BLOCKS - 1) + 1) * BLOCK;

		work_check(&work);
		check_equal(fsync(fd), 0);
		check_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
		/* Most are there: nobody expects the other one not to be. */
		for (int i = 0; i < 2 * DEPTH; i++)
			work_read(&work, 0, BLOCK);
		work_read(&work, cold, BLOCK);
		work_write(&work, cold, BLOCK);
		work_read(&work, cold, BLOCK);
		work_write(&work, cold, BLOCK);
	}
	work_close(&work);
	close(fd);
	return 0;
}

TEST_OFFLOAD(test_deep_writes_wait_for_the_cold_reads_before_them, write_behind_cold_reads, 30000)

/* Records of many sizes, of which some are whole blocks at whole blocks. */
static int append_deep(void)
{
	enum { NR = 2000 };
	static const size_t sizes[] = { BLOCK, 700, BLOCK, 2 * BLOCK - 700, 1, BLOCK - 1 };
	static struct aiocb cbs[NR];
	int fd = temp_file(O_APPEND);
	size_t total = 0, at = 0;
	char *data, *found;

	for (int i = 0; i < NR; i++)
		total += sizes[i % 6];
	data = direct_buffer(total);
	found = direct_buffer(total);
	for (int i = 0; i < NR; i++) {
		size_t size = sizes[i % 6];

		memset(data + at, i % 250 + 1, size);
		/* The offset does not count. */
		submit_write(&cbs[i], fd, data + at, size, (off_t)(NR - i) * BLOCK);
		at += size;
		if (i >= DEPTH)
			check_equal(outcome(&cbs[i - DEPTH]), sizes[(i - DEPTH) % 6]);
	}
	for (int i = NR - DEPTH; i < NR; i++)
		check_equal(outcome(&cbs[i]), sizes[i % 6]);
	check_equal(pread(fd, found, total, 0), total);
	check_memory(found, data, total);
	return 0;
}

TEST_OFFLOAD(test_deep_appends_keep_their_order, append_deep, 20000)

/* ---- waiting for what is deep ---- */

/* Long copies, so that the fsync comes while they are made. */
static void sync_behind_writes(int fd, int nr_rounds)
{
	enum { SIZE = 16 * BLOCK, NR = DEPTH - 1 };
	static struct aiocb cbs[NR], sync;
	char *buf = direct_buffer(NR * SIZE);

	for (int round = 0; round < nr_rounds; round++) {
		for (int i = 0; i < NR; i++)
			submit_write(&cbs[i], fd, buf + i * SIZE, SIZE, (off_t)i * SIZE);
		aiocb_init(&sync, fd, NULL, 0, 0);
		check_equal(aio_fsync(round % 2 ? O_SYNC : O_DSYNC, &sync), 0);
		check_equal(outcome(&sync), 0);
		for (int i = 0; i < NR; i++)
			check_equal(aio_error(&cbs[i]), 0);
		for (int i = 0; i < NR; i++)
			check_equal(aio_return(&cbs[i]), SIZE);
	}
	free(buf);
	close(fd);
}

static int sync_deep(void)
{
	/* What costs next to nothing would overtake most easily. */
	sync_behind_writes(memory_file(), 500);
	sync_behind_writes(temp_file(0), 20);
	return 0;
}

TEST_OFFLOAD(test_fsync_waits_for_the_deep_writes_before_it, sync_deep, 30000)

/* The caller sleeps until the last is complete, whichever thread completes it, and no longer. */
static int suspend_behind_deep(void)
{
	static struct aiocb cbs[DEPTH];
	const struct aiocb *last[] = { &cbs[DEPTH - 1] };
	const struct timespec far_away = { .tv_sec = 3600 };
	char *buf = direct_buffer(DEPTH * BLOCK);
	int fd = temp_file(0);

	for (int round = 0; round < 1000; round++) {
		for (int i = 0; i < DEPTH; i++)
			submit_write(&cbs[i], fd, buf + i * BLOCK, BLOCK, i * BLOCK);
		while (aio_error(last[0]) == EINPROGRESS)
			check_equal(aio_suspend(last, 1, &far_away), 0);
		for (int i = 0; i < DEPTH; i++)
			check_equal(outcome(&cbs[i]), BLOCK);
	}
	return 0;
}

/* The same for whichever is next of many. */
static int suspend_for_any(void)
{
	static struct aiocb cbs[DEPTH];
	const struct aiocb *list[DEPTH];
	const struct timespec far_away = { .tv_sec = 3600 };
	char *buf = direct_buffer(DEPTH * BLOCK);
	int fd = temp_file_filled(FILE_SIZE);

	for (int round = 0; round < 1000; round++) {
		int nr_left = DEPTH;

		for (int i = 0; i < DEPTH; i++) {
			submit_read(&cbs[i], fd, buf + i * BLOCK, BLOCK, i * BLOCK);
			list[i] = &cbs[i];
		}
		while (nr_left > 0) {
			int nr_ended = 0;

			check_equal(aio_suspend(list, DEPTH, &far_away), 0);
			for (int i = 0; i < DEPTH; i++) {
				if (!list[i] || aio_error(list[i]) == EINPROGRESS)
					continue;
				check_equal(aio_return(&cbs[i]), BLOCK);
				list[i] = NULL;
				nr_ended++;
			}
			check(nr_ended > 0);
			nr_left -= nr_ended;
		}
		check_pattern(buf, 0, DEPTH * BLOCK);
		memset(buf, 0, DEPTH * BLOCK);
	}
	return 0;
}

TEST_OFFLOAD(test_suspend_returns_when_the_last_of_many_is_complete, suspend_behind_deep, 30000)
TEST_OFFLOAD(test_suspend_returns_for_each_of_many, suspend_for_any, 30000)

/* A list is over when all are, and overlaps what came before it in order. */
static int list_deep(void)
{
	enum { NR = 8, NR_LISTS = 4 };
	static struct aiocb cbs[NR_LISTS][NR];
	struct aiocb *list[NR];
	char *buf = direct_buffer(NR_LISTS * NR * BLOCK), *found = direct_buffer(NR * BLOCK);
	int fd = temp_file(0);

	for (int round = 0; round < 500; round++) {
		for (int i = 0; i < NR_LISTS * NR; i++) {
			char *block = buf + (size_t)i * BLOCK;

			list[i % NR] = &cbs[i / NR][i % NR];
			memset(block, round * NR_LISTS + i / NR, BLOCK);
			aiocb_init_lio(list[i % NR], LIO_WRITE, fd, block, BLOCK, i % NR * BLOCK);
			if (i % NR < NR - 1)
				continue;
			check_equal(lio_listio(i / NR % 2 ? LIO_WAIT : LIO_NOWAIT, list, NR, NULL),
				    0);
			for (int j = 0; i / NR % 2 && j < NR; j++)
				check_equal(aio_error(list[j]), 0);
		}
		for (int i = 0; i < NR_LISTS * NR; i++)
			check_equal(outcome(&cbs[i / NR][i % NR]), BLOCK);
		check_equal(pread(fd, found, NR * BLOCK, 0), NR * BLOCK);
		check_memory(found, buf + (NR_LISTS - 1) * NR * BLOCK, NR * BLOCK);
	}
	return 0;
}

TEST_OFFLOAD(test_lists_on_the_same_blocks_take_effect_in_order, list_deep, 20000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deep_writes_are_all_in_the_file),
		cmocka_unit_test(test_deep_reads_give_the_data_of_the_file),
		cmocka_unit_test(test_deep_reads_end_with_the_file),
		cmocka_unit_test(test_deep_read_across_the_end_leaves_the_order_alone),
		cmocka_unit_test(test_deep_requests_fail_like_others),
		cmocka_unit_test(test_later_of_two_deep_writes_wins),
		cmocka_unit_test(test_deep_read_sees_the_write_before_it),
		cmocka_unit_test(test_deep_read_does_not_see_the_write_behind_it),
		cmocka_unit_test(test_deep_reads_and_writes_take_effect_in_order),
		cmocka_unit_test(test_deep_writes_wait_for_the_cold_reads_before_them),
		cmocka_unit_test(test_deep_appends_keep_their_order),
		cmocka_unit_test(test_fsync_waits_for_the_deep_writes_before_it),
		cmocka_unit_test(test_suspend_returns_when_the_last_of_many_is_complete),
		cmocka_unit_test(test_suspend_returns_for_each_of_many),
		cmocka_unit_test(test_lists_on_the_same_blocks_take_effect_in_order),
	};

	return cmocka_run_group_tests_name("offload", tests, NULL, NULL);
}
