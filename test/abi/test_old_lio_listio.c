// SPDX-License-Identifier: MIT
/*
 * test_old_lio_listio.c - lio_listio as programs from before glibc 2.4 know it
 *
 * lio_listio@GLIBC_2.2.5 differs from its successor in one respect: it sends
 * no notification for the entries, and says so by writing SIGEV_NONE into each
 * control block.  glibc 2.34 and later break it: it does not wait any more.
 */
#include "../support/support.h"

#include <pthread.h>
#include <stdatomic.h>

#if defined(__x86_64__) && defined(__LP64__)
__asm__(".symver old_lio_listio, lio_listio@GLIBC_2.2.5");
__asm__(".symver old_lio_listio64, lio_listio64@GLIBC_2.2.5");
#elif defined(__i386__)
__asm__(".symver old_lio_listio, lio_listio@GLIBC_2.1");
__asm__(".symver old_lio_listio64, lio_listio64@GLIBC_2.1");
#else
#error "this architecture has no old lio_listio: leave this program out"
#endif

int old_lio_listio(int mode, struct aiocb *const list[], int nent, struct sigevent *sig);
int old_lio_listio64(int mode, struct aiocb64 *const list[], int nent, struct sigevent *sig);

#define ENTRY_SIGNAL (SIGRTMIN + 1)
#define GROUP_SIGNAL (SIGRTMIN + 2)

struct late_writer {
	int fd;
	atomic_bool has_returned; /* the call under test */
	bool was_early;
};

/*
 * Ends the wait of the call under test, after it had the time to return too
 * early.  A call that waits is right however long that time is.
 */
static void *write_later(void *arg)
{
	struct late_writer *writer = arg;

	writer->was_early = becomes_true(atomic_load(&writer->has_returned), 200);
	write_fully(writer->fd, "x", 1);
	return NULL;
}

static int wait_for_list(struct aiocb *cb)
{
	struct aiocb *list[] = { cb };

	return old_lio_listio(LIO_WAIT, list, 1, NULL);
}

static int wait_for_list64(struct aiocb *cb)
{
	struct aiocb64 *list[] = { (struct aiocb64 *)cb };

	return old_lio_listio64(LIO_WAIT, list, 1, NULL);
}

static void check_that_it_waits(int (*call)(struct aiocb *))
{
	struct late_writer writer;
	pthread_t thread;
	struct aiocb cb;
	char byte = 0;
	int fds[2];

	open_pipe(fds);
	writer.fd = fds[1];
	atomic_init(&writer.has_returned, false);
	aiocb_init_lio(&cb, LIO_READ, fds[0], &byte, 1, 0);
	check_equal(pthread_create(&thread, NULL, write_later, &writer), 0);
	check_equal(call(&cb), 0);
	atomic_store(&writer.has_returned, true);
	check_equal(pthread_join(thread, NULL), 0);
	check_equal(await_result(&cb), 1);
	close_pair(fds);
	check(!writer.was_early);
}

static void test_old_list_waits_for_its_entries(void **state)
{
	(void)state;
	check_that_it_waits(wait_for_list);
}

static void test_old_list_of_large_files_waits_for_its_entries(void **state)
{
	(void)state;
	check_that_it_waits(wait_for_list64);
}

/* The group's signal comes after those of the entries would have come. */
static void test_old_list_suppresses_notification_of_entries(void **state)
{
	static struct aiocb cbs[2]; /* glibc may still be at it when the test has failed */
	struct aiocb *list[] = { &cbs[0], &cbs[1] };
	struct sigevent group;
	static char buf[2];
	int fd = temp_file_filled(16);

	(void)state;
	catch_signal(ENTRY_SIGNAL, SA_RESTART);
	catch_signal(GROUP_SIGNAL, SA_RESTART);
	for (int i = 0; i < 2; i++) {
		aiocb_init_lio(&cbs[i], LIO_READ, fd, &buf[i], 1, i);
		notify_by_signal(&cbs[i].aio_sigevent, ENTRY_SIGNAL, i);
	}
	notify_by_signal(&group, GROUP_SIGNAL, 100);
	check_equal(old_lio_listio(LIO_NOWAIT, list, 2, &group), 0);
	for (int i = 0; i < 2; i++)
		check_equal(await_result(&cbs[i]), 1);
	eventually(nr_caught() >= 1 && caught(nr_caught() - 1)->si_signo == GROUP_SIGNAL);
	check_equal(nr_caught(), 1);
	check_equal(caught(0)->si_value.sival_int, 100);
	release_signals();
	check_equal(close(fd), 0);
}

static void test_old_list_writes_sigev_none_into_entries(void **state)
{
	static struct aiocb cb; /* glibc may still be at it when the test has failed */
	struct aiocb *list[] = { &cb };
	static char byte;
	int fd = temp_file_filled(16);

	(void)state;
	catch_signal(ENTRY_SIGNAL, SA_RESTART);
	aiocb_init_lio(&cb, LIO_READ, fd, &byte, 1, 0);
	notify_by_signal(&cb.aio_sigevent, ENTRY_SIGNAL, 1);
	check_equal(old_lio_listio(LIO_NOWAIT, list, 1, NULL), 0);
	check_equal(cb.aio_sigevent.sigev_notify, SIGEV_NONE);
	check_equal(await_result(&cb), 1);
	release_signals();
	check_equal(close(fd), 0);
}

static void test_old_list_reports_a_failed_entry(void **state)
{
	static struct aiocb cb; /* glibc may still be at it when the test has failed */
	struct aiocb *list[] = { &cb };
	static char byte;
	int answer, error;

	(void)state;
	aiocb_init_lio(&cb, LIO_READ, -1, &byte, 1, 0);
	answer = old_lio_listio(LIO_WAIT, list, 1, NULL);
	error = errno;
	eventually(aio_error(&cb) != EINPROGRESS);
	check_equal(answer, -1);
	check_equal(error, EIO);
	check_equal(aio_error(&cb), EBADF);
}

static void test_old_list_rejects_an_unknown_mode(void **state)
{
	(void)state;
	errno = 0;
	check_equal(old_lio_listio(2, NULL, 0, NULL), -1);
	check_equal(errno, EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_old_list_waits_for_its_entries),
		cmocka_unit_test(test_old_list_of_large_files_waits_for_its_entries),
		cmocka_unit_test(test_old_list_suppresses_notification_of_entries),
		cmocka_unit_test(test_old_list_writes_sigev_none_into_entries),
		cmocka_unit_test(test_old_list_reports_a_failed_entry),
		cmocka_unit_test(test_old_list_rejects_an_unknown_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
