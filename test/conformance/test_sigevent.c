// SPDX-License-Identifier: MIT
/*
 * test_sigevent.c - who is notified of the end of a request, how and when
 *
 * By a queued signal with the value given, or by a callback on a thread of its
 * own.  Either sees the final status and may use the control block again.
 */
#include "../support/support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>

#define SIG_A (SIGRTMIN + 4)
#define SIG_B (SIGRTMIN + 6)

static char buf[100];

static void submit_read(struct aiocb *cb, int fd, const struct sigevent *event)
{
	aiocb_init(cb, fd, buf, sizeof(buf), 0);
	cb->aio_sigevent = *event;
	check_equal(aio_read(cb), 0);
}

static void change_mask(int how, int signo)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signo);
	check(pthread_sigmask(how, &set, NULL) == 0);
}

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

static bool is_pending(int signo)
{
	sigset_t set;

	check(sigpending(&set) == 0);
	return sigismember(&set, signo);
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
		submit_read(&cb, fd, &event);
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
		submit_read(&cb, fd, &event);
		await_result(&cb);
		eventually(is_pending(SIGUSR1));
	}
	/* A marker: when it comes, the others have been sent. */
	change_mask(SIG_BLOCK, SIG_A);
	notify_by_signal(&event, SIG_A, 0);
	submit_read(&cb, fd, &event);
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
	submit_read(&cb, fd, &event);
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
	submit_read(&cb, fd, &event);
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
	submit_read(&cb, fd, &event);
	await(&cb);
	becomes_true(false, 5000);
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
		submit_read(&cb, fd, &event);
		check_equal(await_result(&cb), 100);
	}
	change_mask(SIG_BLOCK, SIG_A);
	notify_by_signal(&event, SIG_A, 0);
	submit_read(&cb, fd, &event);
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
	submit_read(&cb, fd, &event);
	check_equal(await_result(&cb), 100);
	close(fd);
}

