// SPDX-License-Identifier: MIT
/*
 * test_sigevent.c - who is notified of the end of a request, how and when
 *
 * By a queued signal with the value given, here, or by a callback, which
 * test_callbacks.c is about.  What the handler of the signal may do is tested
 * by test_signal_handlers.c.
 */
#include "../support/support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/signalfd.h>

#define SIG_A (SIGRTMIN + 4)
#define SIG_B (SIGRTMIN + 6)

static char buf[100];

/* Take a blocked signal, waiting for it. */
static void take_signal(int signo, siginfo_t *info)
{
	struct timespec timeout = { .tv_sec = default_deadline_ms() / 1000 };
	sigset_t set;
	int ret;

	sigemptyset(&set);
	sigaddset(&set, signo);
	do
		ret = sigtimedwait(&set, info, &timeout);
	while (ret == -1 && errno == EINTR);
	check_equal(ret, signo);
}

/* ---- signals ---- */

static void test_signal_tells_its_origin_and_value(void **state)
{
	int fd = temp_file_filled(1000);
	struct sigevent event;
	struct aiocb cb;
	const siginfo_t *info;

	(void)state;
	catch_signal(SIG_A, SA_RESTART);
	catch_signal(SIGUSR1, SA_RESTART);
	for (unsigned int i = 0; i < 2; i++) {
		int signo = i ? SIGUSR1 : SIG_A;

		notify_by_signal(&event, signo, 0);
		event.sigev_value.sival_ptr = (void *)0x123456789abcdef0;
		submit_notified_read(&cb, fd, &event);
		eventually(nr_caught() == i + 1);
		info = caught(i);
		check_equal(info->si_signo, signo);
		check_equal(info->si_code, SI_ASYNCIO);
		check_equal(info->si_errno, 0);
		check_equal(info->si_pid, getpid());
		check_equal(info->si_uid, getuid());
		check(info->si_value.sival_ptr == (void *)0x123456789abcdef0);
		check_equal(await_result(&cb), 100);
	}
	release_signals();
	close(fd);
}

static void test_real_time_signals_are_queued_in_completion_order(void **state)
{
	enum { NR = 26 };
	static struct aiocb cbs[NR];
	static char bytes[NR];
	siginfo_t info;
	int fds[2];

	(void)state;
	change_mask(SIG_BLOCK, SIG_A);
	open_pipe(fds);
	for (int i = 0; i < NR; i++) {
		aiocb_init(&cbs[i], fds[0], &bytes[i], 1, 0);
		notify_by_signal(&cbs[i].aio_sigevent, SIG_A, i);
		check_equal(aio_read(&cbs[i]), 0);
	}
	write_fully(fds[1], "abcdefghijklmnopqrstuvwxyz", NR);
	for (int i = 0; i < NR; i++) {
		take_signal(SIG_A, &info);
		check_equal(info.si_value.sival_int, i);
		check_equal(aio_error(&cbs[i]), 0);
	}
	check(!is_pending(SIG_A));
	change_mask(SIG_UNBLOCK, SIG_A);
	close_pair(fds);
}

static void test_standard_signals_merge_while_blocked(void **state)
{
	int fd = temp_file_filled(1000);
	struct sigevent event;
	struct aiocb cb;
	siginfo_t info;

	(void)state;
	change_mask(SIG_BLOCK, SIGUSR1);
	for (int i = 0; i < 3; i++) {
		notify_by_signal(&event, SIGUSR1, i);
		submit_notified_read(&cb, fd, &event);
		await_result(&cb);
		eventually(is_pending(SIGUSR1));
	}
	/* A marker: when it comes, the others have been sent. */
	change_mask(SIG_BLOCK, SIG_A);
	notify_by_signal(&event, SIG_A, 0);
	submit_notified_read(&cb, fd, &event);
	take_signal(SIG_A, &info);
	take_signal(SIGUSR1, &info);
	check_equal(info.si_value.sival_int, 0);
	check(!is_pending(SIGUSR1));
	change_mask(SIG_UNBLOCK, SIGUSR1);
	change_mask(SIG_UNBLOCK, SIG_A);
	close(fd);
}

