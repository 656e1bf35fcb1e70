// SPDX-License-Identifier: MIT
/*
 * test_device_end.c - requests at the end of a block device
 *
 * A transfer that reaches beyond the end is short, as a plain call's is; from the end on a read
 * gives nothing and a write fails.  What the kernel's queues call a short transfer may as well be a
 * part of one that has to go on, and the length of a device is not what fstat says.
 */
#include "frozen.h"

#define DEVICE_SIZE (1 << 20)
#define NR_LENGTHS  4
#define TRANSFER    (128 << 10)

/* Each crosses the end, touches it or lies beyond it. */
static const off_t positions[] = { DEVICE_SIZE - 65536, DEVICE_SIZE - 8192, DEVICE_SIZE - 512,
				   DEVICE_SIZE, DEVICE_SIZE + 4096 };
static const size_t lengths[NR_LENGTHS] = { 512, 8192, 65536, TRANSFER };

static char *buf, *expected;

/* -1: the machine has none. The image is filled with the pattern. */
static int open_device(int flags)
{
	char device[32], image[PATH_MAX];
	int file, loop, fd = -1;

	snprintf(image, sizeof(image), "%s", temp_path("device"));
	file = open(image, O_RDWR | O_CREAT | O_TRUNC, 0600);
	check(file >= 0);
	for (off_t off = 0; off < DEVICE_SIZE; off += TRANSFER) {
		pattern_fill(buf, (size_t)off, TRANSFER);
		check_equal(pwrite(file, buf, TRANSFER, off), TRANSFER);
	}
	close(file);
	loop = geteuid() == 0 ? frozen_attach(image, device) : -1;
	if (loop >= 0) {
		fd = open(device, flags | O_CLOEXEC);
		close(loop);
	}
	unlink(image);
	if (fd < 0)
		printf("no loop device: needs root and the module loop");
	return fd;
}

static void no_signal(int signo)
{
	(void)signo;
}

/* A request with a notification and one without take different ways. */
static ssize_t transfer(int fd, bool is_write, size_t size, off_t off, bool is_notified)
{
	struct aiocb cb;

	aiocb_init(&cb, fd, buf, size, off);
	if (is_notified)
		notify_by_signal(&cb.aio_sigevent, SIGUSR1, 0);
	check_equal(is_write ? aio_write(&cb) : aio_read(&cb), 0);
	return outcome(&cb);
}

static void check_read(int fd, size_t size, off_t off, bool is_notified)
{
	ssize_t plain = pread(fd, expected, size, off);

	evict(fd);
	memset(buf, 1, size);
	check_equal(transfer(fd, false, size, off, is_notified), plain < 0 ? -errno : plain);
	if (plain > 0)
		check_memory(buf, expected, (size_t)plain);
}

/* The device holds the bytes that were written. */
static void check_write(int fd, size_t size, off_t off, bool is_notified)
{
	ssize_t plain;

	memset(expected, 0, size);
	plain = pread(fd, expected, size, off); /* less, at the end */
	memcpy(buf, expected, size);
	plain = pwrite(fd, buf, size, off);
	check_equal(transfer(fd, true, size, off, is_notified), plain < 0 ? -errno : plain);
	memset(buf, 1, size);
	if (plain > 0) {
		check_equal(pread(fd, buf, (size_t)plain, off), plain);
		check_memory(buf, expected, (size_t)plain);
	}
}

static int transfer_at_the_end(int flags, void (*check_one)(int fd, size_t size, off_t off, bool))
{
	int fd;

	buf = direct_buffer(TRANSFER);
	expected = direct_buffer(TRANSFER);
	fd = open_device(O_RDWR | flags);
	if (fd < 0)
		return CHILD_SKIPPED;
	handle_signal(SIGUSR1, no_signal, SA_RESTART);
	for (size_t p = 0; p < sizeof(positions) / sizeof(*positions); p++)
		for (size_t l = 0; l < NR_LENGTHS; l++)
			for (int is_notified = 0; is_notified < 2; is_notified++)
				check_one(fd, lengths[l], positions[p], is_notified);
	return 0;
}

static int read_cached(void)
{
	return transfer_at_the_end(0, check_read);
}

static int read_direct(void)
{
	return transfer_at_the_end(O_DIRECT, check_read);
}

static int write_cached(void)
{
	return transfer_at_the_end(0, check_write);
}

static int write_direct(void)
{
	return transfer_at_the_end(O_DIRECT, check_write);
}

TEST_OR_SKIP(test_reads_end_where_the_device_does, read_cached, 30000)
TEST_OR_SKIP(test_direct_reads_end_where_the_device_does, read_direct, 30000)
TEST_OR_SKIP(test_writes_end_where_the_device_does, write_cached, 30000)
TEST_OR_SKIP(test_direct_writes_end_where_the_device_does, write_direct, 30000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_end_where_the_device_does),
		cmocka_unit_test(test_direct_reads_end_where_the_device_does),
		cmocka_unit_test(test_writes_end_where_the_device_does),
		cmocka_unit_test(test_direct_writes_end_where_the_device_does),
	};

	return cmocka_run_group_tests_name("device_end", tests, NULL, NULL);
}