/* The data is in the buffer: the result must say so. */
static void test_invalid_signal_number_keeps_the_result(void **state)
{
	static const int numbers[] = { -1, 65, 1000 };
	int fd = temp_file_filled(1000);
	struct sigevent event;
	struct aiocb cb;

	(void)state;
	for (int i = 0; i < 3; i++) {
		notify_by_signal(&event, numbers[i], 0);
		submit_read(&cb, fd, &event);
		check_equal(await_result(&cb), 100);
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
		submit_read(&cb, fd, &event);
		check_equal(await_result(&cb), 100);
		notify_by_signal(&event, SIG_B, 0);
		submit_read(&cb, fd, &event);
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
	aiocb_init(&good, fd, buf, 10, 0);
	aiocb_init(&bad, -1, buf, 10, 0);
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
	aiocb_init(&cb, fd, buf, 10, 0);
	notify_by_signal(&cb.aio_sigevent, SIG_A, 1);
	cb.aio_reqprio = -1;
	check_equal(aio_read(&cb), -1);
	check_equal(aio_fsync(12345, &cb), -1);
	cb.aio_fildes = -1;
	check_equal(aio_fsync(O_SYNC, &cb), -1);
	notify_by_signal(&event, SIG_B, 0);
	submit_read(&cb, fd, &event);
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
	int fd = direct_file(65536, 0);
	struct aiocb cb;
	siginfo_t info;

	(void)state;
	if (fd < 0)
		skip_because("no O_DIRECT below build/tmp");
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

/* ---- handlers ---- */

static struct aiocb current;
static atomic_int nr_handled, nr_wrong;

static void look_at_status(int signo)
{
	(void)signo;
	if (aio_error(&current) != 0 || aio_return(&current) != 100)
		atomic_fetch_add(&nr_wrong, 1);
	atomic_fetch_add(&nr_handled, 1);
}

static void set_handler(int signo, void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };

	nr_handled = nr_wrong = 0;
	check(sigaction(signo, &action, NULL) == 0);
}

static void test_handler_sees_the_final_status(void **state)
{
	int fd = temp_file_filled(1000);
	struct sigevent event;

	(void)state;
	set_handler(SIG_A, look_at_status);
	notify_by_signal(&event, SIG_A, 0);
	for (int i = 0; i < 500; i++) {
		submit_read(&current, fd, &event);
		eventually(nr_handled == i + 1);
	}
	check_equal(nr_wrong, 0);
	signal(SIG_A, SIG_DFL);
	close(fd);
}

static void submit_again(int signo)
{
	(void)signo;
	if (atomic_fetch_add(&nr_handled, 1) < 499 && aio_read(&current) != 0)
		atomic_fetch_add(&nr_wrong, 1);
}

/*
 * While the handler submits, the main thread is in no AIO function: that would
 * ask more than POSIX promises.
 */
static int resubmit_from_handler(void)
{
	int fd = temp_file_filled(1000);
	struct sigevent event;

	set_handler(SIG_A, submit_again);
	change_mask(SIG_BLOCK, SIG_A);
	notify_by_signal(&event, SIG_A, 0);
	submit_read(&current, fd, &event);
	change_mask(SIG_UNBLOCK, SIG_A);
	eventually(nr_handled == 500);
	check_equal(nr_wrong, 0);
	check_equal(await_result(&current), 100);
	return 0;
}

static void test_handler_may_submit_the_block_again(void **state)
{
	(void)state;
	check_in_child(resubmit_from_handler, 20000);
}

/* ---- callbacks ---- */

static sem_t called;
static atomic_int nr_called;
static pthread_t submitter;
static void *expected_value;

static void check_callback_context(union sigval value)
{
	pthread_attr_t attr;
	sigset_t mask;
	int detached;

	nr_wrong += value.sival_ptr != expected_value;
	nr_wrong += pthread_equal(pthread_self(), submitter) != 0;
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	for (int signo = 1; signo < NSIG; signo++)
		nr_wrong += sigismember(&mask, signo) == 1;
	nr_wrong += pthread_getattr_np(pthread_self(), &attr) != 0;
	pthread_attr_getdetachstate(&attr, &detached);
	nr_wrong += detached != PTHREAD_CREATE_DETACHED;
	pthread_attr_destroy(&attr);
	nr_wrong += aio_error(&current) != 0;
	sem_post(&called);
}

static void reset_callbacks(void)
{
	sem_init(&called, 0, 0);
	nr_called = nr_wrong = 0;
	submitter = pthread_self();
}

/* ---- a handler that ends a sleep ---- */

static atomic_bool has_handled;

static void note_signal(int signo)
{
	(void)signo;
	has_handled = true;
}

/*
 * A program that submits and then sleeps until its handler has run works as
 * long as the signal does not come inside the submitting call.
 */
static void test_handler_ends_the_sleep_that_follows(void **state)
{
	struct timespec sleep = { .tv_nsec = 300000000 };
	struct sigaction action = { .sa_handler = note_signal };
	int fd = temp_file_filled(4096), nr_woken = 0;
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2 };

	(void)state;
	check_equal(sigaction(SIGUSR2, &action, NULL), 0);
	for (int i = 0; i < 20; i++) {
		has_handled = false;
		submit_read(&current, fd, &event);
		nr_woken += nanosleep(&sleep, NULL) < 0 && errno == EINTR;
		eventually(has_handled);
		await(&current);
	}
	/* On any implementation the signal may win the race now and then. */
	check(nr_woken >= 10);
	signal(SIGUSR2, SIG_DFL);
	close(fd);
}

static void test_callback_runs_on_a_thread_of_its_own(void **state)
{
	int fd = temp_file_filled(1000);
	struct sigevent event;

	(void)state;
	reset_callbacks();
	expected_value = (void *)0x123456789abcdef0;
	notify_by_thread(&event, check_callback_context, expected_value);
	submit_read(&current, fd, &event);
	await_semaphore(&called);
	check_equal(nr_wrong, 0);
	close(fd);
}

