// SPDX-License-Identifier: MIT
/*
 * test_eventfd_life.c - eventfds that are closed, replaced or inherited while requests are to add
 * to them
 */
#include "eventfd.h"

#include <sys/eventfd.h>

/* ---- an eventfd that is closed amid requests ---- */

struct plan {
	void (*replace)(int event, int file);
};

static void by_close(int event, int file)
{
	close(event);
	check_equal(dup(file), event); /* the lowest free descriptor */
}

static void by_dup2(int event, int file)
{
	check_equal(dup2(file, event), event);
}

static void by_dup3(int event, int file)
{
	check_equal(dup3(file, event, O_CLOEXEC), event);
}

static void by_close_range(int event, int file)
{
	check_equal(close_range((unsigned int)event, (unsigned int)event, 0), 0);
	check_equal(dup(file), event);
}

static void by_all_above(int event, int file)
{
	check_equal(close_range((unsigned int)event, ~0u, 0), 0);
	check_equal(dup(file), event);
}

static void by_closefrom(int event, int file)
{
	closefrom(event);
	check_equal(dup(file), event);
}

static void by_fclose(int event, int file)
{
	fclose(fdopen(event, "w"));
	check_equal(dup(file), event);
}

static void check_untouched(int fd)
{
	check_equal(file_size(fd), 0);
	check_equal(lseek(fd, 0, SEEK_CUR), 0);
}

/* Nothing is written to the file that takes over the descriptor of the eventfd. */
static int replaced(void *arg)
{
	static struct aiocb cbs[2], list_cb, *list[] = { &list_cb };
	static char bytes[3];
	const struct plan *plan = arg;
	struct sigevent sigevent;
	int file = temp_file(0), fds[2], event;

	if (!has_waitcomplete())
		return CHILD_SKIPPED;
	open_pipe(fds);
	check(can_be_read(fds[0]) == false);
	event = new_eventfd(0); /* the highest descriptor in use */
	for (int i = 0; i < 2; i++)
		read_to(&cbs[i], event, fds[0], &bytes[i], 1);
	aiocb_init_lio(&list_cb, LIO_READ, fds[0], &bytes[2], 1, 0);
	notify_by_eventfd(&sigevent, event);
	check_equal(lio_listio(LIO_NOWAIT, list, 1, &sigevent), 0);
	/* Before Linux 6.5 a ring has a descriptor while it is made. */
	eventually(others_are_asleep());
	plan->replace(event, file);
	write_fully(fds[1], "xxx", 3);
	check_equal(collect_this(&cbs[0]), 1);
	check_equal(collect_this(&cbs[1]), 1);
	check_equal(await_result(&list_cb), 1);
	check_untouched(event);
	/* A later request with a new eventfd, which gets the same descriptor. */
	close(event);
	check_equal(new_eventfd(0), event);
	read_to(&cbs[0], event, fds[0], &bytes[0], 1);
	write_fully(fds[1], "x", 1);
	check_announced(&cbs[0], event, 1);
	return 0;
}

#define TEST_REPLACED(test, replace) TEST_WITH_PLAN(test, replaced, 20000, replace)

TEST_REPLACED(test_nothing_is_written_after_close, by_close)
TEST_REPLACED(test_nothing_is_written_after_dup2, by_dup2)
TEST_REPLACED(test_nothing_is_written_after_dup3, by_dup3)
TEST_REPLACED(test_nothing_is_written_after_close_range, by_close_range)
TEST_REPLACED(test_nothing_is_written_after_a_range_without_end, by_all_above)
TEST_REPLACED(test_nothing_is_written_after_closefrom, by_closefrom)
TEST_REPLACED(test_nothing_is_written_after_fclose, by_fclose)

/* A request of the closed eventfd adds nothing to a new one with the same descriptor. */
static int next_eventfd(void)
{
	static struct aiocb cbs[2];
	static char bytes[2];
	int event, fds[2];

	open_pipe(fds);
	event = new_eventfd(0);
	read_to(&cbs[0], event, fds[0], &bytes[0], 1);
	close(event);
	check_equal(new_eventfd(0), event);
	read_to(&cbs[1], event, fds[0], &bytes[1], 1);
	write_fully(fds[1], "x", 1);
	check_equal(collect_this(&cbs[0]), 1);
	check_equal(take_counter(event), 0);
	write_fully(fds[1], "x", 1);
	check_announced(&cbs[1], event, 1);
	return 0;
}

