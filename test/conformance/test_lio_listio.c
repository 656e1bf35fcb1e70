// SPDX-License-Identifier: MIT
/*
 * test_lio_listio.c - lists of requests, waited for and not
 *
 * LIO_WAIT returns when every entry is finished and sums them up; LIO_NOWAIT
 * returns at once.  test_lio_wait has the wait, test_lio_notification the
 * announcements, test_lio_entries what becomes of entries.
 */
#include "../support/support.h"

#define GROUP_SIGNAL (SIGRTMIN + 5)

static int call_listio(int mode, struct aiocb *const list[], int nent, struct sigevent *sig)
{
	errno = 0;
	return lio_listio(mode, list, nent, sig);
}

/* Expect the group's signal, with this value, next after nr others. */
static void check_group_signal(unsigned int nr, int value)
{
	eventually(nr_caught() > nr);
	check_equal(caught(nr)->si_signo, GROUP_SIGNAL);
	check_equal(caught(nr)->si_code, SI_ASYNCIO);
	check_equal(caught(nr)->si_value.sival_int, value);
}

/* ---- arguments ---- */

static void test_unknown_mode_gives_einval(void **state)
{
	static const int modes[] = { 2, 3, -1, 128, 256, INT_MIN, INT_MAX };
	struct aiocb *const *volatile no_list = NULL;
	struct aiocb *list[1] = { NULL };

	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		check_equal(call_listio(modes[i], list, 1, NULL), -1);
		check_equal(errno, EINVAL);
		check_equal(call_listio(modes[i], no_list, 1, NULL), -1);
		check_equal(errno, EINVAL);
	}
}

/* glibc makes room for so many on its stack. */
static int listio_negative(void)
{
	struct aiocb cb, *list[1] = { &cb };
	struct sigevent event;

	catch_signal(GROUP_SIGNAL, SA_RESTART);
	notify_by_signal(&event, GROUP_SIGNAL, 7);
	memset(&cb, 0, sizeof(cb));
	check_equal(call_listio(LIO_WAIT, list, -1000, &event), 0);
	check_equal(call_listio(LIO_WAIT, list, INT_MIN, &event), 0);
	check_equal(nr_caught(), 0);
	check_equal(call_listio(LIO_NOWAIT, list, INT_MIN, &event), 0);
	eventually(nr_caught() == 1);
	return 0;
}

static void test_any_negative_count_is_an_empty_list(void **state)
{
	(void)state;
	check_in_child(listio_negative, 10000);
}

static void test_empty_list_waits_for_nothing(void **state)
{
	struct aiocb nop, *nothing[3] = { NULL, NULL, NULL };
	struct aiocb *nops[2] = { &nop, NULL };
	struct sigevent event;

	(void)state;
	catch_signal(GROUP_SIGNAL, SA_RESTART);
	notify_by_signal(&event, GROUP_SIGNAL, 7);
	aiocb_init_lio(&nop, LIO_NOP, -1, NULL, 0, 0);
	check_equal(call_listio(LIO_WAIT, nothing, 0, &event), 0);
	check_equal(call_listio(LIO_WAIT, nothing, 3, &event), 0);
	check_equal(call_listio(LIO_WAIT, nops, 2, &event), 0);
	check_equal(nr_caught(), 0);
	release_signals();
}

static void test_nop_entry_is_not_touched(void **state)
{
	int fd = temp_file_filled(1000);
	struct aiocb nop, before, cb, *list[3] = { &nop, NULL, &cb };
	char buf[100];

	(void)state;
	catch_signal(GROUP_SIGNAL, SA_RESTART);
	for (int mode = 0; mode < 2; mode++) {
		aiocb_init_lio(&nop, LIO_NOP, fd, buf, 10, 0);
		notify_by_signal(&nop.aio_sigevent, GROUP_SIGNAL, 1);
		before = nop;
		aiocb_init_lio(&cb, LIO_READ, fd, buf, 100, 0);
		check_equal(call_listio(mode, list, 3, NULL), 0);
		check_equal(await_result(&cb), 100);
		check_memory(&nop, &before, sizeof(nop));
	}
	check_equal(nr_caught(), 0);
	release_signals();
	close(fd);
}

/* ---- the work ---- */

