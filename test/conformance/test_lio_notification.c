// SPDX-License-Identifier: MIT
/*
 * test_lio_notification.c - how the end of a list is announced
 *
 * LIO_NOWAIT announces the end of the last entry; LIO_WAIT announces nothing.
 */
#include "../support/support.h"

#include <stdatomic.h>

#define GROUP_SIGNAL (SIGRTMIN + 5)

/* Expect the group's signal, with this value, next after nr others. */
static void check_group_signal(unsigned int nr, int value)
{
	eventually(nr_caught() > nr);
	check_equal(caught(nr)->si_signo, GROUP_SIGNAL);
	check_equal(caught(nr)->si_code, SI_ASYNCIO);
	check_equal(caught(nr)->si_value.sival_int, value);
}

/* POSIX knows only too many. */
static void test_count_of_minus_one_is_an_empty_list(void **state)
{
	struct aiocb cb, *list[1] = { &cb };
	struct sigevent event;

	(void)state;
	catch_signal(GROUP_SIGNAL, SA_RESTART);
	notify_by_signal(&event, GROUP_SIGNAL, 7);
	memset(&cb, 0, sizeof(cb));
	check_equal(lio_listio(LIO_WAIT, list, -1, &event), 0);
	check_equal(nr_caught(), 0);
	check_equal(lio_listio(LIO_NOWAIT, list, -1, &event), 0);
	check_group_signal(0, 7);
	check_equal(lio_listio(LIO_NOWAIT, list, -1, NULL), 0);
	release_signals();
}

static void test_empty_list_announces_its_end_at_once(void **state)
{
	struct aiocb nop, *nothing[3] = { NULL, NULL, NULL };
	struct aiocb *nops[2] = { &nop, NULL };
	struct sigevent event;

	(void)state;
	catch_signal(GROUP_SIGNAL, SA_RESTART);
	aiocb_init_lio(&nop, LIO_NOP, -1, NULL, 0, 0);
	notify_by_signal(&event, GROUP_SIGNAL, 7);
	check_equal(lio_listio(LIO_NOWAIT, nothing, 0, &event), 0);
	check_group_signal(0, 7);
	notify_by_signal(&event, GROUP_SIGNAL, 8);
	check_equal(lio_listio(LIO_NOWAIT, nothing, 3, &event), 0);
	check_group_signal(1, 8);
	notify_by_signal(&event, GROUP_SIGNAL, 9);
	check_equal(lio_listio(LIO_NOWAIT, nops, 2, &event), 0);
	check_group_signal(2, 9);
	check_equal(lio_listio(LIO_NOWAIT, nothing, 3, NULL), 0);
	release_signals();
}

static void test_group_is_announced_once_after_its_last_entry(void **state)
{
	enum { NR = 4 };
	static struct aiocb cbs[NR], *list[NR];
	int fd = temp_file_filled(1000);
	static char bufs[NR][100];
	struct sigevent event;

	(void)state;
	for (int round = 0; round < 50; round++) {
		unsigned int seen = 0;

		/* One real-time signal: delivered in the order of sending. */
		catch_signal(GROUP_SIGNAL, SA_RESTART);
		for (int i = 0; i < NR; i++) {
			aiocb_init_lio(&cbs[i], LIO_READ, fd, bufs[i], 100, i);
			notify_by_signal(&cbs[i].aio_sigevent, GROUP_SIGNAL, i);
			list[i] = &cbs[i];
		}
		notify_by_signal(&event, GROUP_SIGNAL, 100);
		check_equal(lio_listio(LIO_NOWAIT, list, NR, &event), 0);
		/* It was copied. */
		memset(&event, 0xA5, sizeof(event));
		check_group_signal(NR, 100);
		for (unsigned int i = 0; i < NR; i++)
			seen |= 1u << caught(i)->si_value.sival_int;
		check_equal(seen, 0xF);
		for (int i = 0; i < NR; i++)
			check_equal(aio_error(&cbs[i]), 0);
		check_equal(nr_caught(), NR + 1);
		release_signals();
	}
	close(fd);
}

