// SPDX-License-Identifier: MIT
/*
 * test_restart_list.c - signals while a list, or a request, is waited for
 *
 * A handler with SA_RESTART does not end LIO_WAIT, whatever the list waits for:
 * a pipe, the page cache, or a disk past it.  Any other does.
 */
#include "transparency.h"

#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#define NR_ENTRIES 48
#define SIZE       (256 * 1024)
#define LONG_SIZE  (128 * 1024)

static atomic_int nr_signals;
static atomic_bool is_over;
static pthread_t main_thread;
static pid_t main_tid;

static void count_signal(int signo)
{
	(void)signo;
	nr_signals++;
}

/* Of the signals without SA_RESTART one is ignored and one blocked: no handler of theirs runs. */
static void begin(void)
{
	handle_signal(SIGUSR1, count_signal, SA_RESTART);
	handle_signal(SIGHUP, SIG_IGN, 0);
	handle_signal(SIGUSR2, count_signal, 0);
	change_mask(SIG_BLOCK, SIGUSR2);
	main_thread = pthread_self();
	main_tid = gettid();
}

/* ---- a pipe ---- */

static struct aiocb blocked;
static struct aiocb *blocked_list[] = { &blocked };
static char byte;

/* Five signals, each while the list is being waited for. */
static void *disturb(void *arg)
{
	int writer = *(int *)arg;

	for (int i = 1; i <= 5; i++) {
		eventually(thread_sleeps(main_tid));
		check_equal(pthread_kill(main_thread, SIGUSR1), 0);
		eventually(nr_signals == i);
	}
	eventually(thread_sleeps(main_tid));
	write_fully(writer, "x", 1);
	return NULL;
}

static int restart_on_pipe(void)
{
	pthread_t thread;
	int fds[2];

	begin();
	open_pipe(fds);
	for (int i = 0; i < 3; i++) {
		nr_signals = 0;
		aiocb_init_lio(&blocked, LIO_READ, fds[0], &byte, 1, 0);
		thread = start_thread(disturb, &fds[1]);
		check_equal(lio_listio(LIO_WAIT, blocked_list, 1, NULL), 0);
		check_equal(nr_signals, 5);
		join_thread(thread);
		check_equal(outcome(&blocked), 1);
	}
	return 0;
}

TEST_IN_CHILD(test_restarting_handler_does_not_end_a_list_of_a_pipe, restart_on_pipe, 30000)

/* ---- files ---- */

static void *signal_all_the_time(void *arg)
{
	(void)arg;
	while (!is_over) {
		if (thread_sleeps(main_tid))
			pthread_kill(main_thread, SIGUSR1);
		sched_yield();
	}
	return NULL;
}

static void read_list(int fd, char *buf)
{
	static struct aiocb cbs[NR_ENTRIES];
	struct aiocb *list[NR_ENTRIES];

	for (int i = 0; i < NR_ENTRIES; i++) {
		aiocb_init_lio(&cbs[i], LIO_READ, fd, buf + i * SIZE, SIZE, i * SIZE);
		list[i] = &cbs[i];
	}
	check_equal(lio_listio(LIO_WAIT, list, NR_ENTRIES, NULL), 0);
	for (int i = 0; i < NR_ENTRIES; i++)
		check_equal(aio_return(&cbs[i]), SIZE);
	check_pattern(buf, 0, NR_ENTRIES * SIZE);
}

static int restart_on_file(bool is_direct)
{
	char *buf = direct_buffer(NR_ENTRIES * SIZE);
	int fd = direct_file(NR_ENTRIES * SIZE, 0);
	pthread_t thread;

	if (fd < 0) {
		printf("no O_DIRECT here");
		return CHILD_SKIPPED;
	}
	if (!is_direct)
		check_equal(fcntl(fd, F_SETFL, 0), 0);
	begin();
	thread = start_thread(signal_all_the_time, NULL);
	for (int i = 0; i < 10 || (nr_signals < 20 && i < 200); i++) {
		evict(fd);
		read_list(fd, buf);
	}
	is_over = true;
	join_thread(thread);
	check(nr_signals > 0);
	return 0;
}

/* ---- a handler that serves once ---- */

