// SPDX-License-Identifier: MIT
/*
 * test_stand_aside.c - RTAIO_BACKEND=glibc, by which the library is switched off
 *
 * Each function of <aio.h> is called, with data, and does what it does on glibc.
 * Where nothing is preloaded the variable has no meaning.
 */
#include "transparency.h"

#include <stdatomic.h>

static struct aiocb cb, other;
static char buf[8192];

/* Read at the first use of AIO, which is still to come in this process. */
static void switch_off(void)
{
	setenv("RTAIO_BACKEND", "glibc", 1);
}

/* ---- transfers ---- */

static int transfer(void)
{
	struct aioinit init = { .aio_threads = 4, .aio_num = 16, .aio_idle_time = 1 };
	const struct aiocb *list[] = { &cb };
	int fd = temp_file_filled(8192);

	switch_off();
	aio_init(&init);
	submit_read(&cb, fd, buf, 4096, 4096);
	while (aio_error(&cb) == EINPROGRESS)
		check_equal(aio_suspend(list, 1, NULL), 0);
	check_equal(aio_return(&cb), 4096);
	check_pattern(buf, 4096, 4096);
	memset(buf, 'w', 4096);
	submit_write(&cb, fd, buf, 4096, 0);
	check_equal(outcome(&cb), 4096);
	check(buf[0] == 'w' && buf[4095] == 'w');
	aiocb_init(&cb, fd, NULL, 0, 0);
	check_equal(aio_fsync(O_SYNC, &cb), 0);
	check_equal(outcome(&cb), 0);
	check_equal(pread(fd, buf + 4096, 4096, 0), 4096);
	check_memory(buf, buf + 4096, 4096);
	return 0;
}

/* The names with 64, which older programs have. */
static int transfer_by_64(void)
{
	struct aiocb64 *wide = (struct aiocb64 *)&cb;
	const struct aiocb64 *list[] = { wide };
	struct aiocb64 *entries[] = { wide };
	int fd = temp_file_filled(8192);

	switch_off();
	aiocb_init_lio(&cb, LIO_READ, fd, buf, 4096, 4096);
	check_equal(aio_read64(wide), 0);
	while (aio_error64(wide) == EINPROGRESS)
		check_equal(aio_suspend64(list, 1, NULL), 0);
	check_equal(aio_return64(wide), 4096);
	check_pattern(buf, 4096, 4096);
	check_equal(aio_write64(wide), 0);
	check_equal(outcome(&cb), 4096);
	check_equal(aio_fsync64(O_DSYNC, wide), 0);
	check_equal(outcome(&cb), 0);
	memset(buf, 0, sizeof(buf));
	cb.aio_lio_opcode = LIO_READ; /* glibc's aio_fsync has its own there */
	check_equal(lio_listio64(LIO_WAIT, entries, 1, NULL), 0);
	check_equal(aio_return64(wide), 4096);
	check_pattern(buf, 4096, 4096);
	check_equal(aio_cancel64(fd, wide), AIO_ALLDONE);
	return 0;
}

/* ---- lists, cancellation, notification ---- */

static int list_both_ways(void)
{
	struct aiocb *list[] = { &cb, NULL, &other };
	int fd = temp_file_filled(8192);

	switch_off();
	for (int mode = 0; mode < 2; mode++) {
		memset(buf, 0, sizeof(buf));
		aiocb_init_lio(&cb, LIO_READ, fd, buf, 4096, 0);
		aiocb_init_lio(&other, LIO_READ, fd, buf + 4096, 4096, 4096);
		check_equal(lio_listio(mode ? LIO_WAIT : LIO_NOWAIT, list, 3, NULL), 0);
		check_equal(outcome(&cb), 4096);
		check_equal(outcome(&other), 4096);
		check_pattern(buf, 0, 8192);
	}
	return 0;
}

/* Cancels only the last of three; the two before it go on. */
static void cancel_the_last(int fds[2])
{
	static struct aiocb last;
	static char byte;

	submit_read(&cb, fds[0], buf, 1, 0);
	submit_read(&other, fds[0], buf + 1, 1, 0);
	submit_read(&last, fds[0], &byte, 1, 0);
	check_equal(aio_cancel(fds[0], &last), AIO_CANCELED);
	check_equal(outcome(&last), -ECANCELED);
	write_fully(fds[1], "ab", 2);
	check_equal(outcome(&cb), 1);
	check_equal(outcome(&other), 1);
	check_memory(buf, "ab", 2);
}