/* Its signal mask is empty, whatever the submitter blocks. */
static void test_callback_does_not_inherit_the_signal_mask(void **state)
{
	int fd = temp_file_filled(1000);
	struct sigevent event;

	(void)state;
	reset_callbacks();
	change_mask(SIG_BLOCK, SIG_A);
	change_mask(SIG_BLOCK, SIGTERM);
	notify_by_thread(&event, check_callback_context, expected_value);
	for (int i = 0; i < 20; i++) {
		submit_read(&current, fd, &event);
		await_semaphore(&called);
		check_equal(nr_wrong, 0);
	}
	change_mask(SIG_UNBLOCK, SIG_A);
	change_mask(SIG_UNBLOCK, SIGTERM);
	close(fd);
}

static void count_call(union sigval value)
{
	nr_wrong += aio_error(value.sival_ptr) == EINPROGRESS;
	nr_called++;
}

static void test_every_callback_runs_once(void **state)
{
	enum { NR = 300 };
	static struct aiocb cbs[NR];
	int fd = temp_file_filled(1000);
	struct sigevent event;

	(void)state;
	reset_callbacks();
	for (int i = 0; i < NR; i++) {
		notify_by_thread(&event, count_call, &cbs[i]);
		submit_read(&cbs[i], fd, &event);
	}
	eventually(nr_called == NR);
	check_equal(nr_wrong, 0);
	for (int i = 0; i < NR; i++)
		check_equal(await_result(&cbs[i]), 100);
	check_equal(nr_called, NR);
	close(fd);
}

static pthread_barrier_t barrier;

static void meet(union sigval value)
{
	(void)value;
	pthread_barrier_wait(&barrier);
	nr_called++;
}

/* A barrier has no deadline: in a child. */
static int meet_in_main(void)
{
	int fd = temp_file_filled(1000);
	struct aiocb cb, *list[1] = { &cb };
	struct sigevent event;

	reset_callbacks();
	check(pthread_barrier_init(&barrier, NULL, 2) == 0);
	notify_by_thread(&event, meet, NULL);
	submit_read(&cb, fd, &event);
	pthread_barrier_wait(&barrier);
	aiocb_init_lio(&cb, LIO_READ, fd, buf, 10, 0);
	cb.aio_sigevent = event;
	check_equal(lio_listio(LIO_WAIT, list, 1, NULL), 0);
	pthread_barrier_wait(&barrier);
	aiocb_init_lio(&cb, LIO_READ, fd, buf, 10, 0);
	check_equal(lio_listio(LIO_NOWAIT, list, 1, &event), 0);
	pthread_barrier_wait(&barrier);
	eventually(nr_called == 3);
	return 0;
}

static void test_callback_may_wait_for_the_main_thread(void **state)
{
	(void)state;
	check_in_child(meet_in_main, 10000);
}

static int meet_in_callbacks(void)
{
	enum { NR = 10 };
	static struct aiocb cbs[NR];
	int fd = temp_file_filled(1000);
	struct sigevent event;

	reset_callbacks();
	check(pthread_barrier_init(&barrier, NULL, NR + 1) == 0);
	notify_by_thread(&event, meet, NULL);
	for (int i = 0; i < NR; i++)
		submit_read(&cbs[i], fd, &event);
	pthread_barrier_wait(&barrier);
	eventually(nr_called == NR);
	return 0;
}

static void test_ten_callbacks_run_in_parallel(void **state)
{
	(void)state;
	check_in_child(meet_in_callbacks, 10000);
}

static sem_t never;

static void block_for_ever(union sigval value)
{
	(void)value;
	nr_called++;
	for (;;)
		sem_wait(&never);
}

static void leave_thread(union sigval value)
{
	(void)value;
	nr_called++;
	pthread_exit(NULL);
}