/* One signal, while the request is being waited for. */
static void *signal_once(void *arg)
{
	(void)arg;
	while (!thread_sleeps(main_tid) && !is_over)
		sched_yield();
	pthread_kill(main_thread, SIGHUP);
	return NULL;
}

/* True: the signal ended the wait. */
static bool is_ended_by_signal(int fd, char *buf)
{
	struct aiocb cb;
	const struct aiocb *list[] = { &cb };
	pthread_t thread;
	int ret, err;

	is_over = false;
	nr_signals = 0;
	handle_signal(SIGHUP, count_signal, SA_RESETHAND);
	submit_read(&cb, fd, buf, LONG_SIZE, 0);
	thread = start_thread(signal_once, NULL);
	ret = aio_suspend(list, 1, NULL);
	err = errno;
	is_over = true;
	join_thread(thread);
	eventually(nr_signals == 1);
	check_equal(outcome(&cb), LONG_SIZE);
	check(ret == 0 || err == EINTR);
	return ret < 0;
}

static int interrupt_once(void)
{
	char *buf = direct_buffer(LONG_SIZE);
	int fd = direct_file(LONG_SIZE, 0), nr_ended = 0;

	if (fd < 0) {
		printf("no O_DIRECT here");
		return CHILD_SKIPPED;
	}
	begin();
	for (int i = 0; i < 100; i++)
		is_ended_by_signal(fd, buf); /* what the file is may have to be found out */
	/* On a busy machine a read is often done before the signal comes. */
	for (int i = 0; i < 20000 && nr_ended < 5; i++)
		nr_ended += is_ended_by_signal(fd, buf);
	check(nr_ended == 5);
	return 0;
}

TEST_OR_SKIP(test_handler_that_serves_once_ends_a_wait_past_the_cache, interrupt_once, 60000)

/* ---- the lists of files ---- */

static int restart_on_direct(void)
{
	return restart_on_file(true);
}

static int restart_on_cold(void)
{
	return restart_on_file(false);
}

/* sigaction() refuses the signals that libc keeps for pthread_cancel() and setuid(). */
static void install_handler_of_libc(int signo)
{
	struct {
		void (*handler)(int);
		unsigned long flags;
		void (*restorer)(void);
		uint64_t mask;
	} action = { .handler = count_signal };

	check_equal(syscall(SYS_rt_sigaction, signo, &action, NULL, sizeof(action.mask)), 0);
}

/* Some versions of libc install these handlers without SA_RESTART. */
static int restart_beside_libc(void)
{
	install_handler_of_libc(32);
	install_handler_of_libc(33);
	return restart_on_file(true);
}

/* A handler without SA_RESTART is there, but its signal never comes. */
static int list_beside_handler(void)
{
	char *buf = direct_buffer(NR_ENTRIES * SIZE);
	int fd = direct_file(NR_ENTRIES * SIZE, 0);

	if (fd < 0) {
		printf("no O_DIRECT here");
		return CHILD_SKIPPED;
	}
	handle_signal(SIGUSR2, count_signal, 0);
	for (int i = 0; i < 10; i++)
		read_list(fd, buf);
	return 0;
}

TEST_OR_SKIP(test_handler_that_does_not_run_ends_no_list, list_beside_handler, 30000)
TEST_OR_SKIP(test_restarting_handler_does_not_end_a_list_past_the_cache, restart_on_direct, 30000)
TEST_OR_SKIP(test_restarting_handler_does_not_end_a_cold_list, restart_on_cold, 30000)
TEST_OR_SKIP(test_handlers_of_libc_end_no_list_past_the_cache, restart_beside_libc, 30000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_restarting_handler_does_not_end_a_list_of_a_pipe),
		cmocka_unit_test(test_handler_that_serves_once_ends_a_wait_past_the_cache),
		cmocka_unit_test(test_handler_that_does_not_run_ends_no_list),
		cmocka_unit_test(test_restarting_handler_does_not_end_a_list_past_the_cache),
		cmocka_unit_test(test_restarting_handler_does_not_end_a_cold_list),
		cmocka_unit_test(test_handlers_of_libc_end_no_list_past_the_cache),
	};

	return cmocka_run_group_tests_name("restart_list", tests, NULL, NULL);
}