static void test_waited_list_is_finished_on_return(void **state)
{
	enum { NR = 60, SIZE = 1000 };
	static struct aiocb cbs[NR], *list[NR];
	static char data[NR][SIZE], found[NR * SIZE];
	int fd = temp_file(0);

	(void)state;
	for (int i = 0; i < NR; i++) {
		pattern_fill(data[i], (size_t)i * SIZE, SIZE);
		aiocb_init_lio(&cbs[i], LIO_WRITE, fd, data[i], SIZE, i * SIZE);
		list[i] = &cbs[i];
	}
	check_equal(call_listio(LIO_WAIT, list, NR, NULL), 0);
	for (int i = 0; i < NR; i++) {
		check_equal(aio_error(&cbs[i]), 0);
		check_equal(aio_return(&cbs[i]), SIZE);
	}
	check_equal(pread(fd, found, sizeof(found), 0), sizeof(found));
	check_pattern(found, 0, sizeof(found));
	memset(data, 0, sizeof(data));
	for (int i = 0; i < NR; i++)
		aiocb_init_lio(&cbs[i], LIO_READ, fd, data[i], SIZE, i * SIZE);
	check_equal(lio_listio64(LIO_WAIT, (struct aiocb64 **)list, NR, NULL), 0);
	for (int i = 0; i < NR; i++)
		check_equal(aio_return(&cbs[i]), SIZE);
	check_pattern(data, 0, sizeof(data));
	close(fd);
}

static void test_waited_list_of_direct_requests_is_finished(void **state)
{
	enum { NR = 64, SIZE = 4096 };
	static struct aiocb cbs[NR], *list[NR];
	static char data[NR][SIZE] __attribute__((aligned(4096)));
	int fd = direct_file_or_skip(NR * SIZE, 0);

	(void)state;
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < NR; i++) {
			aiocb_init_lio(&cbs[i], i % 3 ? LIO_READ : LIO_WRITE, fd, data[i], SIZE,
				       i * SIZE);
			pattern_fill(data[i], (size_t)i * SIZE, i % 3 ? 0 : SIZE);
			list[i] = &cbs[i];
		}
		check_equal(call_listio(LIO_WAIT, list, NR, NULL), 0);
		for (int i = 0; i < NR; i++)
			check_equal(aio_return(&cbs[i]), SIZE);
		check_pattern(data, 0, sizeof(data));
	}
	close(fd);
}

static void test_unwaited_list_returns_while_requests_block(void **state)
{
	static struct aiocb cbs[3], *list[3] = { &cbs[0], &cbs[1], &cbs[2] };
	int fd = temp_file(0), fds[2];
	static char bufs[2][8];

	(void)state;
	open_pipe(fds);
	aiocb_init_lio(&cbs[0], LIO_READ, fds[0], bufs[0], 1, 0);
	aiocb_init_lio(&cbs[1], LIO_READ, fds[0], bufs[1], 1, 0);
	aiocb_init_lio(&cbs[2], LIO_WRITE, fd, "x", 1, 0);
	check_equal(call_listio(LIO_NOWAIT, list, 3, NULL), 0);
	check_equal(await_result(&cbs[2]), 1);
	check_equal(aio_error(&cbs[0]), EINPROGRESS);
	check_equal(aio_error(&cbs[1]), EINPROGRESS);
	write_fully(fds[1], "ab", 2);
	check_equal(await_result(&cbs[0]), 1);
	check_equal(await_result(&cbs[1]), 1);
	check_equal(bufs[0][0], 'a');
	check_equal(bufs[1][0], 'b');
	close_pair(fds);
	close(fd);
}

static void test_entries_on_a_pipe_keep_their_order(void **state)
{
	enum { NR = 26 };
	static struct aiocb cbs[2 * NR], *list[2 * NR];
	static char letters[NR], found[NR];
	int fds[2];

	(void)state;
	open_pipe(fds);
	for (int i = 0; i < NR; i++) {
		letters[i] = (char)('a' + i);
		aiocb_init_lio(&cbs[i], LIO_WRITE, fds[1], &letters[i], 1, 0);
		aiocb_init_lio(&cbs[NR + i], LIO_READ, fds[0], &found[i], 1, 0);
		list[i] = &cbs[NR + i];
		list[NR + i] = &cbs[i];
	}
	check_equal(call_listio(LIO_WAIT, list, 2 * NR, NULL), 0);
	check_memory(found, letters, NR);
	close_pair(fds);
}