static int misbehave_in_callbacks(void)
{
	enum { NR = 20 };
	static struct aiocb cbs[2 * NR], last;
	int fd = temp_file_filled(1000);
	struct sigevent event;

	reset_callbacks();
	sem_init(&never, 0, 0);
	for (int i = 0; i < 2 * NR; i++) {
		notify_by_thread(&event, i % 2 ? leave_thread : block_for_ever, NULL);
		submit_read(&cbs[i], fd, &event);
	}
	eventually(nr_called == 2 * NR);
	notify_by_thread(&event, count_call, &last);
	submit_read(&last, fd, &event);
	eventually(nr_called == 2 * NR + 1);
	check_equal(await_result(&last), 100);
	return 0;
}

static void test_callback_may_block_or_leave_its_thread(void **state)
{
	(void)state;
	check_in_child(misbehave_in_callbacks, 20000);
}

static void use_aio(union sigval value)
{
	int fd = value.sival_int;
	struct aiocb cb, *list[1] = { &cb };
	const struct aiocb *waited[1] = { &cb };
	char bytes[8];

	aiocb_init(&cb, fd, bytes, 8, 0);
	nr_wrong += aio_read(&cb) != 0;
	nr_wrong += aio_suspend(waited, 1, NULL) != 0;
	nr_wrong += aio_return(&cb) != 8;
	aiocb_init_lio(&cb, LIO_READ, fd, bytes, 8, 0);
	nr_wrong += lio_listio(LIO_WAIT, list, 1, NULL) != 0;
	nr_wrong += aio_fsync(O_DSYNC, &cb) != 0;
	nr_wrong += aio_suspend(waited, 1, NULL) != 0;
	nr_wrong += aio_cancel(fd, &cb) != AIO_ALLDONE;
	nr_called++;
}

static void test_callback_may_use_every_function(void **state)
{
	enum { NR = 10 };
	static struct aiocb cbs[NR];
	int fd = temp_file_filled(1000);
	struct sigevent event;

	(void)state;
	reset_callbacks();
	for (int i = 0; i < NR; i++) {
		notify_by_thread(&event, use_aio, NULL);
		event.sigev_value.sival_int = fd;
		submit_read(&cbs[i], fd, &event);
	}
	eventually(nr_called == NR);
	check_equal(nr_wrong, 0);
	close(fd);
}

static void submit_again_from_callback(union sigval value)
{
	struct aiocb *cb = value.sival_ptr;

	nr_wrong += aio_error(cb) != 0 || aio_return(cb) != 100;
	if (++nr_called < 500)
		nr_wrong += aio_read(cb) != 0;
	else
		sem_post(&called);
}

static void test_callback_may_submit_the_block_again(void **state)
{
	int fd = temp_file_filled(1000);
	struct sigevent event;

	(void)state;
	reset_callbacks();
	notify_by_thread(&event, submit_again_from_callback, &current);
	submit_read(&current, fd, &event);
	await_semaphore(&called);
	check_equal(nr_wrong, 0);
	check_equal(nr_called, 500);
	close(fd);
}

static void free_block(union sigval value)
{
	memset(value.sival_ptr, 0x5A, sizeof(struct aiocb));
	free(value.sival_ptr);
	nr_called++;
}

static void test_callback_may_free_the_block(void **state)
{
	int fd = temp_file_filled(1000);
	struct sigevent event;

	(void)state;
	reset_callbacks();
	for (int i = 0; i < 300; i++) {
		struct aiocb *cb = malloc(sizeof(*cb));

		notify_by_thread(&event, free_block, cb);
		submit_read(cb, fd, &event);
	}
	eventually(nr_called == 300);
	close(fd);
}

/* ---- attributes of the callback's thread ---- */

static size_t seen_stack, seen_guard;
static int seen_detached;
static pthread_t callback_thread;

