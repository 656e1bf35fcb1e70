// SPDX-License-Identifier: MIT
/*
 * test_waitcomplete_lanes.c - aio_waitcomplete() beside requests that Linux AIO performs
 *
 * Their completions lie in a ring at which one thread sleeps.  Others end elsewhere.
 */
#include "frozen.h"
#include "waitcomplete.h"

#include <dlfcn.h>

#include "../../include/rtaio.h"

#define SIZE     4096
#define NR_READS 1000

static void (*stats)(struct rtaio_stats *stats, size_t size);

static char byte;

static bool has_stats(void)
{
	stats = (void (*)(struct rtaio_stats *, size_t))dlsym(RTLD_DEFAULT, "rtaio_stats");
	if (!stats)
		printf("the implementation has no rtaio_stats");
	return stats != NULL;
}

/* ---- one request never ends, others do ---- */

static int open_disk(void)
{
	char image[64], device[32];
	int file = frozen_file(0), disk;

	check_equal(ftruncate(file, SIZE), 0);
	snprintf(image, sizeof(image), "/proc/self/fd/%d", file);
	check(frozen_attach(image, device) >= 0);
	disk = open(device, O_RDWR | O_DIRECT | O_CLOEXEC);
	check(disk >= 0);
	return disk;
}

/* Until Linux AIO is in use, if it ever is. */
static void use_disk(int disk, char *data)
{
	struct aiocb cb;

	for (int i = 0; i < 100; i++) {
		submit_read(&cb, disk, data, SIZE, 0);
		check_equal(collect_this(&cb), SIZE);
	}
}

static int wait_beside_stuck_request(void)
{
	struct aiocb stuck, cb;
	int disk;
	char *data = direct_buffer(SIZE);

	if (!frozen_start())
		return CHILD_SKIPPED;
	check_nothing_left(); /* from here on completions are kept */
	disk = open_disk();
	use_disk(disk, data);
	frozen_stop();
	submit_write(&stuck, disk, data, SIZE, 0);
	for (int i = 0; i < 3; i++) {
		struct waiter waiter;

		begin_wait(&waiter);
		read_byte(&cb);
		check_equal(end_wait(&waiter, &cb), 1);
	}
	check_equal(aio_error(&stuck), EINPROGRESS);
	frozen_go_on();
	check_equal(collect_this(&stuck), SIZE);
	return 0;
}

/* ---- a program that only looks asks for results all the same ---- */

static uint64_t nr_inline(void)
{
	struct rtaio_stats now;

	stats(&now, sizeof(now));
	return now.lane_inline;
}

static void read_many(bool by_return)
{
	int memory = memory_file();
	struct aiocb cb;
	ssize_t res;

	write_fully(memory, "x", 1);
	for (int i = 0; i < NR_READS; i++) {
		submit_read(&cb, memory, &byte, 1, 0);
		eventually(aio_error(&cb) != EINPROGRESS);
		if (by_return)
			res = aio_return(&cb);
		else
			check(collect(&res, &at_once) == &cb);
		check_equal(res, 1);
	}
	close(memory);
}

/* A thread that submits on and on without asking gets short calls, which do not copy. */
static int look_only(void)
{
	uint64_t nr[3];

	if (!has_stats())
		return CHILD_SKIPPED;
	check_nothing_left();
	nr[0] = nr_inline();
	read_many(true);
	nr[1] = nr_inline();
	read_many(false);
	nr[2] = nr_inline();
	check(nr[2] - nr[1] >= nr[1] - nr[0]);
	return 0;
}

TEST_WAITCOMPLETE(test_request_that_hangs_does_not_hide_others, wait_beside_stuck_request, 60000)
TEST_WAITCOMPLETE(test_looking_for_completions_counts_as_asking, look_only, 30000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_that_hangs_does_not_hide_others),
		cmocka_unit_test(test_looking_for_completions_counts_as_asking),
	};

	return cmocka_run_group_tests_name("waitcomplete_lanes", tests, NULL, NULL);
}
