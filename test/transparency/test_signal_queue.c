// SPDX-License-Identifier: MIT
/*
 * test_signal_queue.c - a signal queue that is full
 *
 * The kernel queues so many signals for a user and refuses more.  A completion
 * is as good without its signal, which comes when there is room again, in order.
 */
#include "transparency.h"

#define NR_SIGNALS 32

static void take_signal(siginfo_t *info)
{
	struct timespec timeout = { .tv_sec = default_deadline_ms() / 1000 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	check_equal(sigtimedwait(&set, info, &timeout), SIGRTMIN);
}

/* Good data stays good; its signal comes when there is room again. */
static int fill_signal_queue(void)
{
	int seen[NR_SIGNALS] = { 0 };
	char buf[NR_SIGNALS][16];
	struct aiocb cbs[NR_SIGNALS];
	siginfo_t info;
	int fd;

	become_nobody();
	fd = temp_file_filled(4096);
	set_soft_limit(RLIMIT_SIGPENDING, 4);
	change_mask(SIG_BLOCK, SIGRTMIN);
	for (int i = 0; i < NR_SIGNALS; i++) {
		aiocb_init(&cbs[i], fd, buf[i], 16, i * 16);
		notify_by_signal(&cbs[i].aio_sigevent, SIGRTMIN, i);
		check_equal(aio_read(&cbs[i]), 0);
	}
	for (int i = 0; i < NR_SIGNALS; i++) {
		check_equal(outcome(&cbs[i]), 16);
		check_pattern(buf[i], i * 16, 16);
	}
	for (int i = 0; i < NR_SIGNALS; i++) {
		take_signal(&info);
		check_equal(info.si_code, SI_ASYNCIO);
		check(info.si_value.sival_int >= 0 && info.si_value.sival_int < NR_SIGNALS);
		check_equal(seen[info.si_value.sival_int]++, 0);
	}
	return 0;
}

TEST_IN_CHILD(test_full_signal_queue_delays_signals_only, fill_signal_queue, 40000)

static void take_signals(int first, int nr)
{
	siginfo_t info;

	for (int i = first; i < first + nr; i++) {
		take_signal(&info);
		check_equal(info.si_value.sival_int, i);
	}
}

/*
 * Those that come when there is room must not go ahead of those that found none:
 * each round makes room for one, and ends one request more.
 */
static int delay_signals_of_a_pipe(void)
{
	enum { NR = 300, NR_DELAYED = 16 };
	static struct aiocb cbs[NR];
	static char buf[NR];
	int fds[2];

	become_nobody();
	open_pipe(fds);
	set_soft_limit(RLIMIT_SIGPENDING, 4);
	change_mask(SIG_BLOCK, SIGRTMIN);
	for (int i = 0; i < NR; i++) {
		aiocb_init(&cbs[i], fds[0], &buf[i], 1, 0);
		notify_by_signal(&cbs[i].aio_sigevent, SIGRTMIN, i);
		check_equal(aio_read(&cbs[i]), 0);
	}
	write_fully(fds[1], buf, NR_DELAYED);
	for (int i = 0; i < NR_DELAYED; i++)
		check_equal(outcome(&cbs[i]), 1);
	for (int i = NR_DELAYED; i < NR; i++) {
		take_signals(i - NR_DELAYED, 1);
		write_fully(fds[1], buf, 1);
		check_equal(outcome(&cbs[i]), 1);
	}
	take_signals(NR - NR_DELAYED, NR_DELAYED);
	return 0;
}

TEST_IN_CHILD(test_delayed_signals_keep_their_order, delay_signals_of_a_pipe, 40000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full_signal_queue_delays_signals_only),
		cmocka_unit_test(test_delayed_signals_keep_their_order),
	};

	return cmocka_run_group_tests_name("signal_queue", tests, NULL, NULL);
}
