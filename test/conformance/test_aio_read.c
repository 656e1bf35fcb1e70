// SPDX-License-Identifier: MIT
/*
 * test_aio_read.c - what aio_read returns, of files and of mistakes
 *
 * Only the priority is checked at the call: every other mistake is accepted
 * there and reported by aio_error, with the error pread or read would give.
 * Pipes, sockets and devices are the business of test_aio_read_streams.c.
 */
#include "../support/support.h"

#include <sys/mman.h>
#include <sys/socket.h>

/* Two pages, the second of which cannot be accessed. */
static char *page_before_a_hole(void)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	size_t page = page_size();
	char *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, flags, -1, 0);

	check(map != MAP_FAILED);
	check(mprotect(map + page, page, PROT_NONE) == 0);
	return map;
}

static void test_read_returns_the_data_at_the_offset(void **state)
{
	int fd = temp_file_filled(100000);
	static char buf[50000];

	(void)state;
	check_equal(read_now(fd, buf, sizeof(buf), 12345), sizeof(buf));
	check_pattern(buf, 12345, sizeof(buf));
	close(fd);
}

static void test_read_leaves_the_public_fields_alone(void **state)
{
	int fd = temp_file_filled(1000);
	struct aiocb cb;
	char buf[100];

	(void)state;
	aiocb_init(&cb, fd, buf, sizeof(buf), 300);
	cb.aio_reqprio = 7;
	cb.aio_sigevent.sigev_value.sival_int = 42;
	check_equal(aio_read(&cb), 0);
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

static void test_read_does_not_move_the_file_position(void **state)
{
	int fd = temp_file_filled(1000);
	char buf[100];

	(void)state;
	check_equal(lseek(fd, 17, SEEK_SET), 17);
	check_equal(read_now(fd, buf, sizeof(buf), 500), sizeof(buf));
	check_equal(lseek(fd, 0, SEEK_CUR), 17);
	close(fd);
}

static void test_read_is_short_at_end_of_file_and_zero_behind_it(void **state)
{
	int fd = temp_file_filled(1000);
	char buf[100];

	(void)state;
	check_equal(read_now(fd, buf, sizeof(buf), 950), 50);
	check_pattern(buf, 950, 50);
	check_equal(read_now(fd, buf, sizeof(buf), 1000), 0);
	check_equal(read_now(fd, buf, sizeof(buf), 1 << 30), 0);
	close(fd);
}

static void test_read_of_zero_bytes_returns_zero(void **state)
{
	int fd = temp_file_filled(1000);

	(void)state;
	check_equal(read_now(fd, NULL, 0, 0), 0);
	check_equal(read_now(fd, NULL, 0, 5000), 0);
	close(fd);
	check_read_fails(fd, NULL, 0, 0, EBADF);
}

static void test_read_sees_a_hole_as_zeros(void **state)
{
	static const char zeros[4096];
	int fd = temp_file(0);
	char buf[4096];

	(void)state;
	check(ftruncate(fd, 1 << 20) == 0);
	memset(buf, 1, sizeof(buf));
	check_equal(read_now(fd, buf, sizeof(buf), 65536), sizeof(buf));
	check_memory(buf, zeros, sizeof(buf));
	close(fd);
}

static void test_read_reaches_beyond_four_gigabytes(void **state)
{
	off_t offset = ((off_t)5 << 30) + 321;
	int fd = temp_file_with_holes_or_skip();
	char buf[16];

	(void)state;
	check_equal(pwrite(fd, "far away", 8, offset), 8);
	check_equal(read_now(fd, buf, sizeof(buf), offset), 8);
	check_memory(buf, "far away", 8);
	close(fd);
}

static void test_names_with_64_are_the_same_functions(void **state)
{
	int fd = temp_file_filled(1000);
	const struct aiocb64 *list[1];
	struct aiocb64 cb;
	char buf[100];

	(void)state;
	aiocb_init((struct aiocb *)&cb, fd, buf, sizeof(buf), 300);
	list[0] = &cb;
	check_equal(aio_read64(&cb), 0);
	while (aio_error64(&cb) == EINPROGRESS)
		check(aio_suspend64(list, 1, NULL) == 0 || errno == EINTR);
	check_equal(aio_error((struct aiocb *)&cb), 0);
	check_equal(aio_return64(&cb), sizeof(buf));
	check_pattern(buf, 300, sizeof(buf));
	check_equal(aio_cancel64(fd, &cb), AIO_ALLDONE);
	close(fd);
}

static void test_many_reads_at_once_return_their_own_data(void **state)
{
	enum { NR = 2000, SIZE = 512 };
	static struct aiocb cbs[NR];
	static char bufs[NR][SIZE];
	int fd = temp_file_filled(NR * 300 + SIZE);

	(void)state;
	for (int i = 0; i < NR; i++) {
		aiocb_init(&cbs[i], fd, bufs[i], SIZE, i * 300);
		check_equal(aio_read(&cbs[i]), 0);
	}
	for (int i = 0; i < NR; i++) {
		check_equal(await_result(&cbs[i]), SIZE);
		check_pattern(bufs[i], (size_t)i * 300, SIZE);
	}
	close(fd);
}

static void test_read_of_many_megabytes_is_whole(void **state)
{
	size_t size = 8 << 20;
	int fd = temp_file_filled(size);
	char *buf = malloc(size);

	(void)state;
	check(buf != NULL);
	check_equal(read_now(fd, buf, size, 0), size);
	check_pattern(buf, 0, size);
	free(buf);
	close(fd);
}

static void test_read_of_a_memory_file_works(void **state)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	char buf[8];

	(void)state;
	check(fd >= 0);
	write_fully(fd, "0123456789", 10);
	check_equal(read_now(fd, buf, sizeof(buf), 5), 5);
	check_memory(buf, "56789", 5);
	close(fd);
}

