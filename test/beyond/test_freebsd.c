// SPDX-License-Identifier: MIT
/*
 * test_freebsd.c - what FreeBSD's manual says of aio_waitcomplete and of notification
 *
 * Its statements that the other programs here do not ask for, and where rtaio has decided
 * otherwise.  Some are about calls that meet: a vectored request that is collected, or announced at
 * an eventfd.
 */
#include "../../include/rtaio.h"

/* Here, before all other headers: that one brings in what a program needs. */
static void announce_at(struct aiocb *cb, int eventfd)
{
	cb->aio_sigevent.sigev_notify = SIGEV_EVENTFD;
	cb->aio_sigevent.sigev_notify_eventfd = eventfd;
}

static void set_vector(struct aiocb *cb, struct iovec *vector, size_t nr)
{
	cb->aio_iov = vector;
	cb->aio_iovcnt = nr;
}

typedef int vectored_fn(struct aiocb *cb);
typedef ssize_t collecting_fn(struct aiocb **iocbp, const struct timespec *timeout);

_Static_assert(_Generic(&aio_readv, vectored_fn * : 1, default : 0), "aio_readv");
_Static_assert(_Generic(&aio_writev, vectored_fn * : 1, default : 0), "aio_writev");
_Static_assert(_Generic(&aio_waitcomplete, collecting_fn * : 1, default : 0), "aio_waitcomplete");

#include "vectors.h"
#include "waitcomplete.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

/* ---- aio_waitcomplete ---- */

static _Atomic bool is_wait_over;

/* With a timeout that nobody reaches. */
static void *wait_for_long(void *res)
{
	static const struct timespec long_time = { .tv_sec = 1000 };

	check(collect(res, &long_time) == NULL);
	is_wait_over = true;
	return NULL;
}

static bool is_over_after_signal(pthread_t thread)
{
	if (!is_wait_over)
		pthread_kill(thread, SIGUSR1);
	return is_wait_over;
}

/* The first signals may come before the wait. */
static int interrupt_timed_wait(void)
{
	pthread_t thread;
	ssize_t res;

	catch_signal(SIGUSR1, SA_RESTART);
	thread = start_thread(wait_for_long, &res);
	eventually(is_over_after_signal(thread));
	join_thread(thread);
	check_equal(res, -EINTR);
	return 0;
}

/* aio_return of a block that was collected takes no other request. */
static int ask_again(void)
{
	static struct aiocb good, bad, other;
	static char bytes[3];
	int fd = temp_file_filled(1);

	check_nothing_left();
	submit_read(&good, fd, &bytes[0], 1, 0);
	check_equal(collect_this(&good), 1);
	submit_read(&bad, -1, &bytes[1], 1, 0);
	check_equal(collect_this(&bad), -EBADF);
	submit_read(&other, fd, &bytes[2], 1, 0);
	check_equal(await(&other), 0);
	for (int i = 0; i < 3; i++) {
		check_equal(aio_error(&good), 0);
		check_equal(aio_return(&good), 1);
		check_equal(aio_error(&bad), EBADF);
		check_equal(aio_return(&bad), -1);
	}
	check_equal(collect_this(&other), 1);
	check_nothing_left();
	return 0;
}

static int stand_aside(void)
{
	ssize_t res;

	setenv("RTAIO_BACKEND", "glibc", 1);
	check(collect(&res, &at_once) == NULL);
	check_equal(res, -ENOSYS);
	return 0;
}

TEST_WAITCOMPLETE(test_restarting_handler_ends_a_wait_with_a_timeout, interrupt_timed_wait, 20000)
TEST_WAITCOMPLETE(test_collected_request_still_tells_its_result, ask_again, 20000)
TEST_WAITCOMPLETE(test_no_collection_while_the_library_stands_aside, stand_aside, 10000)

/* ---- SIGEV_EVENTFD ---- */

static void init_entry(struct aiocb *cb, int fd, const char *text, int eventfd)
{
	aiocb_init_lio(cb, LIO_WRITE, fd, (void *)(uintptr_t)text, strlen(text), 0);
	cb->aio_sigevent.sigev_notify = SIGEV_NONE;
	if (eventfd >= 0)
		announce_at(cb, eventfd);
}

/* No descriptor has the number of the second one's eventfd. */
static int refuse_entry(void)
{
	static struct aiocb cbs[3], *list[] = { &cbs[0], &cbs[1], &cbs[2] };
	int event = eventfd(0, EFD_CLOEXEC), fds[2];
	char found[4];

	for (int is_waiting = 0; is_waiting < 2; is_waiting++) {
		open_pipe(fds);
		init_entry(&cbs[0], fds[1], "ab", event);
		init_entry(&cbs[1], fds[1], "xx", 1000000);
		init_entry(&cbs[2], fds[1], "cd", -1);
		errno = 0;
		check_equal(lio_listio(is_waiting ? LIO_WAIT : LIO_NOWAIT, list, 3, NULL), -1);
		check_equal(errno, is_waiting ? EIO : EBADF);
		check_equal(aio_error(&cbs[1]), EBADF);
		check_equal(outcome(&cbs[0]), 2);
		check_equal(outcome(&cbs[2]), 2);
		read_fully(fds[0], found, 4);
		check_memory(found, "abcd", 4);
		close(fds[1]);
		check_equal(read(fds[0], found, 1), 0);
		close(fds[0]);
	}
	return 0;
}