/* The eventfd stays open when a call fails. */
static int failed_closes(void)
{
	static struct aiocb cb;
	static char byte;
	int event = new_eventfd(0), fds[2];

	open_pipe(fds);
	read_to(&cb, event, fds[0], &byte, 1);
	check_equal(dup2(1000000, event), -1);
	check_equal(dup2(event, event), event);
	check_equal(dup3(fds[0], event, 1), -1);
	/* Before Linux 5.11 it is refused, which closes nothing either. */
	close_range((unsigned int)event, (unsigned int)event, CLOSE_RANGE_CLOEXEC);
	write_fully(fds[1], "x", 1);
	check_announced(&cb, event, 1);
	return 0;
}

#define NR_CLOSES 1000

static struct aiocb closing_cb;

/* The eventfd is replaced while the request ends. */
static void *close_it(void *event)
{
	int file = temp_file(0);

	check_equal(dup2(file, *(int *)event), *(int *)event);
	check_untouched(*(int *)event);
	while (aio_error(&closing_cb) == EINPROGRESS)
		sched_yield();
	check_equal(aio_return(&closing_cb), 1);
	check_untouched(*(int *)event);
	close(file);
	return NULL;
}

static int closes_amid_ends(void)
{
	static char byte;
	int fds[2];

	open_pipe(fds);
	for (int i = 0; i < NR_CLOSES; i++) {
		int event = new_eventfd(0);
		pthread_t thread;

		read_to(&closing_cb, event, fds[0], &byte, 1);
		thread = start_thread(close_it, &event);
		write_fully(fds[1], "x", 1);
		join_thread(thread);
		check_untouched(event);
		close(event);
	}
	check_nothing_left();
	return 0;
}

TEST_WAITCOMPLETE(test_next_eventfd_of_the_number_serves, next_eventfd, 20000)
TEST_WAITCOMPLETE(test_call_that_fails_closes_no_eventfd, failed_closes, 20000)
TEST_WAITCOMPLETE(test_nothing_is_written_if_it_is_closed_meanwhile, closes_amid_ends, 60000)

/* ---- fork ---- */

static int child(void)
{
	static struct aiocb cb, own;
	static char byte;
	int event = new_eventfd(0), fds[2], file = temp_file_filled(1);
	pid_t pid;

	open_pipe(fds);
	read_to(&cb, event, fds[0], &byte, 1);
	pid = fork();
	if (pid == 0) {
		int again = new_eventfd(0);

		close(event); /* the parent's copy stays open */
		read_to(&own, again, file, &byte, 1);
		check_announced(&own, again, 1);
		close(again);
		_exit(0);
	}
	check_child(pid);
	write_fully(fds[1], "x", 1);
	check_announced(&cb, event, 1);
	return 0;
}

static int storm_event, storm_file;

static void read_announced(void)
{
	struct aiocb cb;
	char byte;

	read_to(&cb, storm_event, storm_file, &byte, 1);
	check_equal(await_result(&cb), 1);
}

/* A child can close its descriptors, whatever the other threads did at the fork. */
static int fork_storm(void)
{
	struct aiocb cb;
	char byte;
	int event = new_eventfd(0), fds[2];

	open_pipe(fds);
	read_to(&cb, event, fds[0], &byte, 1); /* an eventfd is in use all the time */
	storm_event = new_eventfd(EFD_NONBLOCK);
	storm_file = temp_file_filled(1);
	begin_storm(read_announced);
	for (int i = 0; i < 300; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			close(fds[0]);
			check_equal(dup2(fds[1], event), event);
			_exit(0);
		}
		check_child(pid);
	}
	end_storm();
	write_fully(fds[1], "x", 1);
	check_announced(&cb, event, 1);
	return 0;
}

TEST_WAITCOMPLETE(test_child_has_eventfds_of_its_own, child, 20000)
TEST_WAITCOMPLETE(test_children_close_amid_a_storm, fork_storm, 60000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_written_after_close),
		cmocka_unit_test(test_nothing_is_written_after_dup2),
		cmocka_unit_test(test_nothing_is_written_after_dup3),
		cmocka_unit_test(test_nothing_is_written_after_close_range),
		cmocka_unit_test(test_nothing_is_written_after_a_range_without_end),
		cmocka_unit_test(test_nothing_is_written_after_closefrom),
		cmocka_unit_test(test_nothing_is_written_after_fclose),
		cmocka_unit_test(test_next_eventfd_of_the_number_serves),
		cmocka_unit_test(test_call_that_fails_closes_no_eventfd),
		cmocka_unit_test(test_nothing_is_written_if_it_is_closed_meanwhile),
		cmocka_unit_test(test_child_has_eventfds_of_its_own),
		cmocka_unit_test(test_children_close_amid_a_storm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