/* ---- errors ---- */

static void test_read_of_a_bad_descriptor_fails_later_with_ebadf(void **state)
{
	int closed = dup(0), path = open("/", O_PATH | O_CLOEXEC);
	char buf[8];

	(void)state;
	close(closed);
	check_read_fails(closed, buf, sizeof(buf), 0, EBADF);
	check_read_fails(-1, buf, sizeof(buf), 0, EBADF);
	check_read_fails(INT_MIN, buf, sizeof(buf), 0, EBADF);
	check_read_fails(INT_MAX, buf, sizeof(buf), 0, EBADF);
	check_read_fails(path, buf, sizeof(buf), 0, EBADF);
	close(path);
}

static void test_read_needs_a_descriptor_open_for_reading(void **state)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC), fds[2];
	char buf[8];

	(void)state;
	check_read_fails(fd, buf, sizeof(buf), 0, EBADF);
	close(fd);
	open_pipe(fds);
	check_read_fails(fds[1], buf, sizeof(buf), 0, EBADF);
	close_pair(fds);
	fd = open(temp_path("write-only"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	check_read_fails(fd, buf, sizeof(buf), 0, EBADF);
	close(fd);
}

static void test_read_with_negative_offset_fails_on_a_file(void **state)
{
	int fd = temp_file_filled(1000);
	char buf[8];

	(void)state;
	check_read_fails(fd, buf, sizeof(buf), -1, EINVAL);
	check_read_fails(fd, buf, sizeof(buf), -4096, EINVAL);
	check_read_fails(fd, buf, sizeof(buf), LLONG_MIN, EINVAL);
	check_read_fails(fd, buf, 0, -1, EINVAL);
	check_equal(lseek(fd, 0, SEEK_CUR), 0);
	close(fd);
}

static void test_read_with_negative_offset_fails_on_streams(void **state)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), fds[2];
	char buf[8];

	(void)state;
	check_read_fails(null, buf, sizeof(buf), -1, EINVAL);
	close(null);
	open_pipe(fds);
	write_fully(fds[1], "data", 4);
	check_read_fails(fds[0], buf, sizeof(buf), -1, EINVAL);
	check_equal(read_now(fds[0], buf, sizeof(buf), 0), 4);
	close_pair(fds);
	open_socketpair(fds, SOCK_STREAM);
	write_fully(fds[1], "data", 4);
	check_read_fails(fds[0], buf, sizeof(buf), -2, EINVAL);
	check_equal(read_now(fds[0], buf, sizeof(buf), 0), 4);
	close_pair(fds);
}

static void test_read_at_the_last_offset_overflows(void **state)
{
	int fd = temp_file_filled(1000);
	char buf[8];

	(void)state;
	check_read_fails(fd, buf, sizeof(buf), LLONG_MAX, EINVAL);
	close(fd);
}

static void test_read_with_an_impossible_length_fails_with_efault(void **state)
{
	int fd = temp_file_filled(1000);
	char buf[8];

	(void)state;
	check_read_fails(fd, buf, SIZE_MAX, 0, EFAULT);
	check_read_fails(fd, buf, SSIZE_MAX, 0, EFAULT);
	check_read_fails(-1, buf, SIZE_MAX, 0, EBADF);
	close(fd);
}