/* More than can be in flight at a time, and apart from each other. */
static void test_list_of_thousands_of_direct_reads_is_finished(void **state)
{
	enum { NR = 2000, NR_BLOCKS = 64, BLOCK = 4096 };
	static char bufs[NR][BLOCK] __attribute__((aligned(BLOCK)));
	static struct aiocb cbs[NR];
	static struct aiocb *list[NR];
	int fd = direct_file(NR_BLOCKS * BLOCK, 0);

	(void)state;
	if (fd < 0)
		skip_because("the file system refuses O_DIRECT");
	/* By now a library may know what kind of file it is. */
	check_equal(read_now(fd, bufs[0], BLOCK, 0), BLOCK);
	for (int i = 0; i < NR; i++) {
		aiocb_init_lio(&cbs[i], LIO_READ, fd, bufs[i], BLOCK, i * 5 % NR_BLOCKS * BLOCK);
		list[i] = &cbs[i];
	}
	check_equal(call_listio(LIO_WAIT, list, NR, NULL), 0);
	for (int i = 0; i < NR; i++) {
		check_equal(aio_error(&cbs[i]), 0);
		check_equal(aio_return(&cbs[i]), BLOCK);
		check_pattern(bufs[i], (size_t)(i * 5 % NR_BLOCKS * BLOCK), BLOCK);
	}
	close(fd);
}

static void test_list_of_thousands_is_finished(void **state)
{
	enum { NR = 5000 };
	static struct aiocb cbs[NR], *list[NR];
	static char buf[NR];
	int fd = temp_file_filled(NR);

	(void)state;
	for (int i = 0; i < NR; i++) {
		aiocb_init_lio(&cbs[i], LIO_READ, fd, &buf[i], 1, i);
		list[i] = &cbs[i];
	}
	check_equal(call_listio(LIO_WAIT, list, NR, NULL), 0);
	check_pattern(buf, 0, NR);
	close(fd);
}

static void test_short_and_empty_transfers_are_no_errors(void **state)
{
	struct aiocb cbs[3], *list[3] = { &cbs[0], &cbs[1], &cbs[2] };
	int fd = temp_file_filled(1000);
	char bufs[2][100];

	(void)state;
	aiocb_init_lio(&cbs[0], LIO_READ, fd, bufs[0], 100, 950);
	aiocb_init_lio(&cbs[1], LIO_READ, fd, bufs[1], 100, 5000);
	aiocb_init_lio(&cbs[2], LIO_WRITE, fd, NULL, 0, 0);
	check_equal(call_listio(LIO_WAIT, list, 3, NULL), 0);
	check_equal(aio_return(&cbs[0]), 50);
	check_equal(aio_return(&cbs[1]), 0);
	check_equal(aio_return(&cbs[2]), 0);
	close(fd);
}

/* ---- failing entries ---- */

/* A list of four, of which the second fails later and the others succeed. */
static void list_with_a_failure(int mode, int opcode, int bad_fd, int error)
{
	static struct aiocb cbs[4];
	static struct aiocb *list[4] = { &cbs[0], &cbs[1], &cbs[2], &cbs[3] };
	int fd = temp_file_filled(1000);
	static char bufs[4][100];

	for (int i = 0; i < 4; i++)
		aiocb_init_lio(&cbs[i], LIO_READ, fd, bufs[i], 100, i);
	cbs[1].aio_lio_opcode = opcode;
	if (bad_fd)
		cbs[1].aio_fildes = -1;
	if (mode == LIO_WAIT) {
		check_equal(call_listio(mode, list, 4, NULL), -1);
		check_equal(errno, EIO);
		for (int i = 0; i < 4; i++)
			check(aio_error(&cbs[i]) != EINPROGRESS);
	} else {
		check_equal(call_listio(mode, list, 4, NULL), 0);
	}
	await_failure(&cbs[1], error);
	for (int i = 0; i < 4; i += i ? 1 : 2)
		check_equal(await_result(&cbs[i]), 100);
	close(fd);
}

static void test_waited_list_with_a_failing_entry_gives_eio(void **state)
{
	(void)state;
	list_with_a_failure(LIO_WAIT, LIO_READ, 1, EBADF);
}

static void test_unwaited_list_with_a_failing_entry_is_accepted(void **state)
{
	(void)state;
	list_with_a_failure(LIO_NOWAIT, LIO_READ, 1, EBADF);
}

static void test_unknown_opcode_fails_its_entry(void **state)
{
	static const int opcodes[] = { 5, 99, -1, 130, 258 };

	(void)state;
	for (size_t i = 0; i < sizeof(opcodes) / sizeof(*opcodes); i++) {
		list_with_a_failure(LIO_WAIT, opcodes[i], 0, EINVAL);
		list_with_a_failure(LIO_NOWAIT, opcodes[i], 0, EINVAL);
	}
}

