// SPDX-License-Identifier: MIT
/*
 * test_aio_write.c - what aio_write returns, for files and for errors
 *
 * As for aio_read, mistakes are reported by aio_error.  test_aio_write_streams
 * has pipes, sockets and other descriptors.
 */
#include "../support/support.h"

#include <sys/mman.h>
#include <sys/socket.h>

/* ---- regular files ---- */

static void test_write_puts_the_data_at_the_offset(void **state)
{
	static char buf[50000], found[50000];
	int fd = temp_file_filled(100000);

	(void)state;
	memset(buf, 'x', sizeof(buf));
	check_equal(write_now(fd, buf, sizeof(buf), 12345), sizeof(buf));
	check_equal(pread(fd, found, sizeof(found), 12345), sizeof(found));
	check_memory(found, buf, sizeof(buf));
	check_equal(pread(fd, found, 12345, 0), 12345);
	check_pattern(found, 0, 12345);
	check_equal(pread(fd, found, 1000, 62345), 1000);
	check_pattern(found, 62345, 1000);
	check_equal(file_size(fd), 100000);
	close(fd);
}

static void test_write_extends_the_file(void **state)
{
	int fd = temp_file(0);
	char found[8];

	(void)state;
	check_equal(write_now(fd, "hello", 5, 0), 5);
	check_equal(write_now(fd, "world", 5, 1000), 5);
	check_equal(file_size(fd), 1005);
	check_equal(pread(fd, found, 8, 998), 7);
	check_memory(found, "\0\0world", 7);
	close(fd);
}

static void test_write_reaches_beyond_four_gigabytes(void **state)
{
	off_t offset = (off_t)5 << 30;
	int fd = temp_file_with_holes_or_skip();
	char found[4];

	(void)state;
	check_equal(write_now(fd, "far", 3, offset), 3);
	check_equal(file_size(fd), offset + 3);
	check_equal(pread(fd, found, sizeof(found), offset), 3);
	check_memory(found, "far", 3);
	close(fd);
}

static void test_write_leaves_the_public_fields_alone(void **state)
{
	static char buf[100];
	int fd = temp_file(0);
	struct aiocb cb;

	(void)state;
	aiocb_init(&cb, fd, buf, sizeof(buf), 300);
	cb.aio_reqprio = 7;
	cb.aio_sigevent.sigev_value.sival_int = 42;
	check_equal(aio_write(&cb), 0);
	check_equal(await_result(&cb), sizeof(buf));
	check_equal(cb.aio_fildes, fd);
	check(cb.aio_buf == buf);
	check_equal(cb.aio_nbytes, sizeof(buf));
	check_equal(cb.aio_offset, 300);
	check_equal(cb.aio_reqprio, 7);
	check_equal(cb.aio_sigevent.sigev_notify, SIGEV_NONE);
	check_equal(cb.aio_sigevent.sigev_value.sival_int, 42);
	close(fd);
}

static void test_write_does_not_move_the_file_position(void **state)
{
	int fd = temp_file_filled(1000);

	(void)state;
	check_equal(lseek(fd, 17, SEEK_SET), 17);
	check_equal(write_now(fd, "hello", 5, 500), 5);
	check_equal(lseek(fd, 0, SEEK_CUR), 17);
	close(fd);
}

static void test_write_of_zero_bytes_changes_nothing(void **state)
{
	int fd = temp_file_filled(1000);

	(void)state;
	check_equal(write_now(fd, NULL, 0, 0), 0);
	check_equal(write_now(fd, NULL, 0, 5000), 0);
	check_equal(file_size(fd), 1000);
	close(fd);
	check_write_fails(fd, NULL, 0, 0, EBADF);
}

static void test_append_ignores_the_offset(void **state)
{
	int fd = temp_file(O_APPEND);
	char found[16];

	(void)state;
	check_equal(write_now(fd, "one", 3, 0), 3);
	check_equal(write_now(fd, "two", 3, 1), 3);
	check_equal(write_now(fd, "three", 5, 1000000), 5);
	check_equal(pread(fd, found, sizeof(found), 0), 11);
	check_memory(found, "onetwothree", 11);
	check_write_fails(fd, "x", 1, -1, EINVAL);
	close(fd);
}

