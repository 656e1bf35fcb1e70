// SPDX-License-Identifier: MIT
/*
 * test_beside.c - requests that a thread beside the program may serve
 *
 * A library may hand copies to a thread of its own as long as the program has
 * many requests under way, and one long transfer or fsync at a time.  Whoever
 * serves them, what overlaps takes effect in the order of the calls, an fsync
 * waits for what came before it, and a close, a fork or a signal between
 * submission and completion changes nothing.
 *
 * Each function runs twice: once with the choice left to the library, and once
 * with RTAIO_TEST_BESIDE, by which rtaio takes every program for a deep one.
 */
#include "transparency.h"

#include <dirent.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>

static int run_forced(void *arg)
{
	int (**function)(void) = arg;

	/* Read at the first use of AIO, which is still to come in this process. */
	setenv("RTAIO_TEST_BESIDE", "1", 1);
	return (*function)();
}

static void check_both_ways(int (*function)(void), const char *name, unsigned int deadline_ms)
{
	support_check_child(in_child(function, deadline_ms), name, __FILE__, __LINE__);
	support_check_child(in_child_with(run_forced, &function, deadline_ms), name, __FILE__,
			    __LINE__);
}

#define TEST_BESIDE(test, function, deadline_ms)                   \
	static void test(void **state)                             \
	{                                                          \
		(void)state;                                       \
		check_both_ways(function, #function, deadline_ms); \
	}

/* ---- a part of a file, requests under way on it, and what must come of them ---- */

#define BLOCK     4096
#define DEPTH     16
#define DEPTH_MAX 32

struct place {
	struct aiocb cb;
	char *buf;
	char *expected; /* by a read */
	size_t size;
	bool is_used, is_read;
};

struct work {
	struct place places[DEPTH_MAX];
	unsigned int depth, nr;
	uint32_t stamp; /* no two writes have the same data */
	int fd;
	off_t begin;
	size_t size;
	char *image; /* what the part will hold when all that is submitted is done */
	char *found;
};

/* The part is from @begin on and empty, or full of zeros; no request is larger than @room. */
static void work_open(struct work *work, int fd, off_t begin, size_t size, size_t room,
		      unsigned int depth)
{
	memset(work, 0, sizeof(*work));
	work->fd = fd;
	work->begin = begin;
	work->size = size;
	work->depth = depth;
	work->image = direct_buffer(size);
	work->found = direct_buffer(size);
	for (unsigned int i = 0; i < depth; i++) {
		work->places[i].buf = direct_buffer(room + BLOCK);
		work->places[i].expected = direct_buffer(room);
	}
}

/* The same with data in the part, in the page cache. */
static void work_open_filled(struct work *work, int fd, off_t begin, size_t size, size_t room,
			     unsigned int depth)
{
	work_open(work, fd, begin, size, room, depth);
	pattern_fill(work->image, (size_t)begin, size);
	check_equal(pwrite(fd, work->image, size, begin), size);
}

static void work_collect(struct place *place)
{
	if (!place->is_used)
		return;
	check_equal(outcome(&place->cb), place->size);
	if (place->is_read)
		check_memory((char *)place->cb.aio_buf, place->expected, place->size);
	place->is_used = false;
}

/* The place of the oldest request, which is collected as late as that. */
static struct place *work_next(struct work *work, size_t size, bool is_read)
{
	struct place *place = &work->places[work->nr++ % work->depth];

	work_collect(place);
	place->size = size;
	place->is_read = is_read;
	place->is_used = true;
	return place;
}

static void work_stamp(struct work *work, char *buf, size_t size)
{
	uint32_t stamp = ++work->stamp;

	memset(buf, (int)(stamp % 251) + 1, size);
	memcpy(buf, &stamp, size < sizeof(stamp) ? size : sizeof(stamp));
}

/* @skew bytes into a page of memory. */
static void work_write_from(struct work *work, size_t offset, size_t size, size_t skew)
{
	struct place *place = work_next(work, size, false);
	char *buf = place->buf + skew;

	work_stamp(work, buf, size);
	memcpy(work->image + offset, buf, size);
	submit_write(&place->cb, work->fd, buf, size, work->begin + (off_t)offset);
}

static void work_read_to(struct work *work, size_t offset, size_t size, size_t skew)
{
	struct place *place = work_next(work, size, true);
	char *buf = place->buf + skew;

	memset(buf, 0, size);
	memcpy(place->expected, work->image + offset, size);
	submit_read(&place->cb, work->fd, buf, size, work->begin + (off_t)offset);
}

static void work_write(struct work *work, size_t offset, size_t size)
{
	work_write_from(work, offset, size, 0);
}

static void work_read(struct work *work, size_t offset, size_t size)
{
	work_read_to(work, offset, size, 0);
}

/* All end, and the part of the file holds what was written last. */
static void work_check(struct work *work)
{
	for (unsigned int i = 0; i < work->depth; i++)
		work_collect(&work->places[i]);
	check_equal(pread(work->fd, work->found, work->size, work->begin), work->size);
	check_memory(work->found, work->image, work->size);
}

static void work_close(struct work *work)
{
	work_check(work);
	for (unsigned int i = 0; i < work->depth; i++) {
		free(work->places[i].buf);
		free(work->places[i].expected);
	}
	free(work->image);
	free(work->found);
}

static int memory_file(void)
{
	int fd = memfd_create("test_beside", MFD_CLOEXEC);

	check(fd >= 0);
	return fd;
}

/* ---- copies ---- */

#define NR_BLOCKS 512
#define FILE_SIZE (NR_BLOCKS * BLOCK)

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

TEST_BESIDE(test_deep_writes_are_all_in_the_file, write_deep, 20000)
TEST_BESIDE(test_deep_reads_give_the_data_of_the_file, read_deep, 20000)

/* What ends there, or begins behind the end, is as short as it would be elsewhere. */
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

TEST_BESIDE(test_deep_reads_end_with_the_file, read_at_the_end, 20000)

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

TEST_BESIDE(test_deep_requests_fail_like_others, fail_deep, 20000)

/* ---- what overlaps ---- */

#define NR_PAIRS 3000

/* Blocks are written twice, the second time right behind the first. */
static int write_over_writes(void)
{
	static const size_t few[] = { 4, 64 };
	struct work work;

	for (int i = 0; i < 4; i++) {
		size_t nr = few[i % 2];
		int fd = i < 2 ? temp_file(0) : memory_file();

		work_open_filled(&work, fd, 0, (nr + 1) * BLOCK, 2 * BLOCK, DEPTH);
		for (size_t pair = 0; pair < NR_PAIRS; pair++) {
			size_t offset = pair % nr * BLOCK;

			work_write(&work, offset, BLOCK);
			/* The same, one block more, and something in between. */
			if (pair % 3 == 0)
				work_write(&work, offset, BLOCK);
			else if (pair % 3 == 1)
				work_write(&work, offset, 2 * BLOCK);
			else
				work_write(&work, offset + 1000, 700);
			if (pair % 100 == 99)
				work_check(&work);
		}
		work_close(&work);
		close(fd);
	}
	return 0;
}

static int read_behind_writes(void)
{
	struct work work;

	for (int i = 0; i < 2; i++) {
		int fd = i ? memory_file() : temp_file(0);

		work_open_filled(&work, fd, 0, 65 * BLOCK, 2 * BLOCK, DEPTH);
		for (size_t pair = 0; pair < NR_PAIRS; pair++) {
			size_t offset = pair % 64 * BLOCK;

			work_write(&work, offset, BLOCK);
			if (pair % 3 == 0)
				work_read(&work, offset, BLOCK);
			else if (pair % 3 == 1)
				work_read(&work, offset, 2 * BLOCK);
			else
				work_read(&work, offset + 1000, 700);
		}
		work_close(&work);
		close(fd);
	}
	return 0;
}

static int write_behind_reads(void)
{
	struct work work;

	for (int i = 0; i < 2; i++) {
		int fd = i ? memory_file() : temp_file(0);

		work_open_filled(&work, fd, 0, 65 * BLOCK, 2 * BLOCK, DEPTH);
		for (size_t pair = 0; pair < NR_PAIRS; pair++) {
			size_t offset = pair % 64 * BLOCK;

			work_read(&work, offset, BLOCK);
			if (pair % 3 == 0)
				work_write(&work, offset, BLOCK);
			else if (pair % 3 == 1)
				work_write(&work, offset, 2 * BLOCK);
			else
				work_write(&work, offset + 1000, 700);
		}
		work_close(&work);
		close(fd);
	}
	return 0;
}

TEST_BESIDE(test_later_of_two_deep_writes_wins, write_over_writes, 20000)
TEST_BESIDE(test_deep_read_sees_the_write_before_it, read_behind_writes, 20000)
TEST_BESIDE(test_deep_read_does_not_see_the_write_behind_it, write_behind_reads, 20000)

/* One block, two, or something in between, read or written, anywhere. */
static void work_do_any(struct work *work, size_t nr_blocks, unsigned int *seed)
{
	unsigned int number = (unsigned int)rand_r(seed);
	size_t block = number / 64 % nr_blocks, size = BLOCK;
	size_t offset = block * BLOCK;

	if (number / 2 % 4 == 0 && block + 1 < nr_blocks)
		size = 2 * BLOCK;
	if (number / 2 % 16 == 1) {
		offset += 512;
		size = 1000;
	}
	if (number % 2)
		work_write(work, offset, size);
	else
		work_read(work, offset, size);
}

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

TEST_BESIDE(test_deep_reads_and_writes_take_effect_in_order, mix_deep, 20000)

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

TEST_BESIDE(test_deep_appends_keep_their_order, append_deep, 20000)

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

TEST_BESIDE(test_fsync_waits_for_the_deep_writes_before_it, sync_deep, 30000)

/* The caller sleeps until the last is complete, whoever completes it, and no longer. */
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

TEST_BESIDE(test_suspend_returns_when_the_last_of_many_is_complete, suspend_behind_deep, 30000)
TEST_BESIDE(test_suspend_returns_for_each_of_many, suspend_for_any, 30000)

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

TEST_BESIDE(test_lists_on_the_same_blocks_take_effect_in_order, list_deep, 20000)

/* ---- one at a time ---- */

/* Whatever aio_cancel says, the end of the request agrees; returns its result. */
static ssize_t cancel_consistently(int fd, struct aiocb *one, struct aiocb *cb)
{
	int answer = aio_cancel(fd, one), error = aio_error(cb);
	ssize_t res = outcome(cb);

	switch (answer) {
	case AIO_CANCELED:
		check_equal(error, ECANCELED);
		check_equal(res, -ECANCELED);
		break;
	case AIO_ALLDONE:
		check_equal(error, 0);
		check(res >= 0);
		break;
	default:
		check_equal(answer, AIO_NOTCANCELED);
		check(res >= 0);
	}
	return res;
}

static int sync_alone(void)
{
	int fd = temp_file(0);
	char byte = 'x';
	struct aiocb cb;

	for (int i = 0; i < 100; i++) {
		submit_write(&cb, fd, &byte, 1, i);
		check_equal(outcome(&cb), 1);
		aiocb_init(&cb, fd, NULL, 0, 0);
		check_equal(aio_fsync(i % 2 ? O_SYNC : O_DSYNC, &cb), 0);
		if (i / 2 % 3 == 0)
			check_equal(outcome(&cb), 0);
		else
			check(cancel_consistently(fd, i / 2 % 3 == 1 ? &cb : NULL, &cb) <= 0);
	}
	return 0;
}

#define LONG_SIZE (1 << 20)

/* What is said to be cancelled has no effect, neither now nor later. */
static int cancel_alone(void)
{
	char *buf = direct_buffer(LONG_SIZE), *found = direct_buffer(LONG_SIZE);
	char *before = direct_buffer(LONG_SIZE);
	int fd = temp_file(0);
	struct aiocb cb;

	check_equal(pwrite(fd, before, LONG_SIZE, 0), LONG_SIZE);
	for (int i = 0; i < 200; i++) {
		memset(buf, i + 1, LONG_SIZE);
		submit_write(&cb, fd, buf, LONG_SIZE, 0);
		if (cancel_consistently(fd, i % 2 ? &cb : NULL, &cb) == LONG_SIZE)
			memcpy(before, buf, LONG_SIZE);
		check_equal(pread(fd, found, LONG_SIZE, 0), LONG_SIZE);
		check_memory(found, before, LONG_SIZE);
	}
	return 0;
}

TEST_BESIDE(test_lone_fsync_succeeds_or_is_cancelled, sync_alone, 30000)
TEST_BESIDE(test_cancel_of_a_lone_write_is_consistent, cancel_alone, 30000)

static void transfer_long(int fd, unsigned int depth)
{
	enum { NR = 8 };
	struct work work;
	unsigned int seed = depth;

	work_open_filled(&work, fd, 0, NR * LONG_SIZE, LONG_SIZE, depth);
	for (int i = 0; i < 100; i++) {
		size_t offset = (size_t)rand_r(&seed) % (NR - 1) * LONG_SIZE;
		size_t size = LONG_SIZE, skew = 0;

		if (i / 2 % 3 == 1) {
			size -= 777;
			offset += 333;
			skew = 13;
		} else if (i / 2 % 3 == 2) {
			offset += LONG_SIZE / 2; /* as much of the next */
		}
		if (i % 2)
			work_read_to(&work, offset, size, skew);
		else
			work_write_from(&work, offset, size, skew);
	}
	work_close(&work);
	close(fd);
}

static int transfer_one_by_one(void)
{
	transfer_long(temp_file(0), 1);
	transfer_long(memory_file(), 1);
	return 0;
}

static int transfer_at_once(void)
{
	transfer_long(temp_file(0), 4);
	transfer_long(memory_file(), 4);
	return 0;
}

/* Behind each long one the short ones of the same and of other blocks. */
static int copy_behind_long(void)
{
	struct work work;
	int fd = temp_file(0);

	work_open_filled(&work, fd, 0, 2 * LONG_SIZE, LONG_SIZE, DEPTH);
	for (size_t i = 0; i < 100; i++) {
		work_write(&work, 0, LONG_SIZE);
		for (size_t j = 0; j < 6; j++) {
			work_read(&work, i * 3 % 200 * BLOCK, BLOCK);
			work_write(&work, (100 + i + j) * BLOCK, BLOCK);
		}
		work_read(&work, LONG_SIZE / 2, LONG_SIZE);
		work_write(&work, (200 + i) * BLOCK, BLOCK);
	}
	work_close(&work);
	return 0;
}

TEST_BESIDE(test_long_transfers_one_by_one_have_the_right_data, transfer_one_by_one, 20000)
TEST_BESIDE(test_long_transfers_at_once_have_the_right_data, transfer_at_once, 20000)
TEST_BESIDE(test_copies_and_long_transfers_take_effect_in_order, copy_behind_long, 20000)

/* ---- the number is taken away, and given to another file ---- */

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

/* Many on the number, of which the last are under way. */
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

static void take_from_writes(take_fn *take, int other, char *buf, size_t size)
{
	static struct aiocb cbs[DEPTH];
	int fd = temp_file(0), kept = reopen(fd, O_RDWR);

	run_deep_on(fd);
	memset(buf, 'w', DEPTH * size);
	for (int i = 0; i < DEPTH; i++)
		submit_write(&cbs[i], fd, buf + i * size, size, (off_t)(i * size));
	take(fd, other);
	for (int i = 0; i < DEPTH; i++) {
		ssize_t res = outcome(&cbs[i]);

		if (res == -ECANCELED)
			continue;
		check_equal(res, size);
		check_file_is(kept, 'w', (off_t)(i * size), size);
	}
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
	for (int i = 0; i < DEPTH; i++) {
		ssize_t res = outcome(&cbs[i]);

		if (res == -ECANCELED)
			continue;
		check_equal(res, size);
		check_pattern(buf + i * size, i * size, size);
	}
	close(fd);
}

/* Short copies, of which more may be waiting, and long ones, whose turn comes later. */
static int take_numbers(void *arg, bool is_forced)
{
	take_fn *take = (take_fn *)arg;
	char *buf = direct_buffer(DEPTH * TAKE_SIZE);
	int other = temp_file(0);

	if (is_forced)
		setenv("RTAIO_TEST_BESIDE", "1", 1);
	memset(buf, 'o', DEPTH * TAKE_SIZE);
	check_equal(pwrite(other, buf, DEPTH * TAKE_SIZE, 0), DEPTH * TAKE_SIZE);
	for (int i = 0; i < 40; i++) {
		take_from_writes(take, other, buf, i % 2 ? BLOCK : TAKE_SIZE);
		take_from_reads(take, other, buf, i % 2 ? BLOCK : TAKE_SIZE);
	}
	return 0;
}

static int take_as_it_comes(void *take)
{
	return take_numbers(take, false);
}

static int take_forced(void *take)
{
	return take_numbers(take, true);
}

#define TEST_TAKE(name)                                                                            \
	static void test_deep_requests_survive_##name(void **state)                                \
	{                                                                                          \
		(void)state;                                                                       \
		support_check_child(in_child_with(take_as_it_comes, (void *)(by_##name), 30000),   \
				    #name, __FILE__, __LINE__);                                    \
		support_check_child(in_child_with(take_forced, (void *)(by_##name), 30000), #name, \
				    __FILE__, __LINE__);                                           \
	}

TEST_TAKE(close)
TEST_TAKE(dup2)

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

TEST_BESIDE(test_lone_requests_survive_the_close_of_their_number, take_from_lone, 30000)

/* ---- a copy that does not come to its end ---- */

#define NR_BEHIND 4

/* Whoever copies to @page waits until it is let go; a read, since a write would lock its file. */
struct stall {
	struct aiocb first, behind[NR_BEHIND];
	int faults;
	char *page, *buf, *found;
	int fd, other;
};

static bool stall_open(struct stall *stall)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	stall->faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (stall->faults < 0)
		return false;
	stall->page = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(stall->page != MAP_FAILED);
	range.range.start = (uintptr_t)stall->page;
	range.range.len = BLOCK;
	return ioctl(stall->faults, UFFDIO_API, &api) == 0 &&
	       ioctl(stall->faults, UFFDIO_REGISTER, &range) == 0;
}

static void stall_let_go(struct stall *stall)
{
	struct uffdio_copy copy = {
		.dst = (uintptr_t)stall->page,
		.src = (uintptr_t)stall->buf,
		.len = BLOCK,
	};

	check_equal(ioctl(stall->faults, UFFDIO_COPY, &copy), 0);
}

static void stall_close(struct stall *stall)
{
	munmap(stall->page, BLOCK);
	close(stall->faults);
}

/* Has every other thread of the process come to where it waits for something? */
static bool nobody_else_runs(void)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *entry;
	bool is_still = true;

	while ((entry = readdir(tasks))) {
		char path[300], state = '?';
		FILE *file;

		if (atoi(entry->d_name) <= 0 || atoi(entry->d_name) == gettid())
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%s/stat", entry->d_name);
		file = fopen(path, "r");
		if (file && fscanf(file, "%*d (%*[^)]) %c", &state) == 1 && state == 'R')
			is_still = false;
		if (file)
			fclose(file);
	}
	closedir(tasks);
	return is_still;
}

/* Not in the thread that submitted the first: its call may be what waits. */
static void *take_behind_first(void *arg)
{
	struct stall *stall = arg;
	struct uffd_msg message;

	eventually(read(stall->faults, &message, sizeof(message)) == sizeof(message));
	for (int i = 0; i < NR_BEHIND; i++)
		submit_write(&stall->behind[i], stall->fd, stall->buf, BLOCK, (i + 1) * BLOCK);
	/* No library sees this. */
	eventually(nobody_else_runs());
	check_equal(syscall(SYS_dup3, stall->other, stall->fd, 0), stall->fd);
	stall_let_go(stall);
	return NULL;
}

static void check_written(struct aiocb *cb, int kept, off_t offset)
{
	ssize_t res = outcome(cb);

	if (res == -ECANCELED)
		return;
	check_equal(res, BLOCK);
	check_file_is(kept, 'w', offset, BLOCK);
}

static int take_unseen(void)
{
	static struct stall stall;
	int kept;

	stall.buf = direct_buffer(BLOCK);
	stall.found = direct_buffer(BLOCK);
	stall.other = memory_file();
	memset(stall.buf, 'o', BLOCK);
	for (int i = 0; i <= NR_BEHIND; i++)
		check_equal(pwrite(stall.other, stall.buf, BLOCK, i * BLOCK), BLOCK);
	memset(stall.buf, 'w', BLOCK);
	for (int round = 0; round < 20; round++) {
		pthread_t thread;

		stall.fd = memory_file();
		kept = reopen(stall.fd, O_RDWR);
		run_deep_on(stall.fd);
		if (!stall_open(&stall)) {
			printf("no userfaultfd for accesses by the kernel");
			return CHILD_SKIPPED;
		}
		thread = start_thread(take_behind_first, &stall);
		submit_read(&stall.first, stall.fd, stall.page, BLOCK, 0);
		join_thread(thread);
		check_equal(outcome(&stall.first), BLOCK);
		check_equal(pread(kept, stall.found, BLOCK, 0), BLOCK);
		check_memory(stall.page, stall.found, BLOCK);
		for (int i = 0; i < NR_BEHIND; i++)
			check_written(&stall.behind[i], kept, (i + 1) * BLOCK);
		check_file_is(stall.other, 'o', 0, (NR_BEHIND + 1) * BLOCK);
		stall_close(&stall);
		close(stall.fd);
		close(kept);
	}
	return 0;
}

static int take_unseen_forced(void)
{
	setenv("RTAIO_TEST_BESIDE", "1", 1);
	return take_unseen();
}

static void test_copies_survive_a_close_that_nobody_sees(void **state)
{
	(void)state;
	check_or_skip_in_child(take_unseen, 20000);
	check_or_skip_in_child(take_unseen_forced, 20000);
}

/* ---- fork ---- */

static struct work forked_work;

static void use_deep(int fd)
{
	struct work work;
	unsigned int seed = 3;

	work_open_filled(&work, fd, 0, 64 * BLOCK, 2 * BLOCK, DEPTH);
	for (int i = 0; i < 500; i++)
		work_do_any(&work, 64, &seed);
	work_close(&work);
}

/* The parent goes on in the middle of its requests; the child is given a function. */
static void fork_amid_deep(void (*in_child_of_fork)(void), int nr_children)
{
	int fd = temp_file(0);

	/* So that the parent has threads that are idle, too. */
	use_aio_briefly();
	work_open_filled(&forked_work, fd, 0, FILE_SIZE, BLOCK, DEPTH);
	for (int round = 0; round < nr_children; round++) {
		pid_t pid;

		for (size_t i = 0; i < 200; i++) {
			work_write(&forked_work, i * 2 * BLOCK, BLOCK);
			work_read(&forked_work, (i * 2 + 1) * BLOCK, BLOCK);
		}
		pid = fork();
		if (pid == 0) {
			in_child_of_fork();
			_exit(0);
		}
		for (size_t i = 0; i < 100; i++)
			work_write(&forked_work, i * 2 * BLOCK, BLOCK);
		work_check(&forked_work);
		check_child(pid);
	}
	work_close(&forked_work);
}

static void do_nothing(void)
{
}

static void use_aio_in_child(void)
{
	use_deep(temp_file(0));
	use_aio();
}

static int fork_without_use(void)
{
	fork_amid_deep(do_nothing, 20);
	return 0;
}

static int fork_with_use(void)
{
	fork_amid_deep(use_aio_in_child, 10);
	return 0;
}

TEST_BESIDE(test_deep_requests_survive_fork, fork_without_use, 20000)
TEST_BESIDE(test_child_of_fork_amid_deep_requests_is_deep_anew, fork_with_use, 20000)

/* ---- threads ---- */

#define NR_THREADS 4
#define PART_SIZE  (64 * BLOCK)

struct share {
	pthread_t thread;
	int shared_fd, number;
};

/* Each has a file of its own and a part of one that they share. */
static void *be_deep(void *arg)
{
	struct share *share = arg;
	unsigned int seed = (unsigned int)share->number;
	struct work own, shared;
	int fd = temp_file(0);

	work_open_filled(&own, fd, 0, PART_SIZE, 2 * BLOCK, DEPTH);
	work_open_filled(&shared, share->shared_fd, (off_t)share->number * PART_SIZE, PART_SIZE,
			 2 * BLOCK, DEPTH);
	for (int i = 0; i < 2000; i++) {
		work_do_any(&own, PART_SIZE / BLOCK, &seed);
		work_do_any(&shared, PART_SIZE / BLOCK, &seed);
		if (i % 500 == 499)
			work_check(&shared);
	}
	work_close(&own);
	work_close(&shared);
	close(fd);
	return NULL;
}

static int run_threads(void)
{
	struct share shares[NR_THREADS];
	int fd = temp_file(0);

	for (int i = 0; i < NR_THREADS; i++) {
		shares[i].shared_fd = fd;
		shares[i].number = i;
		shares[i].thread = start_thread(be_deep, &shares[i]);
	}
	for (int i = 0; i < NR_THREADS; i++)
		join_thread(shares[i].thread);
	return 0;
}

TEST_BESIDE(test_deep_threads_do_not_disturb_each_other, run_threads, 30000)

/* Submitted by one thread, waited for and collected by another. */
struct relay {
	struct aiocb cbs[DEPTH];
	char *buf;
	int fd;
	sem_t free, full;
};

#define NR_RELAYED 3000

static void *collect_relayed(void *arg)
{
	struct relay *relay = arg;

	for (int i = 0; i < NR_RELAYED; i++) {
		await_semaphore(&relay->full);
		check_equal(outcome(&relay->cbs[i % DEPTH]), BLOCK);
		check_pattern(relay->buf + i % DEPTH * BLOCK, (size_t)(i % 64) * BLOCK, BLOCK);
		sem_post(&relay->free);
	}
	return NULL;
}

static int relay_deep(void)
{
	static struct relay relay;
	pthread_t thread;

	relay.fd = temp_file_filled(64 * BLOCK);
	relay.buf = direct_buffer(DEPTH * BLOCK);
	sem_init(&relay.free, 0, DEPTH);
	sem_init(&relay.full, 0, 0);
	thread = start_thread(collect_relayed, &relay);
	for (int i = 0; i < NR_RELAYED; i++) {
		char *place = relay.buf + i % DEPTH * BLOCK;

		await_semaphore(&relay.free);
		memset(place, 0, BLOCK);
		submit_read(&relay.cbs[i % DEPTH], relay.fd, place, BLOCK, i % 64 * BLOCK);
		sem_post(&relay.full);
	}
	join_thread(thread);
	return 0;
}

TEST_BESIDE(test_deep_requests_may_be_collected_by_another_thread, relay_deep, 30000)

/* ---- handlers ---- */

#define NR_HANDLED 500
#define STORM_SIZE (64 * BLOCK)

static volatile sig_atomic_t nr_handled;
static int storm_fd;
static char *storm_buf;

/* Rings once: the program moves on between two signals however slow the machine is. */
static void wind_timer(int usec)
{
	struct itimerval timer = { .it_value = { 0, usec } };

	check_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

/* On a block of its own, but for the fsync, which waits for what was submitted before. */
static void use_in_handler(int signo)
{
	static struct aiocb cb;
	int error = errno, value = nr_handled / 3 % 100 + 1;

	(void)signo;
	if (nr_handled % 3 == 0) {
		memset(storm_buf, value, BLOCK);
		submit_write(&cb, storm_fd, storm_buf, BLOCK, STORM_SIZE);
		check_equal(outcome(&cb), BLOCK);
	} else if (nr_handled % 3 == 1) {
		submit_read(&cb, storm_fd, storm_buf + BLOCK, BLOCK, STORM_SIZE);
		check_equal(outcome(&cb), BLOCK);
		check_memory(storm_buf, storm_buf + BLOCK, BLOCK);
	} else {
		aiocb_init(&cb, storm_fd, NULL, 0, 0);
		check_equal(aio_fsync(O_DSYNC, &cb), 0);
		check_equal(outcome(&cb), 0);
	}
	nr_handled = nr_handled + 1;
	if (nr_handled < NR_HANDLED)
		wind_timer(50);
	errno = error;
}

static int be_deep_in_storm(void)
{
	uint64_t until = now_ns() + (uint64_t)default_deadline_ms() * 1000000;
	struct work work;

	storm_fd = memory_file();
	storm_buf = direct_buffer(2 * BLOCK);
	work_open_filled(&work, storm_fd, 0, STORM_SIZE, BLOCK, DEPTH);
	handle_signal(SIGALRM, use_in_handler, SA_RESTART);
	wind_timer(50);
	for (size_t i = 0; nr_handled < NR_HANDLED; i++) {
		if (i % 2)
			work_write(&work, i % 64 * BLOCK, BLOCK);
		else
			work_read(&work, i % 64 * BLOCK, BLOCK);
		check(now_ns() < until);
	}
	work_close(&work);
	check_equal(pread(storm_fd, storm_buf + BLOCK, BLOCK, STORM_SIZE), BLOCK);
	check_memory(storm_buf, storm_buf + BLOCK, BLOCK);
	return 0;
}

TEST_BESIDE(test_handler_may_use_aio_amid_deep_submissions, be_deep_in_storm, 30000)

/* ---- who did it ---- */

/*
 * A program of its own does one thing often, and the counters that rtaio leaves
 * at its end are looked at.  On a file in memory nothing depends on the disk.
 */

static void copy_deep(bool is_read, unsigned int depth)
{
	struct work work;

	work_open_filled(&work, memory_file(), 0, FILE_SIZE, BLOCK, depth);
	for (size_t i = 0; i < 3000; i++) {
		if (is_read)
			work_read(&work, i % NR_BLOCKS * BLOCK, BLOCK);
		else
			work_write(&work, i % NR_BLOCKS * BLOCK, BLOCK);
	}
	work_close(&work);
}

static void transfer_alone(bool is_read)
{
	struct work work;

	work_open_filled(&work, memory_file(), 0, LONG_SIZE, LONG_SIZE, 1);
	for (int i = 0; i < 50; i++) {
		if (is_read)
			work_read(&work, 0, LONG_SIZE);
		else
			work_write(&work, 0, LONG_SIZE);
	}
	work_close(&work);
}

static void sync_often(void)
{
	int fd = memory_file();
	struct aiocb cb;

	for (int i = 0; i < 50; i++) {
		aiocb_init(&cb, fd, NULL, 0, 0);
		check_equal(aio_fsync(O_SYNC, &cb), 0);
		check_equal(outcome(&cb), 0);
	}
}

static int play_role(const char *role)
{
	/* A failed check ends the program, and nobody else. */
	support_is_child = true;
	if (!strcmp(role, "writes"))
		copy_deep(false, DEPTH);
	else if (!strcmp(role, "reads"))
		copy_deep(true, DEPTH);
	else if (!strcmp(role, "waits")) {
		copy_deep(false, 1);
		copy_deep(true, 1);
	} else if (!strcmp(role, "long-writes"))
		transfer_alone(false);
	else if (!strcmp(role, "long-reads"))
		transfer_alone(true);
	else if (!strcmp(role, "syncs"))
		sync_often();
	else
		return 1;
	return 0;
}

struct play {
	const char *role, *counters;
	bool is_forced;
};

static int run_role(void *arg)
{
	struct play *play = arg;

	setenv("RTAIO_STATS", play->counters, 1);
	setenv("RTAIO_INLINE", "1", 1);
	setenv("RTAIO_BESIDE", "1", 1);
	setenv("RTAIO_TEST_BESIDE", play->is_forced ? "1" : "0", 1);
	execl("/proc/self/exe", "test_beside", "--role", play->role, NULL);
	return 1;
}

/* The counter at the end of the program with this role; -1 if none were left. */
static long count_in_role(const char *role, bool is_forced, const char *counter)
{
	struct play play = { .role = role, .is_forced = is_forced };
	char path[PATH_MAX], line[256], name[64];
	long value, found = -1;
	FILE *file;

	snprintf(path, sizeof(path), "%s", temp_path("counters"));
	play.counters = path;
	unlink(path);
	support_check_child(in_child_with(run_role, &play, 20000), role, __FILE__, __LINE__);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "rtaio: %63s %ld", name, &value) == 2 && !strcmp(name, counter))
			found = value;
	if (file)
		fclose(file);
	unlink(path);
	return found;
}

/* In some run; in one the machine may have no processor for it at the time. */
static void check_goes_beside(const char *role, bool is_forced, const char *counter)
{
	long count = count_in_role(role, is_forced, counter);

	if (count < 0)
		skip_because("nothing counts requests here");
	eventually(count > 0 || (count = count_in_role(role, is_forced, counter)) > 0);
}

static void test_deep_copies_go_beside(void **state)
{
	(void)state;
	check_goes_beside("writes", false, "beside_writes");
	check_goes_beside("reads", false, "beside_reads");
	check_goes_beside("writes", true, "beside_writes");
	check_goes_beside("reads", true, "beside_reads");
}

static void test_lone_long_transfers_go_beside(void **state)
{
	(void)state;
	check_goes_beside("long-writes", false, "beside_writes");
	check_goes_beside("long-reads", false, "beside_reads");
}

static void test_lone_syncs_go_beside(void **state)
{
	(void)state;
	check_goes_beside("syncs", false, "beside_syncs");
}

/* The caller would wait for the other thread. */
static void test_copies_that_are_waited_for_do_not_go_beside(void **state)
{
	long count = count_in_role("waits", false, "beside_writes");

	(void)state;
	if (count < 0)
		skip_because("nothing counts requests here");
	check_equal(count, 0);
	check_equal(count_in_role("waits", false, "beside_reads"), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deep_writes_are_all_in_the_file),
		cmocka_unit_test(test_deep_reads_give_the_data_of_the_file),
		cmocka_unit_test(test_deep_reads_end_with_the_file),
		cmocka_unit_test(test_deep_requests_fail_like_others),
		cmocka_unit_test(test_later_of_two_deep_writes_wins),
		cmocka_unit_test(test_deep_read_sees_the_write_before_it),
		cmocka_unit_test(test_deep_read_does_not_see_the_write_behind_it),
		cmocka_unit_test(test_deep_reads_and_writes_take_effect_in_order),
		cmocka_unit_test(test_deep_appends_keep_their_order),
		cmocka_unit_test(test_fsync_waits_for_the_deep_writes_before_it),
		cmocka_unit_test(test_suspend_returns_when_the_last_of_many_is_complete),
		cmocka_unit_test(test_suspend_returns_for_each_of_many),
		cmocka_unit_test(test_lists_on_the_same_blocks_take_effect_in_order),
		cmocka_unit_test(test_lone_fsync_succeeds_or_is_cancelled),
		cmocka_unit_test(test_cancel_of_a_lone_write_is_consistent),
		cmocka_unit_test(test_long_transfers_one_by_one_have_the_right_data),
		cmocka_unit_test(test_long_transfers_at_once_have_the_right_data),
		cmocka_unit_test(test_copies_and_long_transfers_take_effect_in_order),
		cmocka_unit_test(test_deep_requests_survive_close),
		cmocka_unit_test(test_deep_requests_survive_dup2),
		cmocka_unit_test(test_lone_requests_survive_the_close_of_their_number),
		cmocka_unit_test(test_copies_survive_a_close_that_nobody_sees),
		cmocka_unit_test(test_deep_requests_survive_fork),
		cmocka_unit_test(test_child_of_fork_amid_deep_requests_is_deep_anew),
		cmocka_unit_test(test_deep_threads_do_not_disturb_each_other),
		cmocka_unit_test(test_deep_requests_may_be_collected_by_another_thread),
		cmocka_unit_test(test_handler_may_use_aio_amid_deep_submissions),
		cmocka_unit_test(test_deep_copies_go_beside),
		cmocka_unit_test(test_lone_long_transfers_go_beside),
		cmocka_unit_test(test_lone_syncs_go_beside),
		cmocka_unit_test(test_copies_that_are_waited_for_do_not_go_beside),
	};

	if (argc > 2 && !strcmp(argv[1], "--role"))
		return play_role(argv[2]);
	return cmocka_run_group_tests_name("beside", tests, NULL, NULL);
}