/* Entry 1 of 3 has a bad priority and is refused before it is queued. */
static void test_refused_entry_does_not_stop_the_others(void **state)
{
	static struct aiocb cbs[3];
	struct aiocb *list[3] = { &cbs[0], &cbs[1], &cbs[2] };
	int fd = temp_file_filled(1000);
	static char bufs[3][100];
	struct sigevent event;

	(void)state;
	catch_signal(GROUP_SIGNAL, SA_RESTART);
	notify_by_signal(&event, GROUP_SIGNAL, 7);
	for (int mode = 0; mode < 2; mode++) {
		for (int i = 0; i < 3; i++)
			aiocb_init_lio(&cbs[i], LIO_READ, fd, bufs[i], 100, i);
		cbs[1].aio_reqprio = 21;
		notify_by_signal(&cbs[1].aio_sigevent, GROUP_SIGNAL, 1);
		check_equal(call_listio(mode, list, 3, &event), -1);
		/* POSIX wants EIO, glibc gives EINVAL without LIO_WAIT. */
		check(errno == EIO || (mode == LIO_NOWAIT && errno == EINVAL));
		if (mode == LIO_WAIT)
			for (int i = 0; i < 3; i++)
				check(aio_error(&cbs[i]) != EINPROGRESS);
		check_equal(await_result(&cbs[0]), 100);
		check_equal(await_result(&cbs[2]), 100);
		check_equal(aio_error(&cbs[1]), EINVAL);
		check_equal(aio_return(&cbs[1]), -1);
	}
	check_group_signal(0, 7);
	check_equal(nr_caught(), 1);
	release_signals();
	close(fd);
}

/* However many a list submits at a time, all of it counts: the last of 9 is refused. */
static void test_refused_entry_after_direct_reads_gives_eio(void **state)
{
	enum { NR = 9, BLOCK = 4096 };
	static char bufs[NR][BLOCK] __attribute__((aligned(BLOCK)));
	static struct aiocb cbs[NR];
	struct aiocb *list[NR];
	int fd = direct_file(NR * BLOCK, 0);

	(void)state;
	if (fd < 0)
		skip_because("the file system refuses O_DIRECT");
	/* By now a library may know what kind of file it is. */
	check_equal(read_now(fd, bufs[0], BLOCK, 0), BLOCK);
	for (int i = 0; i < NR; i++) {
		aiocb_init_lio(&cbs[i], LIO_READ, fd, bufs[i], BLOCK, (off_t)i * BLOCK);
		list[i] = &cbs[i];
	}
	cbs[NR - 1].aio_reqprio = -1;
	check_equal(call_listio(LIO_WAIT, list, NR, NULL), -1);
	check_equal(errno, EIO);
	check_equal(aio_error(&cbs[NR - 1]), EINVAL);
	for (int i = 0; i < NR - 1; i++) {
		check_equal(aio_error(&cbs[i]), 0);
		check_equal(aio_return(&cbs[i]), BLOCK);
		check_pattern(bufs[i], i * BLOCK, BLOCK);
	}
	close(fd);
}

static void test_list_of_refused_entries_fails(void **state)
{
	struct aiocb cbs[2], *list[2] = { &cbs[0], &cbs[1] };
	char buf[8];

	(void)state;
	for (int mode = 0; mode < 2; mode++) {
		for (int i = 0; i < 2; i++) {
			aiocb_init_lio(&cbs[i], LIO_READ, 0, buf, 1, 0);
			cbs[i].aio_reqprio = -1;
		}
		check_equal(call_listio(mode, list, 2, NULL), -1);
		check(errno == EINVAL || errno == EIO);
		check_equal(aio_error(&cbs[0]), EINVAL);
		check_equal(aio_error(&cbs[1]), EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest lio_listio_tests[] = {
		cmocka_unit_test(test_unknown_mode_gives_einval),
		cmocka_unit_test(test_any_negative_count_is_an_empty_list),
		cmocka_unit_test(test_empty_list_waits_for_nothing),
		cmocka_unit_test(test_nop_entry_is_not_touched),
		cmocka_unit_test(test_waited_list_is_finished_on_return),
		cmocka_unit_test(test_waited_list_of_direct_requests_is_finished),
		cmocka_unit_test(test_unwaited_list_returns_while_requests_block),
		cmocka_unit_test(test_entries_on_a_pipe_keep_their_order),
		cmocka_unit_test(test_list_of_thousands_is_finished),
		cmocka_unit_test(test_list_of_thousands_of_direct_reads_is_finished),
		cmocka_unit_test(test_short_and_empty_transfers_are_no_errors),
		cmocka_unit_test(test_waited_list_with_a_failing_entry_gives_eio),
		cmocka_unit_test(test_unwaited_list_with_a_failing_entry_is_accepted),
		cmocka_unit_test(test_unknown_opcode_fails_its_entry),
		cmocka_unit_test(test_refused_entry_does_not_stop_the_others),
		cmocka_unit_test(test_refused_entry_after_direct_reads_gives_eio),
		cmocka_unit_test(test_list_of_refused_entries_fails),
	};

	return cmocka_run_group_tests(lio_listio_tests, NULL, NULL);
}