static void test_synchronous_file_takes_writes(void **state)
{
	static const int flags[] = { O_SYNC, O_DSYNC };

	(void)state;
	for (int i = 0; i < 2; i++) {
		int fd = temp_file(flags[i]);

		check_equal(write_now(fd, "hello", 5, 0), 5);
		check_equal(file_size(fd), 5);
		close(fd);
	}
}

static void test_many_writes_at_once_all_arrive(void **state)
{
	enum { NR = 1000, SIZE = 1000 };
	static struct aiocb cbs[NR];
	static char data[NR * SIZE], found[NR * SIZE];
	int fd = temp_file(0);

	(void)state;
	pattern_fill(data, 0, sizeof(data));
	for (int i = 0; i < NR; i++) {
		/* Not in order of the offsets. */
		off_t offset = (off_t)(i * 7 % NR) * SIZE;

		aiocb_init(&cbs[i], fd, data + offset, SIZE, offset);
		check_equal(aio_write(&cbs[i]), 0);
	}
	for (int i = 0; i < NR; i++)
		check_equal(await_result(&cbs[i]), SIZE);
	check_equal(pread(fd, found, sizeof(found), 0), sizeof(found));
	check_pattern(found, 0, sizeof(found));
	close(fd);
}

static void test_names_with_64_are_the_same_functions(void **state)
{
	int fd = temp_file(0);
	struct aiocb64 cb;
	char found[8];

	(void)state;
	aiocb_init((struct aiocb *)&cb, fd, "hello", 5, 0);
	check_equal(aio_write64(&cb), 0);
	check_equal(await_result((struct aiocb *)&cb), 5);
	check_equal(aio_fsync64(O_SYNC, &cb), 0);
	check_equal(await_result((struct aiocb *)&cb), 0);
	check_equal(pread(fd, found, sizeof(found), 0), 5);
	check_memory(found, "hello", 5);
	close(fd);
}

/* ---- errors ---- */

static void test_write_of_a_bad_descriptor_fails_later_with_ebadf(void **state)
{
	int closed = dup(0), path = open("/", O_PATH | O_CLOEXEC);

	(void)state;
	close(closed);
	check_write_fails(closed, "x", 1, 0, EBADF);
	check_write_fails(-1, "x", 1, 0, EBADF);
	check_write_fails(INT_MIN, "x", 1, 0, EBADF);
	check_write_fails(INT_MAX, "x", 1, 0, EBADF);
	check_write_fails(path, "x", 1, 0, EBADF);
	close(path);
}

static void test_write_needs_a_descriptor_open_for_writing(void **state)
{
	int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), fds[2];

	(void)state;
	check_write_fails(fd, "x", 1, 0, EBADF);
	close(fd);
	fd = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
	check_write_fails(fd, "x", 1, 0, EBADF);
	close(fd);
	open_pipe(fds);
	check_write_fails(fds[0], "x", 1, 0, EBADF);
	close_pair(fds);
}

static void test_write_with_negative_offset_fails(void **state)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int fd = temp_file_filled(1000), fds[2];

	(void)state;
	check_write_fails(fd, "x", 1, -1, EINVAL);
	check_write_fails(fd, "x", 1, LLONG_MIN, EINVAL);
	check_write_fails(fd, "x", 0, -1, EINVAL);
	check_equal(lseek(fd, 0, SEEK_CUR), 0);
	close(fd);
	check_write_fails(null, "x", 1, -1, EINVAL);
	close(null);
	open_pipe(fds);
	check_write_fails(fds[1], "x", 1, -1, EINVAL);
	close_pair(fds);
	open_socketpair(fds, SOCK_STREAM);
	check_write_fails(fds[1], "x", 1, -1, EINVAL);
	close_pair(fds);
}