/* What was to be done for earlier requests is done when this one, of another kind, has ended. */
static void let_others_go_first(void)
{
	struct aiocb cb;
	int pair[2];
	char buf;

	open_pipe(pair);
	for (int i = 0; i < 20; i++) {
		aiocb_init(&cb, pair[0], &buf, 1, 0);
		check_equal(aio_read(&cb), 0);
		write_fully(pair[1], "x", 1);
		check_equal(await_result(&cb), 1);
	}
	close_pair(pair);
}

static void test_group_end_waits_for_a_blocked_entry(void **state)
{
	static struct aiocb cbs[2], *list[2] = { &cbs[0], &cbs[1] };
	int fd = temp_file_filled(1000), fds[2];
	static char bufs[2][100];
	struct sigevent event;

	(void)state;
	catch_signal(GROUP_SIGNAL, SA_RESTART);
	open_pipe(fds);
	notify_by_signal(&event, GROUP_SIGNAL, 5);
	aiocb_init_lio(&cbs[0], LIO_READ, fds[0], bufs[0], 1, 0);
	aiocb_init_lio(&cbs[1], LIO_READ, fd, bufs[1], 100, 0);
	check_equal(lio_listio(LIO_NOWAIT, list, 2, &event), 0);
	check_equal(await_result(&cbs[1]), 100);
	let_others_go_first();
	check_equal(nr_caught(), 0);
	write_fully(fds[1], "a", 1);
	check_group_signal(0, 5);
	check_equal(aio_error(&cbs[0]), 0);
	release_signals();
	close_pair(fds);
	close(fd);
}

static void test_group_of_direct_requests_is_announced(void **state)
{
	enum { NR = 16, SIZE = 4096 };
	static struct aiocb cbs[NR], *list[NR];
	static char data[NR][SIZE] __attribute__((aligned(4096)));
	int fd = direct_file_or_skip(NR * SIZE, 0);
	struct sigevent event;

	(void)state;
	catch_signal(GROUP_SIGNAL, SA_RESTART);
	for (unsigned int round = 0; round < 20; round++) {
		for (int i = 0; i < NR; i++) {
			aiocb_init_lio(&cbs[i], LIO_READ, fd, data[i], SIZE, i * SIZE);
			list[i] = &cbs[i];
		}
		notify_by_signal(&event, GROUP_SIGNAL, (int)round);
		check_equal(lio_listio(LIO_NOWAIT, list, NR, &event), 0);
		/* Nobody polls: the signal must come by itself. */
		check_group_signal(round, (int)round);
		for (int i = 0; i < NR; i++)
			check_equal(aio_error(&cbs[i]), 0);
	}
	check_pattern(data, 0, sizeof(data));
	release_signals();
	close(fd);
}

static void test_group_with_a_cancelled_entry_is_announced(void **state)
{
	static struct aiocb cbs[2], *list[2] = { &cbs[0], &cbs[1] };
	static char bufs[2][8];
	struct sigevent event;
	int fds[2];

	(void)state;
	catch_signal(GROUP_SIGNAL, SA_RESTART);
	open_pipe(fds);
	notify_by_signal(&event, GROUP_SIGNAL, 6);
	for (int i = 0; i < 2; i++)
		aiocb_init_lio(&cbs[i], LIO_READ, fds[0], bufs[i], 1, 0);
	check_equal(lio_listio(LIO_NOWAIT, list, 2, &event), 0);
	check_equal(aio_cancel(fds[0], &cbs[1]), AIO_CANCELED);
	check_equal(nr_caught(), 0);
	write_fully(fds[1], "a", 1);
	check_group_signal(0, 6);
	check_equal(nr_caught(), 1);
	release_signals();
	close_pair(fds);
}

