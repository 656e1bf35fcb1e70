// SPDX-License-Identifier: MIT
/*
 * test_header.c - what <aio.h> declares, and the limits it speaks of
 *
 * A strictly conforming program is compiled against this header alone, so it
 * comes first here and no extension is asked for.  Most of it is asserted at
 * compile time; the functions run what only a running program can ask.
 */
#undef _GNU_SOURCE
#define _POSIX_C_SOURCE 200809L
#include <aio.h>

/* Types that the header must bring along, complete. */
struct brought_along {
	off_t offset;
	size_t size;
	ssize_t signed_size;
	struct timespec timeout;
	struct sigevent event;
	union sigval value;
	pthread_attr_t *attributes;
};

/* Prototypes: each pointer takes the function, and nothing of another type. */
static int (*const cancel)(int, struct aiocb *) = aio_cancel;
static int (*const get_error)(const struct aiocb *) = aio_error;
static int (*const start_sync)(int, struct aiocb *) = aio_fsync;
static int (*const start_read)(struct aiocb *) = aio_read;
static ssize_t (*const get_return)(struct aiocb *) = aio_return;
static int (*const wait_for)(const struct aiocb *const[], int,
			     const struct timespec *) = aio_suspend;
static int (*const start_write)(struct aiocb *) = aio_write;
/* glibc leaves out that the pointers of the list are restrict, too. */
static int (*const start_list)(int, struct aiocb *const[restrict], int,
			       struct sigevent *restrict) = lio_listio;

#include "../support/support.h"

