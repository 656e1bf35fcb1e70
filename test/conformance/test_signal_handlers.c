// SPDX-License-Identifier: MIT
/*
 * test_signal_handlers.c - handlers of the signal that a request ends with
 *
 * A handler sees the final status and may submit the control block again, and
 * it ends the sleep of a program that has submitted.
 */
#include "../support/support.h"

#include <stdatomic.h>

#define SIG (SIGRTMIN + 4)

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
	set_handler(SIG, look_at_status);
	notify_by_signal(&event, SIG, 0);
	for (int i = 0; i < 500; i++) {
		submit_notified_read(&current, fd, &event);
		eventually(nr_handled == i + 1);
	}
	check_equal(nr_wrong, 0);
	signal(SIG, SIG_DFL);
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

	set_handler(SIG, submit_again);
	change_mask(SIG_BLOCK, SIG);
	notify_by_signal(&event, SIG, 0);
	submit_notified_read(&current, fd, &event);
	change_mask(SIG_UNBLOCK, SIG);
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

/* ---- a handler that ends a sleep ---- */

static atomic_bool has_handled;

static void note_signal(int signo)
{
	(void)signo;
	has_handled = true;
}

#define NR_SLEEPS 20

/* How many of so many sleeps, each behind a request, were ended by its signal. */
static int count_ended_sleeps(int fd, const struct sigevent *event)
{
	struct timespec sleep = { .tv_nsec = 300000000 };
	int nr_ended = 0;

	for (int i = 0; i < NR_SLEEPS; i++) {
		bool has_come_inside;

		has_handled = false;
		submit_notified_read(&current, fd, event);
		has_come_inside = has_handled;
		nr_ended += !has_come_inside && nanosleep(&sleep, NULL) < 0 && errno == EINTR;
		eventually(has_handled);
		await(&current);
		aio_return(&current);
	}
	return nr_ended;
}

/*
 * A program that submits and then sleeps until its handler has run works as
 * long as the signal does not come inside the submitting call.  On any
 * implementation it does now and then, and more often where others want the
 * processor, too: most sleeps have to be ended, as soon as they let it.
 */
static void test_handler_ends_the_sleep_that_follows(void **state)
{
	struct sigaction action = { .sa_handler = note_signal };
	int fd = temp_file_filled(4096);
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2 };

	(void)state;
	check_equal(sigaction(SIGUSR2, &action, NULL), 0);
	eventually(count_ended_sleeps(fd, &event) >= NR_SLEEPS / 2);
	signal(SIGUSR2, SIG_DFL);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest signal_handler_tests[] = {
		/*
		 * The forked child first: with glibc, AIO is dead in a child
		 * whose parent has made a request within the last second.
		 */
		cmocka_unit_test(test_handler_may_submit_the_block_again),
		cmocka_unit_test(test_handler_sees_the_final_status),
		cmocka_unit_test(test_handler_ends_the_sleep_that_follows),
	};

	return cmocka_run_group_tests(signal_handler_tests, NULL, NULL);
}
