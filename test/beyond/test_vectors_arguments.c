// SPDX-License-Identifier: MIT
/*
 * test_vectors_arguments.c - vectors, buffers and descriptors that aio_readv() and aio_writev()
 * take or refuse
 */
#include "vectors.h"

#include <dlfcn.h>
#include <sys/mman.h>

#define BLOCK 4096

/* ---- arguments ---- */

static int transfer_nothing(void)
{
	int fds[] = { temp_file_filled(100), memory_file(), direct_file(BLOCK, 0) }, pair[2];
	struct iovec empty[3] = { { NULL, 0 } };
	struct aiocb cb;

	open_pipe(pair);
	for (size_t nr = 0; nr <= 3; nr++) {
		for (int i = 0; i < 3; i++) {
			if (fds[i] < 0)
				continue;
			submit_readv(&cb, fds[i], empty, nr, 0);
			check_equal(outcome(&cb), 0);
			submit_writev(&cb, fds[i], empty, nr, 0);
			check_equal(outcome(&cb), 0);
		}
		submit_writev(&cb, pair[1], empty, nr, 0);
		check_equal(outcome(&cb), 0);
	}
	submit_readv(&cb, fds[0], NULL, 0, 0); /* no vector is read */
	check_equal(outcome(&cb), 0);
	return 0;
}

static int refuse_vectors(void)
{
	static struct iovec many[IOV_MAX + 1];
	struct iovec huge[] = { { many, (size_t)SSIZE_MAX }, { many, 1 } };
	struct iovec wraps[] = { { many, SIZE_MAX }, { many, 2 } };
	int fd = temp_file_filled(100);
	struct aiocb cb;

	refuse_readv(&cb, fd, many, IOV_MAX + 1, EINVAL);
	refuse_readv(&cb, fd, many, (size_t)-1, EINVAL);
	refuse_readv(&cb, fd, many, (size_t)INT_MAX + 1, EINVAL);
	refuse_readv(&cb, fd, huge, 2, EINVAL);
	refuse_readv(&cb, fd, wraps, 2, EINVAL);
	submit_readv(&cb, fd, many, IOV_MAX, 0);
	check_equal(outcome(&cb), 0);
	return 0;
}