static int refuse_list(void)
{
	static struct aiocb cbs[2], *list[] = { &cbs[0], &cbs[1] };
	struct sigevent event = { .sigev_notify = SIGEV_EVENTFD };
	int fd = temp_file(0), fds[2];
	char byte;

	check_nothing_left();
	open_pipe(fds);
	event.sigev_notify_eventfd = fd;
	init_entry(&cbs[0], fds[1], "ab", -1);
	init_entry(&cbs[1], fd, "cd", -1);
	errno = 0;
	check_equal(lio_listio(LIO_NOWAIT, list, 2, &event), -1);
	check_equal(errno, EINVAL);
	check_nothing_left();
	close(fds[1]);
	check_equal(read(fds[0], &byte, 1), 0);
	check_equal(file_size(fd), 0);
	return 0;
}

#define NR_EVENTFDS 1024

/* The last one is accepted when another one is not in use any more. */
static int use_too_many(void)
{
	static struct aiocb cbs[NR_EVENTFDS + 1];
	static char bytes[NR_EVENTFDS + 1];
	int fds[2];

	if (!allow_descriptors(NR_EVENTFDS + 100))
		return CHILD_SKIPPED;
	open_pipe(fds);
	for (int i = 0; i <= NR_EVENTFDS; i++) {
		aiocb_init(&cbs[i], fds[0], &bytes[i], 1, 0);
		announce_at(&cbs[i], eventfd(0, EFD_CLOEXEC));
		errno = 0;
		check_equal(aio_read(&cbs[i]), i < NR_EVENTFDS ? 0 : -1);
	}
	check_equal(errno, EAGAIN);
	write_fully(fds[1], "x", 1);
	check_equal(collect_this(&cbs[0]), 1);
	eventually(aio_read(&cbs[NR_EVENTFDS]) == 0);
	return 0;
}

TEST_WAITCOMPLETE(test_refused_eventfd_of_an_entry_leaves_the_others, refuse_entry, 20000)
TEST_WAITCOMPLETE(test_refused_eventfd_of_a_list_begins_nothing, refuse_list, 20000)
TEST_WAITCOMPLETE(test_too_many_eventfds_are_refused, use_too_many, 20000)

/* ---- aio_readv and aio_writev, collected and announced ---- */

static void check_counted(int eventfd)
{
	uint64_t value = 0;

	check_equal(read(eventfd, &value, sizeof(value)), sizeof(value));
	check_equal(value, 1);
}

static int collect_vectors(void)
{
	struct pieces pieces = pieces_make(30, 100, true);
	struct iovec absent = { (void *)1, 1 };
	static struct aiocb cb, *list[] = { &cb };
	int fd = temp_file(0), event = eventfd(0, EFD_CLOEXEC);

	if (!has_vectors())
		return CHILD_SKIPPED;
	check_nothing_left();
	pieces_fill(&pieces, 3);
	submit_writev(&cb, fd, pieces.entries, pieces.nr, 0);
	check_equal(collect_this(&cb), pieces.nbytes);
	pieces_clear(&pieces);
	aiocb_init(&cb, fd, pieces.entries, pieces.nr, 0);
	announce_at(&cb, event);
	check_equal(call_readv(&cb), 0);
	check_counted(event);
	check_equal(collect_this(&cb), pieces.nbytes);
	pieces_check(&pieces, 3, pieces.nbytes);
	aiocb_init_lio(&cb, LIO_READV, fd, pieces.entries, pieces.nr, 0);
	check_equal(lio_listio(LIO_NOWAIT, list, 1, NULL), 0);
	check_equal(collect_this(&cb), pieces.nbytes);
	submit_readv(&cb, fd, &absent, 1, 0);
	check_equal(collect_this(&cb), -EFAULT);
	check_nothing_left();
	return 0;
}

TEST_WAITCOMPLETE(test_vectored_requests_are_collected_and_announced, collect_vectors, 20000)

/* ---- the header ---- */

static int use_header_alone(void)
{
	struct iovec vector[2];
	struct aiocb cb;

	set_vector(&cb, vector, 2);
	announce_at(&cb, 5);
	check(cb.aio_buf == (volatile void *)vector);
	check_equal(cb.aio_nbytes, 2);
	check_equal(cb.aio_sigevent.sigev_notify_eventfd, 5);
	return 0;
}

static bool are_distinct(const int *values, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		for (size_t j = 0; j < i; j++)
			if (values[i] == values[j])
				return false;
	return true;
}

static int compare_constants(void)
{
	static const int opcodes[] = { LIO_READ, LIO_WRITE, LIO_NOP, LIO_READV, LIO_WRITEV };
	static const int kinds[] = { SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD, SIGEV_THREAD_ID,
				     SIGEV_EVENTFD };

	check(are_distinct(opcodes, sizeof(opcodes) / sizeof(*opcodes)));
	check(are_distinct(kinds, sizeof(kinds) / sizeof(*kinds)));
	return 0;
}

TEST_OF_VECTORS(test_header_alone_is_enough_for_a_program, use_header_alone, 10000)
TEST_OF_VECTORS(test_constants_differ_from_those_of_libc, compare_constants, 10000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_restarting_handler_ends_a_wait_with_a_timeout),
		cmocka_unit_test(test_collected_request_still_tells_its_result),
		cmocka_unit_test(test_no_collection_while_the_library_stands_aside),
		cmocka_unit_test(test_refused_eventfd_of_an_entry_leaves_the_others),
		cmocka_unit_test(test_refused_eventfd_of_a_list_begins_nothing),
		cmocka_unit_test(test_too_many_eventfds_are_refused),
		cmocka_unit_test(test_vectored_requests_are_collected_and_announced),
		cmocka_unit_test(test_header_alone_is_enough_for_a_program),
		cmocka_unit_test(test_constants_differ_from_those_of_libc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
