// SPDX-License-Identifier: MIT
/*
 * test_no_threads_events.c - signals and callbacks while no thread can be made
 *
 * Each one comes, if need be as soon as there can be a thread again, or else the
 * call that asks for it fails.  test_no_threads is about requests without events.
 */
#include "shortage.h"

#include <stdatomic.h>

static struct aiocb reads[2];
static char bytes[2];

static volatile sig_atomic_t nr_events;

static void count_event(int signo)
{
	(void)signo;
	nr_events++;
}

static void catch_event(struct sigevent *event)
{
	nr_events = 0;
	handle_signal(SIGUSR2, count_event, SA_RESTART);
	notify_by_signal(event, SIGUSR2, 7);
}

/* A signal that another thread sends comes later. */
static void check_event(void)
{
	eventually(nr_events == 1);
}

/* As on glibc, a list with nothing to do is announced by the call itself. */
static int announce_empty_lists(enum use use)
{
	struct aiocb nop, *list[] = { NULL, &nop };
	struct sigevent event;

	begin_shortage(use);
	aiocb_init_lio(&nop, LIO_NOP, -1, NULL, 0, 0);
	for (int nent = 0; nent <= 2; nent++) {
		catch_event(&event);
		check_equal(lio_listio(LIO_NOWAIT, list, nent, &event), 0);
		check_event();
	}
	return 0;
}

/*
 * Of a read that needs no thread and one that gets none the list is announced, as
 * it is on glibc if it refuses both; so is that of the first alone.  Who submits
 * and then sleeps until the event comes must learn by an error that it has come.
 */
static int announce_refused_lists(enum use use)
{
	struct aiocb *list[] = { &reads[0], &reads[1] };
	int fd, fds[2];
	struct sigevent event;

	begin_shortage(use);
	fd = temp_file_filled(100);
	open_pipe(fds);
	for (int nent = 1; nent <= 2; nent++) {
		int ret;

		aiocb_init_lio(&reads[0], LIO_READ, fd, &bytes[0], 1, 0);
		aiocb_init_lio(&reads[1], LIO_READ, fds[0], &bytes[1], 1, 0);
		catch_event(&event);
		ret = lio_listio(LIO_NOWAIT, list, nent, &event);
		check(ret == 0 || errno == EAGAIN);
		check(ret == -1 || nr_events == 0 || use != NO_USE);
		if (nent == 2)
			write_fully(fds[1], "x", 1);
		for (int i = 0; i < nent; i++)
			await(&reads[i]);
		check_event();
	}
	return 0;
}

/* Such a thread takes it when it likes: then there is no need for an error. */
static int announce_to_blocked(enum use use)
{
	struct aiocb *list[] = { &reads[0] };
	struct sigevent event;
	int fd;

	begin_shortage(use);
	fd = temp_file_filled(100);
	change_mask(SIG_BLOCK, SIGUSR2);
	notify_by_signal(&event, SIGUSR2, 7);
	aiocb_init_lio(&reads[0], LIO_READ, fd, &bytes[0], 1, 0);
	check(lio_listio(LIO_NOWAIT, list, 1, &event) == 0 || errno == EAGAIN);
	eventually(is_pending(SIGUSR2));
	return 0;
}

/* Neither a thread nor room for a signal: it may be late, or lose its value, but it comes. */
static int announce_without_room(enum use use)
{
	struct rlimit old, none;
	int fd;

	begin_shortage(use);
	fd = temp_file_filled(100);
	check_equal(getrlimit(RLIMIT_SIGPENDING, &old), 0);
	none = (struct rlimit){ 0, old.rlim_max };
	check_equal(setrlimit(RLIMIT_SIGPENDING, &none), 0);
	change_mask(SIG_BLOCK, SIGRTMIN);
	aiocb_init(&reads[0], fd, &bytes[0], 1, 0);
	notify_by_signal(&reads[0].aio_sigevent, SIGRTMIN, 7);
	if (aio_read(&reads[0]) < 0) {
		check_equal(errno, EAGAIN);
		return 0;
	}
	check_equal(outcome(&reads[0]), 1);
	check_equal(setrlimit(RLIMIT_SIGPENDING, &old), 0);
	eventually(is_pending(SIGRTMIN));
	return 0;
}

static atomic_int nr_callbacks; /* two of them may run at once */

static void count_call(union sigval value)
{
	(void)value;
	atomic_fetch_add(&nr_callbacks, 1);
}

/* A callback needs a thread: it comes when there is one, or the call fails. */
static int call_back_for_lists(enum use use)
{
	struct aiocb *list[] = { &reads[0] };
	struct sigevent event;
	int fd, nr_expected = 0;

	begin_shortage(use);
	fd = temp_file_filled(100);
	notify_by_thread(&event, count_call, NULL);
	for (int nent = 0; nent <= 1; nent++) {
		aiocb_init_lio(&reads[0], LIO_READ, fd, &bytes[0], 1, 0);
		if (lio_listio(LIO_NOWAIT, list, nent, &event) == 0)
			nr_expected++;
		else
			check_equal(errno, EAGAIN);
	}
	end_shortage();
	use_aio();
	eventually(atomic_load(&nr_callbacks) == nr_expected);
	return 0;
}

TEST_USES(empty_lists_are_announced_without_threads, announce_empty_lists)
TEST_USES(refused_lists_are_announced_without_threads, announce_refused_lists)
TEST_USES(blocked_events_of_lists_come_without_threads, announce_to_blocked)
TEST_USES(signal_comes_without_threads_and_room, announce_without_room)
TEST_USES(list_callback_comes_or_the_call_fails, call_back_for_lists)

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TESTS(empty_lists_are_announced_without_threads),
		cmocka_unit_test(test_refused_lists_are_announced_without_threads_first),
		cmocka_unit_test(test_refused_lists_are_announced_without_threads_after_one_read),
		cmocka_unit_test(test_refused_lists_are_announced_without_threads_later),
		UNIT_TESTS(blocked_events_of_lists_come_without_threads),
		UNIT_TESTS(signal_comes_without_threads_and_room),
		UNIT_TESTS(list_callback_comes_or_the_call_fails),
	};

	return cmocka_run_group_tests_name("no_threads_events", tests, NULL, NULL);
}
