// SPDX-License-Identifier: MIT
/*
 * test_memory_device.c - O_DIRECT on a block device that lives in memory
 *
 * Such a device has served a request when the call that submits it returns.  The
 * library notices, and goes another way than with a disk: slowly enough that
 * each test does many requests first.
 */
#include "offload.h"

#include <sys/syscall.h>

#define DEVICE_SIZE (16 << 20)
#define NR_WARM     300 /* requests after which the library knows the device */

static char device_path[64];
static int device_id = -1;

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	check(fd >= 0);
	write_fully(fd, text, strlen(text));
	close(fd);
}

static void remove_device(void)
{
	char path[64], id[16];

	if (device_id < 0 || support_is_child)
		return;
	snprintf(path, sizeof(path), "/sys/block/zram%d/reset", device_id);
	write_text(path, "1");
	snprintf(id, sizeof(id), "%d", device_id);
	write_text("/sys/class/zram-control/hot_remove", id);
	device_id = -1;
}

/* Made at the first use.  False: this machine has none to give. */
static bool has_device(void)
{
	int fd = device_id < 0 ? open("/sys/class/zram-control/hot_add", O_RDONLY | O_CLOEXEC) : -1;
	char text[64] = "";
	bool is_made;

	if (device_id >= 0)
		return true;
	is_made = fd >= 0 && read(fd, text, sizeof(text) - 1) > 0;
	if (fd >= 0)
		close(fd);
	if (!is_made)
		return false;
	device_id = atoi(text);
	atexit(remove_device);
	snprintf(text, sizeof(text), "/sys/block/zram%d/disksize", device_id);
	write_text(text, "16M");
	snprintf(device_path, sizeof(device_path), "/dev/zram%d", device_id);
	setenv("RTAIO_TEST_DEVICE", device_path, 1);
	eventually(access(device_path, R_OK | W_OK) == 0);
	return true;
}

static int open_device(void)
{
	int fd = open(getenv("RTAIO_TEST_DEVICE"), O_RDWR | O_DIRECT | O_CLOEXEC);

	check(fd >= 0);
	return fd;
}

#define SKIP_WITHOUT_DEVICE()                                                           \
	do {                                                                            \
		if (!has_device())                                                      \
			skip_because("no zram device can be made: needs root, and the " \
				     "kernel's zram module");                           \
	} while (0)

static void warm_up(struct work *work)
{
	for (size_t i = 0; i < NR_WARM; i++)
		work_transfer(work, i % 2, i % NR_BLOCKS * BLOCK, BLOCK);
}

static int work_deep(void)
{
	unsigned int seed = 1;
	struct work work;

	work_open_filled(&work, open_device(), 0, FILE_SIZE, 2 * BLOCK, DEPTH);
	for (int i = 0; i < 5000; i++) {
		size_t block = (size_t)rand_r(&seed) / 64 % (NR_BLOCKS - 1);

		work_transfer(&work, rand_r(&seed) / 64 % 2, block * BLOCK,
			      rand_r(&seed) / 64 % 4 ? BLOCK : 2 * BLOCK);
	}
	work_close(&work);
	return 0;
}

static void test_overlapping_requests_keep_their_order(void **state)
{
	(void)state;
	SKIP_WITHOUT_DEVICE();
	support_check_both_ways(work_deep, 20000, "work_deep", __FILE__, __LINE__);
}

static int meet_errors(void)
{
	char *buf = direct_buffer(2 * BLOCK);
	struct work work;
	struct aiocb cb;

	work_open_filled(&work, open_device(), 0, FILE_SIZE, BLOCK, 1);
	warm_up(&work);
	for (int i = 0; i < 40; i++) {
		check_read_fails(work.fd, buf, 100, 0, EINVAL);
		check_read_fails(work.fd, buf, BLOCK, 100, EINVAL);
		check_equal(read_now(work.fd, buf, BLOCK, DEVICE_SIZE), 0);
		check_equal(read_now(work.fd, buf, 2 * BLOCK, DEVICE_SIZE - BLOCK), BLOCK);
		aiocb_init(&cb, work.fd, buf, BLOCK, DEVICE_SIZE);
		check_equal(aio_write(&cb), 0);
		await_failure(&cb, ENOSPC);
	}
	work_close(&work);
	return 0;
}

