// SPDX-License-Identifier: MIT
/*
 * test_layout.c - struct aiocb is laid out as programs were compiled with it
 *
 * Programs and library meet in this struct and in nothing else, so the layout
 * is an interface: glibc's, asserted here at compile time.  Two private words
 * matter as well, because debuggers and old inlined code read them: the error
 * code and the return value.
 */
#include "../support/support.h"

#include <sys/types.h>

#define AT(type, member, offset) \
	_Static_assert(offsetof(struct type, member) == (offset), #type "." #member)

#ifdef __LP64__
#define ERROR_CODE_AT   112
#define RETURN_VALUE_AT 120

AT(aiocb, aio_fildes, 0);
AT(aiocb, aio_lio_opcode, 4);
AT(aiocb, aio_reqprio, 8);
AT(aiocb, aio_buf, 16);
AT(aiocb, aio_nbytes, 24);
AT(aiocb, aio_sigevent, 32);
AT(aiocb, aio_offset, 128);
_Static_assert(sizeof(struct aiocb) == 168, "size of aiocb");
_Static_assert(_Alignof(struct aiocb) == 8, "alignment of aiocb");
AT(sigevent, sigev_value, 0);
AT(sigevent, sigev_signo, 8);
AT(sigevent, sigev_notify, 12);
AT(sigevent, sigev_notify_function, 16);
AT(sigevent, sigev_notify_attributes, 24);
#ifdef __USE_GNU
AT(aiocb64, aio_offset, 128);
_Static_assert(sizeof(struct aiocb64) == 168, "size of aiocb64");
AT(aioinit, aio_threads, 0);
AT(aioinit, aio_num, 4);
AT(aioinit, aio_idle_time, 24);
#endif
#elif defined(__i386__)
#define ERROR_CODE_AT   96
#define RETURN_VALUE_AT 100

AT(aiocb, aio_fildes, 0);
AT(aiocb, aio_lio_opcode, 4);
AT(aiocb, aio_reqprio, 8);
AT(aiocb, aio_buf, 12);
AT(aiocb, aio_nbytes, 16);
AT(aiocb, aio_sigevent, 20);
AT(aiocb, aio_offset, 104);
_Static_assert(sizeof(struct aiocb) == 144, "size of aiocb");
#else
#error "add the layout of this architecture"
#endif

_Static_assert(sizeof(struct sigevent) == 64, "size of sigevent");
_Static_assert(AIO_CANCELED == 0 && AIO_NOTCANCELED == 1 && AIO_ALLDONE == 2, "aio_cancel");
_Static_assert(LIO_READ == 0 && LIO_WRITE == 1 && LIO_NOP == 2, "opcodes");
_Static_assert(LIO_WAIT == 0 && LIO_NOWAIT == 1, "modes");
_Static_assert(SIGEV_SIGNAL == 0 && SIGEV_NONE == 1 && SIGEV_THREAD == 2, "notification");

static int error_code_of(const struct aiocb *cb)
{
	int code;

	memcpy(&code, (const char *)cb + ERROR_CODE_AT, sizeof(code));
	return code;
}

static ssize_t return_value_of(const struct aiocb *cb)
{
	ssize_t value;

	memcpy(&value, (const char *)cb + RETURN_VALUE_AT, sizeof(value));
	return value;
}

static void test_error_code_and_return_value_stand_where_glibc_keeps_them(void **state)
{
	int fds[2];
	char byte = 0;
	struct aiocb cb;

	(void)state;
	open_pipe(fds);
	aiocb_init(&cb, fds[0], &byte, 1, 0);
	check_equal(aio_read(&cb), 0);
	check_equal(error_code_of(&cb), EINPROGRESS);
	write_fully(fds[1], "x", 1);
	check_equal(await(&cb), 0);
	check_equal(error_code_of(&cb), 0);
	check_equal(return_value_of(&cb), 1);
	close_pair(fds);
}

static void test_failure_leaves_errno_in_the_error_code(void **state)
{
	struct aiocb cb;
	char byte;

	(void)state;
	aiocb_init(&cb, -1, &byte, 1, 0);
	check_equal(aio_read(&cb), 0);
	check_equal(await(&cb), EBADF);
	check_equal(error_code_of(&cb), EBADF);
	check_equal(return_value_of(&cb), -1);
}

/* A replacement may use the private bytes, and nothing behind or before them. */
static void test_bytes_around_the_control_block_are_not_written(void **state)
{
	struct {
		unsigned char before[64];
		struct aiocb cb;
		unsigned char behind[64];
	} box;
	unsigned char untouched[64];
	char byte;
	int fd = temp_file_filled(16);

	(void)state;
	memset(&box, 0x5a, sizeof(box));
	memset(untouched, 0x5a, sizeof(untouched));
	aiocb_init(&box.cb, fd, &byte, 1, 0);
	check_equal(aio_read(&box.cb), 0);
	check_equal(await_result(&box.cb), 1);
	check_memory(box.before, untouched, sizeof(untouched));
	check_memory(box.behind, untouched, sizeof(untouched));
	check_equal(close(fd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_error_code_and_return_value_stand_where_glibc_keeps_them),
		cmocka_unit_test(test_failure_leaves_errno_in_the_error_code),
		cmocka_unit_test(test_bytes_around_the_control_block_are_not_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