static atomic_bool stop_thread;

static void *keep_signal_open(void *arg)
{
	change_mask(SIG_UNBLOCK, SIG_A);
	*(atomic_bool *)arg = true;
	while (!stop_thread)
		short_pause();
	return NULL;
}

static void test_signal_is_sent_to_the_process(void **state)
{
	int fd = temp_file_filled(1000);
	atomic_bool is_open = false;
	struct sigevent event;
	pthread_t thread;
	struct aiocb cb;

	(void)state;
	catch_signal(SIG_A, SA_RESTART);
	change_mask(SIG_BLOCK, SIG_A);
	stop_thread = false;
	check(pthread_create(&thread, NULL, keep_signal_open, &is_open) == 0);
	eventually(is_open);
	/* This thread cannot take it, the other one can. */
	notify_by_signal(&event, SIG_A, 3);
	submit_notified_read(&cb, fd, &event);
	eventually(nr_caught() == 1);
	stop_thread = true;
	check(pthread_join(thread, NULL) == 0);
	change_mask(SIG_UNBLOCK, SIG_A);
	release_signals();
	await(&cb);
	close(fd);
}

static void test_signal_can_be_read_from_a_signalfd(void **state)
{
	int fd = temp_file_filled(1000), sfd;
	struct signalfd_siginfo info;
	struct sigevent event;
	struct aiocb cb;
	sigset_t set;

	(void)state;
	sigemptyset(&set);
	sigaddset(&set, SIG_A);
	change_mask(SIG_BLOCK, SIG_A);
	sfd = signalfd(-1, &set, SFD_CLOEXEC);
	notify_by_signal(&event, SIG_A, 77);
	submit_notified_read(&cb, fd, &event);
	read_fully(sfd, &info, sizeof(info));
	check_equal(info.ssi_signo, SIG_A);
	check_equal(info.ssi_code, SI_ASYNCIO);
	check_equal(info.ssi_int, 77);
	change_mask(SIG_UNBLOCK, SIG_A);
	await(&cb);
	close(sfd);
	close(fd);
}

static int take_the_default_action(void)
{
	int fd = temp_file_filled(1000);
	struct sigevent event;
	struct aiocb cb;

	notify_by_signal(&event, SIGUSR2, 0);
	submit_notified_read(&cb, fd, &event);
	await(&cb);
	becomes_true(false, stretched_ms(5000));
	return 0;
}

static void test_signal_without_handler_takes_its_default_action(void **state)
{
	struct child_result result = in_child(take_the_default_action, 10000);

	(void)state;
	check_equal(result.end, CHILD_KILLED);
	check_equal(result.code, SIGUSR2);
}

static void test_ignored_signal_does_no_harm(void **state)
{
	int fd = temp_file_filled(1000);
	struct sigevent event;
	struct aiocb cb;

	(void)state;
	signal(SIGUSR2, SIG_IGN);
	for (int i = 0; i < 50; i++) {
		notify_by_signal(&event, SIGUSR2, 0);
		submit_notified_read(&cb, fd, &event);
		check_equal(await_result(&cb), 100);
	}
	change_mask(SIG_BLOCK, SIG_A);
	notify_by_signal(&event, SIG_A, 0);
	submit_notified_read(&cb, fd, &event);
	take_signal(SIG_A, &(siginfo_t){ 0 });
	signal(SIGUSR2, SIG_DFL);
	change_mask(SIG_UNBLOCK, SIG_A);
	await(&cb);
	close(fd);
}

static void test_signal_number_zero_sends_nothing(void **state)
{
	int fd = temp_file_filled(1000);
	struct sigevent event;
	struct aiocb cb;

	(void)state;
	/* What a zeroed control block asks for. */
	memset(&event, 0, sizeof(event));
	submit_notified_read(&cb, fd, &event);
	check_equal(await_result(&cb), 100);
	close(fd);
}