static int cancel_both_ways(void)
{
	int fds[2];

	switch_off();
	open_pipe(fds);
	cancel_the_last(fds);
	for (int i = 0; i < 2; i++) {
		submit_read(&cb, fds[0], buf, 1, 0);
		submit_read(&other, fds[0], buf + 1, 1, 0);
		/* Of one alone, and of all, of which the first may be under way. */
		check(aio_cancel(fds[0], i ? NULL : &other) != AIO_ALLDONE);
		check_equal(outcome(&other), -ECANCELED);
		write_fully(fds[1], "x", 1);
		if (outcome(&cb) == 1)
			check_equal(buf[0], 'x');
		else
			read_fully(fds[0], NULL, 1);
	}
	check_equal(aio_cancel(fds[0], NULL), AIO_ALLDONE);
	return 0;
}

static atomic_int nr_told;

static void tell(union sigval value)
{
	nr_told += value.sival_int;
}

static void tell_by_signal(int signo)
{
	(void)signo;
	nr_told++;
}

static int notify_both_ways(void)
{
	int fd = temp_file_filled(8192);

	switch_off();
	handle_signal(SIGRTMIN, tell_by_signal, SA_RESTART);
	aiocb_init(&cb, fd, buf, 4096, 0);
	notify_by_signal(&cb.aio_sigevent, SIGRTMIN, 1);
	check_equal(aio_read(&cb), 0);
	check_equal(outcome(&cb), 4096);
	eventually(nr_told == 1);
	notify_by_thread(&cb.aio_sigevent, tell, NULL);
	cb.aio_sigevent.sigev_value.sival_int = 1;
	check_equal(aio_read(&cb), 0);
	check_equal(outcome(&cb), 4096);
	eventually(nr_told == 2);
	return 0;
}

/* Nothing of the library's own: everything is gone with the last request. */
static int close_and_fork(void)
{
	pid_t pid;

	switch_off();
	use_aio();
	eventually(nr_threads() == 1);
	pid = fork();
	if (!pid)
		_exit(0);
	check_child(pid);
	use_aio();
	return 0;
}

/* ---- threads that are there at the first use ---- */

static atomic_bool is_asking, has_begun;

/* About a request that never was. */
static void *ask_for_result(void *unused)
{
	static struct aiocb idle;

	while (!has_begun) {
		check_equal(aio_error(&idle), 0);
		check_equal(aio_return(&idle), 0);
		is_asking = true;
	}
	return unused;
}

static int ask_at_first_use(void)
{
	pthread_t thread;

	switch_off();
	thread = start_thread(ask_for_result, NULL);
	eventually(is_asking);
	use_aio();
	has_begun = true;
	join_thread(thread);
	return 0;
}

TEST_IN_CHILD(test_transfers_have_their_data, transfer, 20000)
TEST_IN_CHILD(test_names_with_64_have_their_data, transfer_by_64, 20000)
TEST_IN_CHILD(test_lists_have_their_data, list_both_ways, 20000)
TEST_IN_CHILD(test_requests_are_cancelled, cancel_both_ways, 20000)
TEST_IN_CHILD(test_notifications_arrive, notify_both_ways, 20000)
TEST_IN_CHILD(test_all_of_it_works_across_a_fork, close_and_fork, 20000)
TEST_IN_CHILD(test_results_are_there_during_the_first_use, ask_at_first_use, 20000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_transfers_have_their_data),
		cmocka_unit_test(test_names_with_64_have_their_data),
		cmocka_unit_test(test_lists_have_their_data),
		cmocka_unit_test(test_requests_are_cancelled),
		cmocka_unit_test(test_notifications_arrive),
		cmocka_unit_test(test_all_of_it_works_across_a_fork),
		cmocka_unit_test(test_results_are_there_during_the_first_use),
	};

	return cmocka_run_group_tests_name("stand_aside", tests, NULL, NULL);
}
