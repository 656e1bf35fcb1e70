// SPDX-License-Identifier: MIT
/*
 * test_offload_lone.c - long transfers and syncs, one at a time or a few
 *
 * A library may hand each to a worker that serves nothing
 * else meanwhile (test_offload.c): the data is right, and they may be cancelled.
 */
#include "offload.h"

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

/* A request that is said to be cancelled has no effect, neither now nor later. */
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

TEST_OFFLOAD(test_lone_fsync_succeeds_or_is_cancelled, sync_alone, 30000)
TEST_OFFLOAD(test_cancel_of_a_lone_write_is_consistent, cancel_alone, 30000)

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

TEST_OFFLOAD(test_long_transfers_one_by_one_have_the_right_data, transfer_one_by_one, 20000)
TEST_OFFLOAD(test_long_transfers_at_once_have_the_right_data, transfer_at_once, 20000)
TEST_OFFLOAD(test_copies_and_long_transfers_take_effect_in_order, copy_behind_long, 20000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lone_fsync_succeeds_or_is_cancelled),
		cmocka_unit_test(test_cancel_of_a_lone_write_is_consistent),
		cmocka_unit_test(test_long_transfers_one_by_one_have_the_right_data),
		cmocka_unit_test(test_long_transfers_at_once_have_the_right_data),
		cmocka_unit_test(test_copies_and_long_transfers_take_effect_in_order),
	};

	return cmocka_run_group_tests_name("offload_lone", tests, NULL, NULL);
}