static void test_waited_list_announces_entries_but_not_the_group(void **state)
{
	static struct aiocb cbs[2], *list[2] = { &cbs[0], &cbs[1] };
	int fd = temp_file_filled(1000);
	static char bufs[2][100];
	struct sigevent event;

	(void)state;
	catch_signal(GROUP_SIGNAL, SA_RESTART);
	for (int i = 0; i < 2; i++) {
		aiocb_init_lio(&cbs[i], LIO_READ, fd, bufs[i], 100, i);
		notify_by_signal(&cbs[i].aio_sigevent, GROUP_SIGNAL, i);
	}
	notify_by_signal(&event, GROUP_SIGNAL, 100);
	check_equal(lio_listio(LIO_WAIT, list, 2, &event), 0);
	eventually(nr_caught() == 2);
	check_equal(caught(0)->si_value.sival_int + caught(1)->si_value.sival_int, 1);
	release_signals();
	close(fd);
}

static void test_group_with_a_bad_signal_number_still_works(void **state)
{
	static const int numbers[] = { 0, -1, 65, 1000 };
	int fd = temp_file_filled(1000);
	struct aiocb cb, *list[1] = { &cb };
	struct sigevent event;
	char buf[100];

	(void)state;
	for (int i = 0; i < 4; i++) {
		notify_by_signal(&event, numbers[i], 1);
		aiocb_init_lio(&cb, LIO_READ, fd, buf, 100, 0);
		check_equal(lio_listio(LIO_NOWAIT, list, 1, &event), 0);
		check_equal(await_result(&cb), 100);
	}
	close(fd);
}

static sem_t group_done;
static atomic_int nr_unfinished;
static struct aiocb thread_cbs[4];

static void note_group_end(union sigval value)
{
	for (int i = 0; i < 4; i++)
		nr_unfinished += aio_error(&thread_cbs[i]) == EINPROGRESS;
	check(value.sival_ptr == thread_cbs);
	sem_post(&group_done);
}

static void test_group_callback_runs_after_the_last_entry(void **state)
{
	struct aiocb *list[4] = { NULL };
	int fd = temp_file_filled(1000);
	static char bufs[4][100];
	struct sigevent event;

	(void)state;
	check(sem_init(&group_done, 0, 0) == 0);
	nr_unfinished = 0;
	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < 4; i++) {
			aiocb_init_lio(&thread_cbs[i], LIO_READ, fd, bufs[i], 100, i);
			list[i] = &thread_cbs[i];
		}
		notify_by_thread(&event, note_group_end, thread_cbs);
		check_equal(lio_listio(LIO_NOWAIT, list, 4, &event), 0);
		memset(&event, 0xA5, sizeof(event));
		await_semaphore(&group_done);
		check_equal(nr_unfinished, 0);
	}
	/* And from an empty list. */
	memset(thread_cbs, 0, sizeof(thread_cbs));
	notify_by_thread(&event, note_group_end, thread_cbs);
	check_equal(lio_listio(LIO_NOWAIT, list, 0, &event), 0);
	await_semaphore(&group_done);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest lio_notification_tests[] = {
		cmocka_unit_test(test_count_of_minus_one_is_an_empty_list),
		cmocka_unit_test(test_empty_list_announces_its_end_at_once),
		cmocka_unit_test(test_group_is_announced_once_after_its_last_entry),
		cmocka_unit_test(test_group_end_waits_for_a_blocked_entry),
		cmocka_unit_test(test_group_of_direct_requests_is_announced),
		cmocka_unit_test(test_group_with_a_cancelled_entry_is_announced),
		cmocka_unit_test(test_waited_list_announces_entries_but_not_the_group),
		cmocka_unit_test(test_group_with_a_bad_signal_number_still_works),
		cmocka_unit_test(test_group_callback_runs_after_the_last_entry),
	};

	return cmocka_run_group_tests(lio_notification_tests, NULL, NULL);
}