#define IS_OF_TYPE(type, expression) _Generic(&(expression), type * : 1, default : 0)
#define CB_HAS(type, member)                                          \
	_Static_assert(IS_OF_TYPE(type, ((struct aiocb *)0)->member), \
		       "aiocb." #member " is no " #type)
#define EVENT_HAS(type, member)                                          \
	_Static_assert(IS_OF_TYPE(type, ((struct sigevent *)0)->member), \
		       "sigevent." #member " is no " #type)
#define DIFFER(a, b, c) _Static_assert((a) != (b) && (b) != (c) && (a) != (c), #a ", " #b ", " #c)

CB_HAS(int, aio_fildes);
CB_HAS(off_t, aio_offset);
CB_HAS(volatile void *, aio_buf);
CB_HAS(size_t, aio_nbytes);
CB_HAS(int, aio_reqprio);
CB_HAS(struct sigevent, aio_sigevent);
CB_HAS(int, aio_lio_opcode);

EVENT_HAS(int, sigev_notify);
EVENT_HAS(int, sigev_signo);
EVENT_HAS(union sigval, sigev_value);
_Static_assert(IS_OF_TYPE(int, ((union sigval *)0)->sival_int), "sival_int");
_Static_assert(IS_OF_TYPE(void *, ((union sigval *)0)->sival_ptr), "sival_ptr");

/* Constant expressions, good in a case label and an #if. */
DIFFER(AIO_CANCELED, AIO_NOTCANCELED, AIO_ALLDONE);
DIFFER(LIO_READ, LIO_WRITE, LIO_NOP);
DIFFER(SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD);
_Static_assert(LIO_WAIT != LIO_NOWAIT, "modes");

#if _POSIX_ASYNCHRONOUS_IO <= 0 || _POSIX_PRIORITIZED_IO <= 0 || _POSIX_SYNCHRONIZED_IO <= 0
#error "the options are not there"
#endif

/* Not plain function pointers in C: assigned where the type is asked for. */
static void set_callback(struct sigevent *event, void (*callback)(union sigval),
			 pthread_attr_t *attributes)
{
	event->sigev_notify_function = callback;
	event->sigev_notify_attributes = attributes;
}

static sem_t called;

static void note_call(union sigval value)
{
	check(value.sival_ptr == &called);
	sem_post(&called);
}

/* All of them, by nothing but what the header declares. */
static void test_header_alone_is_enough_for_a_program(void **state)
{
	struct aiocb cb = { 0 }, *list[1] = { &cb };
	const struct aiocb *waited[1] = { &cb };
	struct brought_along all = { .timeout = { .tv_sec = default_deadline_ms() / 1000 } };
	int fd = temp_file(0);
	char text[] = "hello";

	(void)state;
	check(sem_init(&called, 0, 0) == 0);
	all.value.sival_ptr = &called;
	all.event.sigev_notify = SIGEV_THREAD;
	all.event.sigev_value = all.value;
	set_callback(&all.event, note_call, all.attributes);
	cb.aio_fildes = fd;
	cb.aio_buf = text;
	cb.aio_nbytes = sizeof(text);
	cb.aio_sigevent = all.event;
	check_equal(start_write(&cb), 0);
	check_equal(wait_for(waited, 1, &all.timeout), 0);
	check_equal(get_error(&cb), 0);
	check_equal(get_return(&cb), sizeof(text));
	await_semaphore(&called);
	cb.aio_sigevent.sigev_notify = SIGEV_NONE;
	check_equal(start_sync(O_SYNC, &cb), 0);
	check_equal(await_result(&cb), 0);
	memset(text, 0, sizeof(text));
	check_equal(start_read(&cb), 0);
	check_equal(await_result(&cb), sizeof(text));
	check_memory(text, "hello", sizeof(text));
	cb.aio_lio_opcode = LIO_READ;
	check_equal(start_list(LIO_WAIT, list, 1, NULL), 0);
	check_equal(cancel(fd, &cb), AIO_ALLDONE);
	close(fd);
}

/* A limit that the system does not have is -1, with errno as it was. */
static void check_limit(int name, long least)
{
	long limit;

	errno = 0;
	limit = sysconf(name);
	check_equal(errno, 0);
	check(limit == -1 || limit >= least);
}

static void test_limits_are_at_least_those_of_the_standard(void **state)
{
	(void)state;
	check_limit(_SC_AIO_LISTIO_MAX, _POSIX_AIO_LISTIO_MAX);
	check_limit(_SC_AIO_MAX, _POSIX_AIO_MAX);
	check(sysconf(_SC_AIO_PRIO_DELTA_MAX) >= 0);
	check(sysconf(_SC_ASYNCHRONOUS_IO) > 0);
	check(sysconf(_SC_PRIORITIZED_IO) > 0);
	check(sysconf(_SC_SYNCHRONIZED_IO) > 0);
}

static int read_with_priority(int fd, int priority)
{
	struct aiocb cb;
	char byte;
	int ret;

	aiocb_init(&cb, fd, &byte, 1, 0);
	cb.aio_reqprio = priority;
	errno = 0;
	ret = aio_read(&cb);
	if (ret == 0)
		check_equal(await_result(&cb), 1);
	return ret;
}

static void test_priority_limit_is_the_highest_one_taken(void **state)
{
	int limit = (int)sysconf(_SC_AIO_PRIO_DELTA_MAX);
	int fd = temp_file_filled(1);

	(void)state;
	for (int priority = 0; priority <= limit; priority++)
		check_equal(read_with_priority(fd, priority), 0);
	check_equal(read_with_priority(fd, limit + 1), -1);
	check_equal(errno, EINVAL);
	close(fd);
}

/* Both are at least what a program may count on; here there are no limits. */
static void test_lists_and_requests_reach_the_limits(void **state)
{
	long listio_max = sysconf(_SC_AIO_LISTIO_MAX), max = sysconf(_SC_AIO_MAX);
	enum { MANY = 1000 };
	static struct aiocb cbs[MANY], *list[MANY];
	static char bytes[MANY];
	int nr = MANY, fds[2];

	(void)state;
	if (listio_max >= 0 && listio_max < nr)
		nr = (int)listio_max;
	if (max >= 0 && max < nr)
		nr = (int)max;
	open_pipe(fds);
	for (int i = 0; i < nr; i++) {
		aiocb_init_lio(&cbs[i], LIO_READ, fds[0], &bytes[i], 1, 0);
		list[i] = &cbs[i];
	}
	check_equal(lio_listio(LIO_NOWAIT, list, nr, NULL), 0);
	for (int i = 0; i < nr; i++)
		check_equal(aio_error(&cbs[i]), EINPROGRESS);
	for (int i = 0; i < nr; i++)
		write_fully(fds[1], "x", 1);
	for (int i = 0; i < nr; i++)
		check_equal(await_result(&cbs[i]), 1);
	close_pair(fds);
}

/* What a program may ask of a file; -1 and 0 are answers as well. */
static void test_file_says_whether_it_can_do_asynchronous_io(void **state)
{
	int fd = temp_file_filled(1);

	(void)state;
	check(fpathconf(fd, _PC_ASYNC_IO) > 0);
	errno = 0;
	fpathconf(fd, _PC_PRIO_IO);
	check_equal(errno, 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest header_tests[] = {
		cmocka_unit_test(test_header_alone_is_enough_for_a_program),
		cmocka_unit_test(test_limits_are_at_least_those_of_the_standard),
		cmocka_unit_test(test_priority_limit_is_the_highest_one_taken),
		cmocka_unit_test(test_lists_and_requests_reach_the_limits),
		cmocka_unit_test(test_file_says_whether_it_can_do_asynchronous_io),
	};

	return cmocka_run_group_tests(header_tests, NULL, NULL);
}