static void test_write_beyond_the_file_system_limit_gives_efbig(void **state)
{
	int fd = temp_file(0);

	(void)state;
	check_write_fails(fd, "x", 1, LLONG_MAX - 1, EFBIG);
	check_write_fails(fd, "x", 1, LLONG_MAX, EINVAL);
	check_equal(file_size(fd), 0);
	close(fd);
}

static void test_write_to_a_full_device_gives_enospc(void **state)
{
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	if (fd < 0)
		skip_because("no /dev/full");
	check_write_fails(fd, "x", 1, 0, ENOSPC);
	close(fd);
}

static void test_write_to_a_sealed_memory_file_gives_eperm(void **state)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	(void)state;
	check_equal(write_now(fd, "hello", 5, 0), 5);
	check(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0);
	check_write_fails(fd, "x", 1, 0, EPERM);
	close(fd);
}

static void test_write_with_an_impossible_length_fails_with_efault(void **state)
{
	int fd = temp_file(0);

	(void)state;
	check_write_fails(fd, "x", SIZE_MAX, 0, EFAULT);
	check_write_fails(fd, "x", SSIZE_MAX, 0, EFAULT);
	check_equal(file_size(fd), 0);
	close(fd);
}

static void test_write_length_is_clamped_as_the_system_call_does(void **state)
{
	const size_t most = INT_MAX & ~(page_size() - 1);
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	(void)state;
	/* /dev/null does not look at the data, only at the length. */
	check_equal(write_now(fd, "x", (size_t)1 << 40, 0), most);
	check_equal(write_now(fd, "x", ((size_t)1 << 32) + 16, 0), most);
	check_equal(write_now(fd, "x", 2147479552, 0), most);
	check_equal(write_now(fd, "x", most, 0), most);
	close(fd);
}

static void test_write_from_bad_memory_fails_with_efault(void **state)
{
	size_t page = page_size();
	char *map =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = temp_file(0), fds[2];

	(void)state;
	check_write_fails(fd, NULL, 100, 0, EFAULT);
	check(mprotect(map + page, page, PROT_NONE) == 0);
	check_write_fails(fd, map + page, 100, 0, EFAULT);
	check_equal(file_size(fd), 0);
	check_equal(write_now(fd, map, 2 * page, 0), page);
	check_equal(file_size(fd), page);
	close(fd);
	open_pipe(fds);
	check_write_fails(fds[1], NULL, 100, 0, EFAULT);
	check_equal(write_now(fds[1], "after", 5, 0), 5);
	read_fully(fds[0], NULL, 5);
	close_pair(fds);
	munmap(map, 2 * page);
}

static void test_write_from_read_only_memory_works(void **state)
{
	char *map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = temp_file(0);

	(void)state;
	check_equal(write_now(fd, map, 4096, 0), 4096);
	munmap(map, 4096);
	close(fd);
}

static void test_priority_out_of_range_is_rejected_at_the_call(void **state)
{
	static const int bad[] = { -1, 21, INT_MIN, INT_MAX };
	int fd = temp_file(0);
	struct aiocb cb;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		aiocb_init(&cb, fd, "x", 1, 0);
		cb.aio_reqprio = bad[i];
		errno = 0;
		check_equal(aio_write(&cb), -1);
		check_equal(errno, EINVAL);
		check_equal(aio_error(&cb), EINVAL);
		check_equal(aio_return(&cb), -1);
	}
	check_equal(file_size(fd), 0);
	close(fd);
}

/* ---- O_DIRECT ---- */

