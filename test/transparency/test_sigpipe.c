// SPDX-License-Identifier: MIT
/*
 * test_sigpipe.c - a broken pipe is an error of the request, not a signal
 *
 * write(2) to a pipe or socket which nobody reads raises SIGPIPE in the thread
 * that calls it.  For a request of AIO that thread is none of the program's:
 * the request ends with EPIPE, and no thread sees a signal, now or later.
 * But if bytes were written before the peer went away, it ends with their number.
 */
#include "transparency.h"

#include <stdatomic.h>
#include <sys/socket.h>

static atomic_int nr_signals;
static char data[4096];

#define TWO_PARTS 75000 /* more than the kernel takes at a time */

static void count_signal(int signo)
{
	(void)signo;
	atomic_fetch_add(&nr_signals, 1);
}

/* Is SIGPIPE pending for the process, whatever thread is asked? */
static void *look_for_pending(void *arg)
{
	(void)arg;
	check(!is_pending(SIGPIPE));
	return NULL;
}

static void check_broken(int fd)
{
	struct aiocb cb, batch[8];
	struct aiocb *list[8];

	submit_write(&cb, fd, data, sizeof(data), 0);
	check_equal(outcome(&cb), -EPIPE);
	for (int i = 0; i < 8; i++) {
		aiocb_init_lio(&batch[i], LIO_WRITE, fd, data, 1, 0);
		list[i] = &batch[i];
	}
	check_equal(lio_listio(LIO_WAIT, list, 8, NULL), -1);
	check_equal(errno, EIO);
	for (int i = 0; i < 8; i++)
		check_equal(outcome(&batch[i]), -EPIPE);
}

/*
 * A request which waits for room when its reader goes.  A socket whose peer
 * went without reading everything says ECONNRESET first, once.
 */
static void check_breaking(int fds[2])
{
	struct aiocb cb;
	ssize_t res;
	socklen_t size = sizeof(int);
	int error;

	fill_up(fds[1]);
	submit_write(&cb, fds[1], data, sizeof(data), 0);
	check_equal(aio_error(&cb), EINPROGRESS);
	close(fds[0]);
	res = outcome(&cb);
	check(res == -EPIPE || res == -ECONNRESET);
	/* Reading the error of a socket takes it away. */
	getsockopt(fds[1], SOL_SOCKET, SO_ERROR, &error, &size);
	check_broken(fds[1]);
	close(fds[1]);
}

static void break_everything(void)
{
	int fds[2];

	open_pipe(fds);
	close(fds[0]);
	check_broken(fds[1]);
	close(fds[1]);
	open_socketpair(fds, SOCK_STREAM);
	close(fds[0]);
	check_broken(fds[1]);
	close(fds[1]);
	open_pipe(fds);
	check_breaking(fds);
	open_socketpair(fds, SOCK_STREAM);
	check_breaking(fds);
}

/* ---- at once, by disposition of SIGPIPE ---- */

static int survive_by_default(void)
{
	signal(SIGPIPE, SIG_DFL);
	break_everything();
	return 0;
}

static int never_run_handler(void)
{
	int fds[2];

	handle_signal(SIGPIPE, count_signal, 0);
	break_everything();
	check_equal(nr_signals, 0);
	/* The disposition is still the program's own. */
	open_pipe(fds);
	close(fds[0]);
	check_equal(write(fds[1], data, 1), -1);
	check_equal(errno, EPIPE);
	check_equal(nr_signals, 1);
	return 0;
}

static int leave_nothing_pending(void)
{
	handle_signal(SIGPIPE, count_signal, 0);
	change_mask(SIG_BLOCK, SIGPIPE);
	break_everything();
	look_for_pending(NULL);
	join_thread(start_thread(look_for_pending, NULL));
	change_mask(SIG_UNBLOCK, SIGPIPE);
	check_equal(nr_signals, 0);
	return 0;
}

/* ---- a peer that goes away amid the call ---- */

struct reader {
	int fd;
	ssize_t nr_read;
};

static void *read_and_leave(void *arg)
{
	struct reader *reader = arg;
	static char bytes[512];

	reader->nr_read = read(reader->fd, bytes, sizeof(bytes));
	close(reader->fd);
	return NULL;
}

/* The kernel sends it in two parts, and the peer has gone when it comes to the second. */
static int write_to_the_last_reader(void)
{
	static char parts[TWO_PARTS];

	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < 500; i++) {
		struct reader reader = { 0 };
		struct aiocb cb;
		pthread_t thread;
		ssize_t nr_written;
		int fds[2];

		open_socketpair(fds, SOCK_STREAM);
		reader.fd = fds[1];
		thread = start_thread(read_and_leave, &reader);
		submit_write(&cb, fds[0], parts, TWO_PARTS, 0);
		nr_written = outcome(&cb);
		join_thread(thread);
		check(nr_written >= reader.nr_read || reader.nr_read <= 0);
		close(fds[0]);
	}
	return 0;
}

TEST_IN_CHILD(test_bytes_that_the_last_reader_got_were_written, write_to_the_last_reader, 20000)

TEST_IN_CHILD(test_broken_pipe_does_not_kill_the_program, survive_by_default, 20000)
TEST_IN_CHILD(test_broken_pipe_does_not_run_a_handler, never_run_handler, 20000)
TEST_IN_CHILD(test_broken_pipe_leaves_no_signal_pending, leave_nothing_pending, 20000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_broken_pipe_does_not_kill_the_program),
		cmocka_unit_test(test_broken_pipe_does_not_run_a_handler),
		cmocka_unit_test(test_broken_pipe_leaves_no_signal_pending),
		cmocka_unit_test(test_bytes_that_the_last_reader_got_were_written),
	};

	return cmocka_run_group_tests_name("sigpipe", tests, NULL, NULL);
}