/* The end of a page, behind which nothing can be accessed. */
static char *end_of_memory(void)
{
	char *pages = mmap(NULL, 2 * page_size(), PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(pages != MAP_FAILED);
	check_equal(mprotect(pages + page_size(), page_size(), PROT_NONE), 0);
	return pages + page_size();
}

static int refuse_absent_vectors(void)
{
	char *end = end_of_memory(), byte = 0;
	struct iovec one = { &byte, 1 };
	int fd = temp_file_filled(100);
	struct aiocb cb;

	refuse_readv(&cb, fd, NULL, 1, EFAULT);
	refuse_readv(&cb, fd, (struct iovec *)end, 1, EFAULT);
	refuse_readv(&cb, fd, (struct iovec *)-sizeof(one), 1, EFAULT);
	for (int nr = 1; nr <= 3; nr++) {
		struct iovec *vector = (struct iovec *)end - nr;

		for (int i = 0; i < nr; i++)
			vector[i] = one;
		refuse_readv(&cb, fd, vector, (size_t)nr + 1, EFAULT);
		refuse_readv(&cb, fd, vector, IOV_MAX, EFAULT);
		submit_readv(&cb, fd, vector, (size_t)nr, 0);
		check_equal(outcome(&cb), nr);
		check_equal(byte, (char)pattern_at((size_t)nr - 1));
	}
	return 0;
}

/* The result is that of preadv(), which stops at the first bad address. */
static void read_to_absent(int fd, char *buf, size_t size, char *absent)
{
	struct iovec vectors[][3] = {
		{ { buf, size }, { absent, size }, { buf, size } },
		{ { absent, size }, { buf, size }, { buf, size } },
		{ { buf, size }, { absent - 1, size }, { buf, size } },
		{ { buf, size }, { buf, size }, { (void *)-4096, size } },
	};
	struct aiocb cb;

	for (int i = 0; i < 4; i++) {
		ssize_t expected = preadv(fd, vectors[i], 3, 0);

		submit_readv(&cb, fd, vectors[i], 3, 0);
		check_equal(outcome(&cb), expected < 0 ? -errno : expected);
	}
}

static int fail_at_buffers(void)
{
	char *absent = end_of_memory(), *buf = direct_buffer(BLOCK);
	int fd = temp_file_filled(16 * BLOCK), direct = direct_file(16 * BLOCK, 0);
	int memory = memory_file(), fds[2];
	struct iovec vector[] = { { buf, 4 }, { absent, 4 } };
	struct aiocb cb;
	char *data = direct_buffer(16 * BLOCK);

	check_equal(write(memory, data, 16 * BLOCK), 16 * BLOCK);
	for (int i = 0; i < 4; i++) {
		read_to_absent(fd, buf, 1000, absent);
		read_to_absent(memory, buf, 1000, absent);
		if (direct >= 0)
			read_to_absent(direct, buf, BLOCK, absent);
	}
	submit_writev(&cb, fd, vector + 1, 1, 0);
	check_equal(outcome(&cb), -EFAULT);
	open_pipe(fds);
	submit_writev(&cb, fds[1], vector + 1, 1, 0);
	check_equal(outcome(&cb), -EFAULT);
	return 0;
}

static int fail_as_plain_calls(void)
{
	int fd = temp_file_filled(BLOCK), fds[2];
	int read_only = reopen(fd, O_RDONLY), write_only = reopen(fd, O_WRONLY);
	char buf[100] = "";
	struct iovec vector[] = { { buf, 50 }, { buf + 50, 50 } };
	struct aiocb cb;

	submit_readv(&cb, 12345, vector, 2, 0);
	check_equal(outcome(&cb), -EBADF);
	submit_readv(&cb, write_only, vector, 2, 0);
	check_equal(outcome(&cb), -EBADF);
	submit_writev(&cb, read_only, vector, 2, 0);
	check_equal(outcome(&cb), -EBADF);
	submit_readv(&cb, fd, vector, 2, -1);
	check_equal(outcome(&cb), -EINVAL);
	signal(SIGPIPE, SIG_IGN);
	open_pipe(fds);
	close(fds[0]);
	submit_writev(&cb, fds[1], vector, 2, 0);
	check_equal(outcome(&cb), -EPIPE);
	aiocb_init(&cb, fd, vector, 2, 0);
	cb.aio_reqprio = -1;
	check(call_readv(&cb) == -1 && errno == EINVAL);
	return 0;
}

/* An entry may be longer than a call can transfer.  O_DIRECT may refuse unaligned buffers. */
static int read_long_and_misaligned(void)
{
	char *buf = direct_buffer(4 * BLOCK);
	struct iovec longer[] = { { buf, 100 }, { buf + 100, (size_t)1 << 40 } };
	struct iovec skewed[] = { { buf, BLOCK }, { buf + BLOCK + 1, BLOCK } };
	struct iovec partly[] = { { buf, BLOCK }, { buf + BLOCK, 100 } };
	int fd = temp_file_filled(BLOCK), direct = direct_file(4 * BLOCK, 0);
	struct aiocb cb;

	for (int i = 0; i < 3; i++) {
		memset(buf, 0, BLOCK);
		submit_readv(&cb, fd, longer, 2, 0);
		check_equal(outcome(&cb), BLOCK);
		check_pattern(buf, 0, BLOCK);
	}
	for (int i = 0; i < 6 && direct >= 0; i++) {
		struct iovec *vector = i % 2 ? skewed : partly;
		ssize_t expected = preadv(direct, vector, 2, 0);

		submit_readv(&cb, direct, vector, 2, 0);
		check_equal(outcome(&cb), expected < 0 ? -errno : expected);
	}
	return 0;
}

TEST_OF_VECTORS(test_vectors_may_be_empty, transfer_nothing, 20000)
TEST_OF_VECTORS(test_wrong_vectors_are_refused, refuse_vectors, 20000)
TEST_OF_VECTORS(test_vectors_that_are_not_there_are_refused, refuse_absent_vectors, 20000)
TEST_OF_VECTORS(test_buffers_that_are_not_there_fail_the_request, fail_at_buffers, 20000)
TEST_OF_VECTORS(test_vectored_requests_fail_as_plain_calls_do, fail_as_plain_calls, 20000)
TEST_OF_VECTORS(test_odd_lengths_are_those_of_preadv, read_long_and_misaligned, 20000)

/* ---- the rest of the interface ---- */

static int use_names_with_64(void)
{
	int (*readv64)(struct aiocb64 *) =
		(int (*)(struct aiocb64 *))dlsym(RTLD_DEFAULT, "aio_readv64");
	int (*writev64)(struct aiocb64 *) =
		(int (*)(struct aiocb64 *))dlsym(RTLD_DEFAULT, "aio_writev64");
	char buf[] = "ab", found[3] = "";
	struct iovec from = { buf, 2 }, to = { found, 2 };
	struct aiocb cb;

	check(readv64 && writev64);
	aiocb_init(&cb, temp_file(0), &from, 1, 0);
	check_equal(writev64((struct aiocb64 *)&cb), 0);
	check_equal(outcome(&cb), 2);
	cb.aio_iov = &to;
	check_equal(readv64((struct aiocb64 *)&cb), 0);
	check_equal(outcome(&cb), 2);
	check_memory(found, buf, 2);
	return 0;
}

/* The library leaves all calls to glibc, which has no vectored requests. */
static int stand_aside(void)
{
	char byte;
	struct iovec vector = { &byte, 1 };
	struct aiocb cb, *list[] = { &cb };
	int fd = temp_file_filled(1);

	setenv("RTAIO_BACKEND", "glibc", 1);
	refuse_readv(&cb, fd, &vector, 1, ENOSYS);
	check(call_writev(&cb) == -1 && errno == ENOSYS);
	aiocb_init_lio(&cb, LIO_READV, fd, &vector, 1, 0);
	check_equal(lio_listio(LIO_WAIT, list, 1, NULL), -1);
	return 0;
}

TEST_OF_VECTORS(test_names_with_64, use_names_with_64, 10000)
TEST_OF_VECTORS(test_no_vectors_while_the_library_stands_aside, stand_aside, 10000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors_may_be_empty),
		cmocka_unit_test(test_wrong_vectors_are_refused),
		cmocka_unit_test(test_vectors_that_are_not_there_are_refused),
		cmocka_unit_test(test_buffers_that_are_not_there_fail_the_request),
		cmocka_unit_test(test_vectored_requests_fail_as_plain_calls_do),
		cmocka_unit_test(test_odd_lengths_are_those_of_preadv),
		cmocka_unit_test(test_names_with_64),
		cmocka_unit_test(test_no_vectors_while_the_library_stands_aside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