static void test_read_length_is_not_cut_to_32_bits(void **state)
{
	int fd = temp_file_filled(1000);
	static char buf[1000];

	(void)state;
	check_equal(read_now(fd, buf, ((size_t)1 << 32) + 16, 0), 1000);
	check_pattern(buf, 0, 1000);
	memset(buf, 0, sizeof(buf));
	check_equal(read_now(fd, buf, (size_t)1 << 40, 0), 1000);
	check_pattern(buf, 0, 1000);
	close(fd);
}

static void test_read_into_bad_memory_fails_with_efault(void **state)
{
	int fd = temp_file_filled(20000);
	char *map = page_before_a_hole();

	(void)state;
	check_read_fails(fd, NULL, 100, 0, EFAULT);
	check_read_fails(fd, map + page_size(), 100, 0, EFAULT);
	check(mprotect(map, page_size(), PROT_READ) == 0);
	check_read_fails(fd, map, 100, 0, EFAULT);
	munmap(map, 2 * page_size());
	check_read_fails(fd, map, 100, 0, EFAULT);
	close(fd);
}

static void test_read_into_half_bad_memory_is_short(void **state)
{
	size_t page = page_size();
	int fd = temp_file_filled(2 * page + 100);
	char *map = page_before_a_hole();

	(void)state;
	check_equal(read_now(fd, map, 2 * page, 0), page);
	check_pattern(map, 0, page);
	munmap(map, 2 * page);
	close(fd);
}

static void test_failed_read_of_a_pipe_loses_no_data(void **state)
{
	char buf[16];
	int fds[2];

	(void)state;
	open_pipe(fds);
	write_fully(fds[1], "0123456789", 10);
	check_read_fails(fds[0], NULL, 10, 0, EFAULT);
	check_equal(read_now(fds[0], buf, sizeof(buf), 0), 10);
	check_memory(buf, "0123456789", 10);
	close_pair(fds);
}

static void test_buffer_unmapped_under_a_blocked_read_gives_efault(void **state)
{
	static struct aiocb cb;
	char *map = page_before_a_hole();
	int fds[2];

	(void)state;
	open_pipe(fds);
	aiocb_init(&cb, fds[0], map, 10, 0);
	check_equal(aio_read(&cb), 0);
	munmap(map, 2 * page_size());
	write_fully(fds[1], "0123456789", 10);
	await_failure(&cb, EFAULT);
	close_pair(fds);
}

static void test_priority_out_of_range_is_rejected_at_the_call(void **state)
{
	static const int bad[] = { -1, 21, INT_MIN, INT_MAX };
	int fd = temp_file_filled(1000);
	struct aiocb cb;
	char buf[8];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		aiocb_init(&cb, i % 2 ? fd : -1, buf, sizeof(buf), 0);
		cb.aio_reqprio = bad[i];
		errno = 0;
		check_equal(aio_read(&cb), -1);
		check_equal(errno, EINVAL);
		check_equal(aio_error(&cb), EINVAL);
		check_equal(aio_return(&cb), -1);
	}
	for (int priority = 0; priority <= 20; priority += 20) {
		aiocb_init(&cb, fd, buf, sizeof(buf), 0);
		cb.aio_reqprio = priority;
		check_equal(aio_read(&cb), 0);
		check_equal(await_result(&cb), sizeof(buf));
	}
	close(fd);
}

/* ---- O_DIRECT ---- */

static void test_direct_reads_in_parallel_return_their_blocks(void **state)
{
	enum { NR = 128, SIZE = 4096 };
	static struct aiocb cbs[NR];
	static char bufs[NR][SIZE] __attribute__((aligned(4096)));
	int fd = direct_file_or_skip(NR * SIZE, 0);

	(void)state;
	for (int round = 0; round < 5; round++) {
		memset(bufs, 0, sizeof(bufs));
		for (int i = 0; i < NR; i++) {
			aiocb_init(&cbs[i], fd, bufs[i], SIZE, i * SIZE);
			check_equal(aio_read(&cbs[i]), 0);
		}
		for (int i = NR - 1; i >= 0; i--) {
			check_equal(await_result(&cbs[i]), SIZE);
			check_pattern(bufs[i], (size_t)i * SIZE, SIZE);
		}
	}
	close(fd);
}

