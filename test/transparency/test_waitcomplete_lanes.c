// SPDX-License-Identifier: MIT
/*
 * test_waitcomplete_lanes.c - aio_waitcomplete() beside requests that Linux AIO performs
 *
 * Their completions lie in a ring at which one thread sleeps.  Others end elsewhere.
 */
#include "frozen.h"
#include "offload.h"

#include <dlfcn.h>
#include <stdatomic.h>

#include "../../include/rtaio.h"

#define SIZE     4096
#define NR_READS 1000

static ssize_t (*waitcomplete)(struct aiocb **iocbp, const struct timespec *timeout);
static void (*stats)(struct rtaio_stats *stats, size_t size);

static const struct timespec at_once;
static atomic_int waiter_tid;
static char byte;

static bool is_there(void)
{
	waitcomplete = (ssize_t(*)(struct aiocb **,
				   const struct timespec *))dlsym(RTLD_DEFAULT, "aio_waitcomplete");
	stats = (void (*)(struct rtaio_stats *, size_t))dlsym(RTLD_DEFAULT, "rtaio_stats");
	if (!waitcomplete || !stats)
		printf("no aio_waitcomplete here");
	return waitcomplete && stats;
}

/* From here on completions are kept. */
static void begin(void)
{
	struct aiocb *none;

	check_equal(waitcomplete(&none, &at_once), -1);
	check_equal(errno, EAGAIN);
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
	struct aiocb cb, *found;

	for (int i = 0; i < 100; i++) {
		submit_read(&cb, disk, data, SIZE, 0);
		check_equal(waitcomplete(&found, NULL), SIZE);
	}
}

static void *wait_for_any(void *found)
{
	waiter_tid = gettid();
	check_equal(waitcomplete(found, NULL), 1);
	return NULL;
}

static int wait_beside_stuck_request(void)
{
	struct aiocb stuck, cb, *found;
	int disk, memory = memory_file();
	char *data = direct_buffer(SIZE);

	if (!is_there() || !frozen_start())
		return CHILD_SKIPPED;
	begin();
	write_fully(memory, "x", 1);
	disk = open_disk();
	use_disk(disk, data);
	frozen_stop();
	submit_write(&stuck, disk, data, SIZE, 0);
	for (int i = 0; i < 3; i++) {
		pthread_t thread;

		waiter_tid = 0;
		thread = start_thread(wait_for_any, &found);
		eventually(waiter_tid && thread_sleeps(waiter_tid));
		submit_read(&cb, memory, &byte, 1, 0);
		join_thread(thread);
		check(found == &cb);
	}
	check_equal(aio_error(&stuck), EINPROGRESS);
	frozen_go_on();
	check_equal(waitcomplete(&found, NULL), SIZE);
	check(found == &stuck);
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
	struct aiocb cb, *found;

	write_fully(memory, "x", 1);
	for (int i = 0; i < NR_READS; i++) {
		submit_read(&cb, memory, &byte, 1, 0);
		eventually(aio_error(&cb) != EINPROGRESS);
		check_equal(by_return ? aio_return(&cb) : waitcomplete(&found, &at_once), 1);
	}
	close(memory);
}

/* A thread that submits on and on without asking gets short calls, which do not copy. */
static int look_only(void)
{
	uint64_t nr[3];

	if (!is_there())
		return CHILD_SKIPPED;
	begin();
	nr[0] = nr_inline();
	read_many(true);
	nr[1] = nr_inline();
	read_many(false);
	nr[2] = nr_inline();
	check(nr[2] - nr[1] >= nr[1] - nr[0]);
	return 0;
}

TEST_OR_SKIP(test_request_that_hangs_does_not_hide_others, wait_beside_stuck_request, 60000)
TEST_OR_SKIP(test_looking_for_completions_counts_as_asking, look_only, 30000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_that_hangs_does_not_hide_others),
		cmocka_unit_test(test_looking_for_completions_counts_as_asking),
	};

	return cmocka_run_group_tests_name("waitcomplete_lanes", tests, NULL, NULL);
}