/* Errors, and the end of the device, are as before. */
static void test_results_are_those_of_the_device(void **state)
{
	(void)state;
	SKIP_WITHOUT_DEVICE();
	support_check_both_ways(meet_errors, 20000, "meet_errors", __FILE__, __LINE__);
}

/* The number means a file on a disk all of a sudden, and nobody was told. */
static int move_number(void)
{
	int fd = open_device(), disk = direct_file(FILE_SIZE, 0);
	struct work work;

	if (disk < 0)
		return CHILD_SKIPPED;
	work_open_filled(&work, fd, 0, FILE_SIZE, BLOCK, DEPTH);
	warm_up(&work);
	work_close(&work);
	check_equal(syscall(SYS_dup3, disk, fd, 0), fd);
	work_open_filled(&work, fd, 0, FILE_SIZE, BLOCK, DEPTH);
	warm_up(&work);
	work_close(&work);
	return 0;
}

static void test_number_may_mean_a_disk_later(void **state)
{
	(void)state;
	SKIP_WITHOUT_DEVICE();
	support_check_both_ways(move_number, 20000, "move_number", __FILE__, __LINE__);
}

static void transfer_many(bool is_read, int fd)
{
	struct work work;

	work_open_filled(&work, fd, 0, FILE_SIZE, BLOCK, 1);
	for (size_t i = 0; i < 3000; i++)
		work_transfer(&work, is_read, i % NR_BLOCKS * BLOCK, BLOCK);
	work_close(&work);
}

/*
 * Each write is given back at once by a file system that would have to wait, and
 * at the end of the file a read has nothing to do.
 */
static int grow_file(void)
{
	char *buf = direct_buffer(BLOCK);
	int fd = direct_file(BLOCK, 0);
	struct aiocb cb;

	if (fd < 0)
		return 1;
	for (off_t i = 1; i < 3000; i++) {
		submit_write(&cb, fd, buf, BLOCK, i * BLOCK);
		check_equal(outcome(&cb), BLOCK);
	}
	for (int i = 0; i < 300; i++)
		check_equal(read_now(fd, buf, BLOCK, 3000 * BLOCK), 0);
	return 0;
}

static int play_role(const char *role)
{
	support_is_child = true;
	if (!strcmp(role, "grow"))
		return grow_file();
	transfer_many(!strcmp(role, "reads"),
		      strcmp(role, "disk") ? open_device() : direct_file(FILE_SIZE, 0));
	return 0;
}

/* Where Linux AIO shows that it is. */
static void test_what_is_served_at_once_completes_in_the_call(void **state)
{
	long count;

	(void)state;
	SKIP_WITHOUT_DEVICE();
	count = count_in_role("reads", false, "direct_reads");
	if (count <= 0)
		skip_because("nothing goes to Linux AIO here, or nobody counts it");
	/* Now and then one shows whether that is still so. */
	check(count > 100);
	eventually(count_in_role("reads", false, "inline_reads") > 2000);
	eventually(count_in_role("writes", false, "inline_writes") > 2000);
}

static void test_growing_file_on_a_disk_is_not_taken_for_memory(void **state)
{
	int fd = direct_file(BLOCK, 0);

	(void)state;
	if (fd < 0)
		skip_because("the file system refuses O_DIRECT");
	close(fd);
	if (count_in_role("disk", false, "direct_writes") <= 0)
		skip_because("nothing goes to Linux AIO here, or nobody counts it");
	if (count_in_role("disk", false, "inline_writes") > 2000)
		skip_because("the disk is a device in memory");
	check_equal(count_in_role("grow", false, "inline_writes"), 0);
	check_equal(count_in_role("grow", false, "inline_reads"), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_overlapping_requests_keep_their_order),
		cmocka_unit_test(test_results_are_those_of_the_device),
		cmocka_unit_test(test_number_may_mean_a_disk_later),
		cmocka_unit_test(test_what_is_served_at_once_completes_in_the_call),
		cmocka_unit_test(test_growing_file_on_a_disk_is_not_taken_for_memory),
	};

	if (argc > 2 && !strcmp(argv[1], "--role"))
		return play_role(argv[2]);
	return cmocka_run_group_tests_name("memory_device", tests, NULL, NULL);
}