static void test_direct_writes_in_parallel_all_arrive(void **state)
{
	enum { NR = 64, SIZE = 4096 };
	static struct aiocb cbs[NR];
	static char data[NR * SIZE] __attribute__((aligned(4096)));
	static char found[NR * SIZE] __attribute__((aligned(4096)));
	int fd = direct_file_or_skip(0, 0);

	(void)state;
	pattern_fill(data, 0, sizeof(data));
	/* By now a library may know what kind of file it is. */
	check_equal(write_now(fd, data, SIZE, 0), SIZE);
	for (int i = 0; i < NR; i++) {
		off_t offset = (off_t)(i * 7 % NR) * SIZE;

		/* The file grows with some of them, holes are filled by others. */
		aiocb_init(&cbs[i], fd, data + offset, SIZE, offset);
		check_equal(aio_write(&cbs[i]), 0);
	}
	for (int i = 0; i < NR; i++)
		check_equal(await_result(&cbs[i]), SIZE);
	check_equal(pread(fd, found, sizeof(found), 0), sizeof(found));
	check_pattern(found, 0, sizeof(found));
	close(fd);
}

static void test_direct_write_over_existing_data_arrives(void **state)
{
	static char data[8192] __attribute__((aligned(4096)));
	static char found[16384] __attribute__((aligned(4096)));
	int fd = direct_file_or_skip(16384, 0);

	(void)state;
	memset(data, 'x', sizeof(data));
	for (int round = 0; round < 50; round++)
		check_equal(write_now(fd, data, 8192, 4096), 8192);
	check_equal(pread(fd, found, sizeof(found), 0), sizeof(found));
	check_pattern(found, 0, 4096);
	check_memory(found + 4096, data, 8192);
	check_pattern(found + 12288, 12288, 4096);
	close(fd);
}

static void test_direct_write_with_bad_alignment_fails(void **state)
{
	static char data[8192] __attribute__((aligned(4096)));
	int fd = direct_file_or_skip(8192, 0);

	(void)state;
	check_write_fails(fd, data, 100, 0, EINVAL);
	check_write_fails(fd, data, 4096, 100, EINVAL);
	check_write_fails(fd, data + 1, 4096, 0, EINVAL);
	check_write_fails(fd, NULL, 4096, 0, EFAULT);
	check_equal(write_now(fd, data, 0, 0), 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest aio_write_tests[] = {
		cmocka_unit_test(test_write_puts_the_data_at_the_offset),
		cmocka_unit_test(test_write_extends_the_file),
		cmocka_unit_test(test_write_reaches_beyond_four_gigabytes),
		cmocka_unit_test(test_write_leaves_the_public_fields_alone),
		cmocka_unit_test(test_write_does_not_move_the_file_position),
		cmocka_unit_test(test_write_of_zero_bytes_changes_nothing),
		cmocka_unit_test(test_append_ignores_the_offset),
		cmocka_unit_test(test_synchronous_file_takes_writes),
		cmocka_unit_test(test_many_writes_at_once_all_arrive),
		cmocka_unit_test(test_names_with_64_are_the_same_functions),
		cmocka_unit_test(test_write_of_a_bad_descriptor_fails_later_with_ebadf),
		cmocka_unit_test(test_write_needs_a_descriptor_open_for_writing),
		cmocka_unit_test(test_write_with_negative_offset_fails),
		cmocka_unit_test(test_write_beyond_the_file_system_limit_gives_efbig),
		cmocka_unit_test(test_write_to_a_full_device_gives_enospc),
		cmocka_unit_test(test_write_to_a_sealed_memory_file_gives_eperm),
		cmocka_unit_test(test_write_with_an_impossible_length_fails_with_efault),
		cmocka_unit_test(test_write_length_is_clamped_as_the_system_call_does),
		cmocka_unit_test(test_write_from_bad_memory_fails_with_efault),
		cmocka_unit_test(test_write_from_read_only_memory_works),
		cmocka_unit_test(test_priority_out_of_range_is_rejected_at_the_call),
		cmocka_unit_test(test_direct_writes_in_parallel_all_arrive),
		cmocka_unit_test(test_direct_write_over_existing_data_arrives),
		cmocka_unit_test(test_direct_write_with_bad_alignment_fails),
	};

	return cmocka_run_group_tests(aio_write_tests, NULL, NULL);
}