/* The data is in the buffer: the result must say so. */
static void test_invalid_signal_number_keeps_the_result(void **state)
{
	static const int numbers[] = { -1, 65, 1000, INT_MIN, INT_MAX };
	int fd = temp_file_filled(1000);
	struct aiocb cb, *list[] = { &cb };
	struct sigevent event;

	(void)state;
	for (int i = 0; i < 5; i++) {
		notify_by_signal(&event, numbers[i], 0);
		submit_notified_read(&cb, fd, &event);
		check_equal(await_result(&cb), 100);
		aiocb_init_lio(&cb, LIO_WRITE, fd, buf, 100, 0);
		cb.aio_sigevent = event;
		check_equal(lio_listio(LIO_WAIT, list, 1, NULL), 0);
		check_equal(await_result(&cb), 100);
		check_equal(aio_fsync(O_SYNC, &cb), 0);
		check_equal(await_result(&cb), 0);
	}
	close(fd);
}

static void test_other_kinds_of_notification_mean_none(void **state)
{
	static const int kinds[] = { SIGEV_NONE, SIGEV_THREAD_ID, 3, 99, -1 };
	int fd = temp_file_filled(1000);
	struct sigevent event;
	struct aiocb cb;

	(void)state;
	change_mask(SIG_BLOCK, SIG_A);
	change_mask(SIG_BLOCK, SIG_B);
	for (int i = 0; i < 5; i++) {
		notify_by_signal(&event, SIG_A, 0);
		event.sigev_notify = kinds[i];
		submit_notified_read(&cb, fd, &event);
		check_equal(await_result(&cb), 100);
		notify_by_signal(&event, SIG_B, 0);
		submit_notified_read(&cb, fd, &event);
		take_signal(SIG_B, &(siginfo_t){ 0 });
		await(&cb);
		check(!is_pending(SIG_A));
	}
	change_mask(SIG_UNBLOCK, SIG_A);
	change_mask(SIG_UNBLOCK, SIG_B);
	close(fd);
}

/* ---- who is notified ---- */

static void test_success_failure_and_fsync_are_announced(void **state)
{
	int fd = temp_file_filled(1000);
	struct aiocb good, bad, sync;
	siginfo_t info;
	int seen = 0;

	(void)state;
	change_mask(SIG_BLOCK, SIG_A);
	aiocb_init(&good, fd, buf, sizeof(buf), 0);
	aiocb_init(&bad, -1, buf, sizeof(buf), 0);
	aiocb_init(&sync, fd, NULL, 0, 0);
	notify_by_signal(&good.aio_sigevent, SIG_A, 1);
	notify_by_signal(&bad.aio_sigevent, SIG_A, 2);
	notify_by_signal(&sync.aio_sigevent, SIG_A, 4);
	check_equal(aio_read(&good), 0);
	check_equal(aio_read(&bad), 0);
	check_equal(aio_fsync(O_SYNC, &sync), 0);
	for (int i = 0; i < 3; i++) {
		take_signal(SIG_A, &info);
		seen |= info.si_value.sival_int;
	}
	check_equal(seen, 7);
	check_equal(aio_error(&good), 0);
	check_equal(aio_error(&bad), EBADF);
	check_equal(aio_error(&sync), 0);
	change_mask(SIG_UNBLOCK, SIG_A);
	close(fd);
}