static void look_at_attributes(union sigval value)
{
	pthread_attr_t attr;

	(void)value;
	check(pthread_getattr_np(pthread_self(), &attr) == 0);
	pthread_attr_getstacksize(&attr, &seen_stack);
	pthread_attr_getguardsize(&attr, &seen_guard);
	pthread_attr_getdetachstate(&attr, &seen_detached);
	pthread_attr_destroy(&attr);
	callback_thread = pthread_self();
	sem_post(&called);
}

static void run_with_attributes(pthread_attr_t *attr)
{
	int fd = temp_file_filled(1000);
	struct sigevent event;

	reset_callbacks();
	notify_by_thread(&event, look_at_attributes, NULL);
	event.sigev_notify_attributes = attr;
	submit_read(&current, fd, &event);
	await_semaphore(&called);
	await(&current);
	close(fd);
}

static void test_stack_and_guard_size_are_honoured(void **state)
{
	size_t sizes[] = { 1 << 20, 16 << 20 };
	pthread_attr_t attr;

	(void)state;
	for (int i = 0; i < 2; i++) {
		check(pthread_attr_init(&attr) == 0);
		check(pthread_attr_setstacksize(&attr, sizes[i]) == 0);
		check(pthread_attr_setguardsize(&attr, 65536) == 0);
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
		run_with_attributes(&attr);
		check_equal(seen_stack, sizes[i]);
		check_equal(seen_guard, 65536);
		check_equal(seen_detached, PTHREAD_CREATE_DETACHED);
		pthread_attr_destroy(&attr);
	}
}

static void test_default_attributes_give_a_joinable_thread(void **state)
{
	pthread_attr_t attr;

	(void)state;
	check(pthread_attr_init(&attr) == 0);
	run_with_attributes(&attr);
	check_equal(seen_detached, PTHREAD_CREATE_JOINABLE);
	check(pthread_join(callback_thread, NULL) == 0);
	pthread_attr_destroy(&attr);
}

static void test_without_attributes_the_stack_has_the_default_size(void **state)
{
	pthread_attr_t attr;
	size_t size;

	(void)state;
	check(pthread_getattr_default_np(&attr) == 0);
	pthread_attr_getstacksize(&attr, &size);
	pthread_attr_destroy(&attr);
	run_with_attributes(NULL);
	check_equal(seen_stack, size);
	check_equal(seen_detached, PTHREAD_CREATE_DETACHED);
}

int main(void)
{
	const struct CMUnitTest sigevent_tests[] = {
		/*
		 * Forked children first: with glibc, AIO is dead in a child
		 * whose parent has made a request within the last second.
		 */
		cmocka_unit_test(test_signal_without_handler_takes_its_default_action),
		cmocka_unit_test(test_handler_may_submit_the_block_again),
		cmocka_unit_test(test_callback_may_wait_for_the_main_thread),
		cmocka_unit_test(test_ten_callbacks_run_in_parallel),
		cmocka_unit_test(test_callback_may_block_or_leave_its_thread),
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
		cmocka_unit_test(test_handler_sees_the_final_status),
		cmocka_unit_test(test_handler_ends_the_sleep_that_follows),
		cmocka_unit_test(test_callback_runs_on_a_thread_of_its_own),
		cmocka_unit_test(test_callback_does_not_inherit_the_signal_mask),
		cmocka_unit_test(test_every_callback_runs_once),
		cmocka_unit_test(test_callback_may_use_every_function),
		cmocka_unit_test(test_callback_may_submit_the_block_again),
		cmocka_unit_test(test_callback_may_free_the_block),
		cmocka_unit_test(test_stack_and_guard_size_are_honoured),
		cmocka_unit_test(test_default_attributes_give_a_joinable_thread),
		cmocka_unit_test(test_without_attributes_the_stack_has_the_default_size),
	};

	return cmocka_run_group_tests(sigevent_tests, NULL, NULL);
}