static void test_direct_read_at_end_of_file_is_short(void **state)
{
	static char buf[8192] __attribute__((aligned(4096)));
	int fd = direct_file_or_skip(8192, 0);

	(void)state;
	check(ftruncate(fd, 5000) == 0);
	check_equal(read_now(fd, buf, 8192, 0), 5000);
	check_pattern(buf, 0, 5000);
	check_equal(read_now(fd, buf, 8192, 4096), 904);
	check_equal(read_now(fd, buf, 8192, 8192), 0);
	check_equal(read_now(fd, buf, 0, 0), 0);
	close(fd);
}

static void test_direct_read_with_bad_alignment_fails(void **state)
{
	static char buf[8192] __attribute__((aligned(4096)));
	int fd = direct_file_or_skip(8192, 0);

	(void)state;
	check_read_fails(fd, buf, 100, 0, EINVAL);
	check_read_fails(fd, buf, 4096, 100, EINVAL);
	check_read_fails(fd, buf + 1, 4096, 0, EINVAL);
	check_read_fails(fd, buf, 4096, -4096, EINVAL);
	close(fd);
}

static void test_direct_read_into_bad_memory_fails_with_efault(void **state)
{
	char *map = page_before_a_hole();
	int fd = direct_file_or_skip(8192, 0);

	(void)state;
	check_read_fails(fd, NULL, 4096, 0, EFAULT);
	check_read_fails(fd, map + page_size(), 4096, 0, EFAULT);
	munmap(map, 2 * page_size());
	close(fd);
}

static void test_direct_mode_is_noticed_when_it_is_switched(void **state)
{
	static char buf[4096] __attribute__((aligned(4096)));
	int fd = direct_file_or_skip(8192, 0);
	int flags;

	(void)state;
	flags = fcntl(fd, F_GETFL);
	for (int round = 0; round < 10; round++) {
		check(fcntl(fd, F_SETFL, flags & ~O_DIRECT) == 0);
		check_equal(read_now(fd, buf + 1, 100, 7), 100);
		check_pattern(buf + 1, 7, 100);
		check(fcntl(fd, F_SETFL, flags | O_DIRECT) == 0);
		check_equal(read_now(fd, buf, 4096, 4096), 4096);
		check_pattern(buf, 4096, 4096);
	}
	close(fd);
}

int main(void)
{
	const struct CMUnitTest aio_read_tests[] = {
		cmocka_unit_test(test_read_returns_the_data_at_the_offset),
		cmocka_unit_test(test_read_leaves_the_public_fields_alone),
		cmocka_unit_test(test_read_does_not_move_the_file_position),
		cmocka_unit_test(test_read_is_short_at_end_of_file_and_zero_behind_it),
		cmocka_unit_test(test_read_of_zero_bytes_returns_zero),
		cmocka_unit_test(test_read_sees_a_hole_as_zeros),
		cmocka_unit_test(test_read_reaches_beyond_four_gigabytes),
		cmocka_unit_test(test_names_with_64_are_the_same_functions),
		cmocka_unit_test(test_many_reads_at_once_return_their_own_data),
		cmocka_unit_test(test_read_of_many_megabytes_is_whole),
		cmocka_unit_test(test_read_of_a_memory_file_works),
		cmocka_unit_test(test_read_of_a_bad_descriptor_fails_later_with_ebadf),
		cmocka_unit_test(test_read_needs_a_descriptor_open_for_reading),
		cmocka_unit_test(test_read_with_negative_offset_fails_on_a_file),
		cmocka_unit_test(test_read_with_negative_offset_fails_on_streams),
		cmocka_unit_test(test_read_at_the_last_offset_overflows),
		cmocka_unit_test(test_read_with_an_impossible_length_fails_with_efault),
		cmocka_unit_test(test_read_length_is_not_cut_to_32_bits),
		cmocka_unit_test(test_read_into_bad_memory_fails_with_efault),
		cmocka_unit_test(test_read_into_half_bad_memory_is_short),
		cmocka_unit_test(test_failed_read_of_a_pipe_loses_no_data),
		cmocka_unit_test(test_buffer_unmapped_under_a_blocked_read_gives_efault),
		cmocka_unit_test(test_priority_out_of_range_is_rejected_at_the_call),
		cmocka_unit_test(test_direct_reads_in_parallel_return_their_blocks),
		cmocka_unit_test(test_direct_read_at_end_of_file_is_short),
		cmocka_unit_test(test_direct_read_with_bad_alignment_fails),
		cmocka_unit_test(test_direct_read_into_bad_memory_fails_with_efault),
		cmocka_unit_test(test_direct_mode_is_noticed_when_it_is_switched),
	};

	return cmocka_run_group_tests(aio_read_tests, NULL, NULL);
}