static void test_rejected_request_is_not_announced(void **state)
{
	int fd = temp_file_filled(1000);
	struct sigevent event;
	struct aiocb cb;

	(void)state;
	change_mask(SIG_BLOCK, SIG_A);
	change_mask(SIG_BLOCK, SIG_B);
	aiocb_init(&cb, fd, buf, sizeof(buf), 0);
	notify_by_signal(&cb.aio_sigevent, SIG_A, 1);
	cb.aio_reqprio = -1;
	check_equal(aio_read(&cb), -1);
	check_equal(aio_fsync(12345, &cb), -1);
	cb.aio_fildes = -1;
	check_equal(aio_fsync(O_SYNC, &cb), -1);
	notify_by_signal(&event, SIG_B, 0);
	submit_notified_read(&cb, fd, &event);
	take_signal(SIG_B, &(siginfo_t){ 0 });
	check(!is_pending(SIG_A));
	change_mask(SIG_UNBLOCK, SIG_A);
	change_mask(SIG_UNBLOCK, SIG_B);
	await(&cb);
	close(fd);
}

static void test_cancelled_request_is_announced(void **state)
{
	static struct aiocb cbs[2];
	siginfo_t info;
	int fds[2];

	(void)state;
	change_mask(SIG_BLOCK, SIG_A);
	open_pipe(fds);
	for (int i = 0; i < 2; i++) {
		aiocb_init(&cbs[i], fds[0], buf, 1, 0);
		notify_by_signal(&cbs[i].aio_sigevent, SIG_A, i);
		check_equal(aio_read(&cbs[i]), 0);
	}
	check_equal(aio_cancel(fds[0], &cbs[1]), AIO_CANCELED);
	take_signal(SIG_A, &info);
	check_equal(info.si_value.sival_int, 1);
	check_equal(aio_error(&cbs[1]), ECANCELED);
	check(!is_pending(SIG_A));
	write_fully(fds[1], "a", 1);
	take_signal(SIG_A, &info);
	check_equal(info.si_value.sival_int, 0);
	change_mask(SIG_UNBLOCK, SIG_A);
	close_pair(fds);
}

static void test_direct_read_is_announced_without_being_asked_for(void **state)
{
	static char block[4096] __attribute__((aligned(4096)));
	int fd = direct_file_or_skip(65536, 0);
	struct aiocb cb;
	siginfo_t info;

	(void)state;
	change_mask(SIG_BLOCK, SIG_A);
	for (int i = 0; i < 100; i++) {
		aiocb_init(&cb, fd, block, 4096, i % 16 * 4096);
		notify_by_signal(&cb.aio_sigevent, SIG_A, i);
		check_equal(aio_read(&cb), 0);
		take_signal(SIG_A, &info);
		check_equal(info.si_value.sival_int, i);
		check_equal(aio_error(&cb), 0);
		check_equal(aio_return(&cb), 4096);
		check_pattern(block, (size_t)(i % 16) * 4096, 4096);
	}
	change_mask(SIG_UNBLOCK, SIG_A);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest sigevent_tests[] = {
		/*
		 * The forked child first: with glibc, AIO is dead in a child
		 * whose parent has made a request within the last second.
		 */
		cmocka_unit_test(test_signal_without_handler_takes_its_default_action),
		cmocka_unit_test(test_signal_tells_its_origin_and_value),
		cmocka_unit_test(test_real_time_signals_are_queued_in_completion_order),
		cmocka_unit_test(test_standard_signals_merge_while_blocked),
		cmocka_unit_test(test_signal_is_sent_to_the_process),
		cmocka_unit_test(test_signal_can_be_read_from_a_signalfd),
		cmocka_unit_test(test_ignored_signal_does_no_harm),
		cmocka_unit_test(test_signal_number_zero_sends_nothing),
		cmocka_unit_test(test_invalid_signal_number_keeps_the_result),
		cmocka_unit_test(test_other_kinds_of_notification_mean_none),
		cmocka_unit_test(test_success_failure_and_fsync_are_announced),
		cmocka_unit_test(test_rejected_request_is_not_announced),
		cmocka_unit_test(test_cancelled_request_is_announced),
		cmocka_unit_test(test_direct_read_is_announced_without_being_asked_for),
	};

	return cmocka_run_group_tests(sigevent_tests, NULL, NULL);
}
