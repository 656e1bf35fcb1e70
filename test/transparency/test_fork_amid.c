// SPDX-License-Identifier: MIT
/*
 * test_fork_amid.c - fork while another thread is inside a call that waits
 *
 * A child may be made while another thread cancels, closes or waits for a sync.
 * It inherits nothing of what was going on there: its own calls are served, its
 * own signals reach itself, its statistics begin at zero.  The parent's thread
 * notices nothing.
 */
#include "offload.h"

#include <stdatomic.h>
#include <sys/wait.h>

#define RUN_NS    1500000000
#define NR_QUEUED 8

static atomic_bool is_over;

/* ---- what the other thread does, again and again ---- */

struct round {
	struct aiocb cbs[NR_QUEUED], sync;
	char *bufs;
	int fds[2], file, direct;
};

static void round_open(struct round *round)
{
	memset(round, 0, sizeof(*round));
	round->bufs = direct_buffer(NR_QUEUED * BLOCK);
	round->file = temp_file_filled(NR_QUEUED * BLOCK);
	round->direct = direct_file(NR_QUEUED * BLOCK, 0);
	if (round->direct < 0)
		round->direct = dup(round->file);
}

static void queue_reads(struct round *round)
{
	open_pipe(round->fds);
	for (int i = 0; i < NR_QUEUED; i++)
		submit_read(&round->cbs[i], round->fds[0], round->bufs + i, 1, 0);
}

static void end_reads(struct round *round)
{
	for (int i = 0; i < NR_QUEUED; i++) {
		ssize_t res = outcome(&round->cbs[i]);

		check(res == -ECANCELED || res == 0 || res == 1);
	}
}

static void cancel_once(struct round *round)
{
	queue_reads(round);
	check(aio_cancel(round->fds[0], NULL) >= 0);
	close(round->fds[1]);
	end_reads(round);
	close(round->fds[0]);
}

static void close_once(struct round *round)
{
	queue_reads(round);
	check_equal(close(round->fds[0]), 0);
	for (int i = 0; i < NR_QUEUED; i++)
		if (write(round->fds[1], "x", 1) < 0)
			break;
	close(round->fds[1]);
	end_reads(round);
}

/* Requests that have not begun are done all the same, so the library has to keep the file. */
static void close_both_once(struct round *round)
{
	int fd = dup(round->direct);

	close_once(round);
	for (int i = 0; i < NR_QUEUED; i++)
		submit_read(&round->cbs[i], fd, round->bufs + i * BLOCK, BLOCK, i * BLOCK);
	check_equal(close(fd), 0);
	for (int i = 0; i < NR_QUEUED; i++)
		check_equal(outcome(&round->cbs[i]), BLOCK);
}

static void sync_once(struct round *round)
{
	int fd = round->direct;

	for (int i = 0; i < NR_QUEUED; i++)
		submit_write(&round->cbs[i], fd, round->bufs + i * BLOCK, BLOCK, i * BLOCK);
	aiocb_init(&round->sync, fd, NULL, 0, 0);
	check_equal(aio_fsync(O_DSYNC, &round->sync), 0);
	check_equal(outcome(&round->sync), 0);
	for (int i = 0; i < NR_QUEUED; i++)
		check_equal(outcome(&round->cbs[i]), BLOCK);
}

typedef void round_fn(struct round *round);

static void *run_rounds(void *arg)
{
	round_fn *run = (round_fn *)arg;
	struct round round;

	round_open(&round);
	while (!is_over)
		run(&round);
	return NULL;
}

/* ---- what a child does first ---- */

/* The second one waits behind the first, and can be cancelled everywhere. */
static void child_cancels(void)
{
	struct aiocb cbs[2];
	char byte;
	int fds[2];

	open_pipe(fds);
	submit_read(&cbs[0], fds[0], &byte, 1, 0);
	submit_read(&cbs[1], fds[0], &byte, 1, 0);
	check(aio_cancel(fds[0], NULL) != AIO_ALLDONE);
	check_equal(outcome(&cbs[1]), -ECANCELED);
	close(fds[1]);
	check(outcome(&cbs[0]) <= 0);
	close(fds[0]);
}

static void child_closes(void)
{
	struct round round = { .bufs = direct_buffer(BLOCK) };

	close_once(&round);
}

/* On fds of its own, which may be those of the parent's thread. */
static void child_syncs(void)
{
	struct round round;

	round_open(&round);
	sync_once(&round);
	round.direct = round.file;
	sync_once(&round);
}

static void (*const child_uses[])(void) = { child_cancels, child_closes, child_syncs, use_aio };

static void fork_all_the_time(void)
{
	uint64_t end = now_ns() + RUN_NS;

	for (unsigned int i = 0; i < 8 || now_ns() < end; i++) {
		pid_t pid = fork();

		if (!pid) {
			child_uses[i % 4]();
			_exit(0);
		}
		check_child(pid);
	}
}

static int fork_amid(round_fn *run)
{
	pthread_t thread;

	signal(SIGPIPE, SIG_IGN);
	use_aio();
	thread = start_thread(run_rounds, (void *)run);
	fork_all_the_time();
	is_over = true;
	join_thread(thread);
	use_aio();
	return 0;
}

static int fork_amid_cancels(void)
{
	return fork_amid(cancel_once);
}

static int fork_amid_closes(void)
{
	return fork_amid(close_both_once);
}

static int fork_amid_syncs(void)
{
	return fork_amid(sync_once);
}

TEST_IN_CHILD(test_fork_amid_cancels, fork_amid_cancels, 40000)
TEST_IN_CHILD(test_fork_amid_closes, fork_amid_closes, 40000)
TEST_IN_CHILD(test_fork_amid_syncs, fork_amid_syncs, 40000)

/* ---- signals ---- */

static atomic_int nr_signals, sender;

static void note_signal(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)context;
	sender = info->si_pid;
	nr_signals++;
}

static void request_signal(void)
{
	struct aiocb cb;
	char byte = 0;
	int fds[2];

	open_pipe(fds);
	aiocb_init(&cb, fds[0], &byte, 1, 0);
	notify_by_signal(&cb.aio_sigevent, SIGRTMIN, 1);
	check_equal(aio_read(&cb), 0);
	write_fully(fds[1], "s", 1);
	check_equal(outcome(&cb), 1);
	eventually(nr_signals == 1);
	check_equal(sender, getpid());
	close_pair(fds);
}

static int signal_in_child(void)
{
	struct sigaction action = { .sa_sigaction = note_signal, .sa_flags = SA_SIGINFO };

	check_equal(sigaction(SIGRTMIN, &action, NULL), 0);
	for (int i = 0; i < 5; i++) {
		pid_t pid;

		nr_signals = 0;
		request_signal();
		pid = fork();
		if (!pid) {
			nr_signals = 0;
			request_signal();
			_exit(0);
		}
		check_child(pid);
		check_equal(nr_signals, 1);
	}
	return 0;
}

TEST_IN_CHILD(test_signal_of_a_child_reaches_the_child, signal_in_child, 30000)

/* ---- a stream that the parent reads, too ---- */

#define AT_ONCE_NS 4000000000 /* a wait for the parent has no end */

/* The child's first use of AIO; the data are there, one byte for each reader. */
static void read_at_once(int fds[2])
{
	uint64_t begin = now_ns();
	struct aiocb cb;
	char byte = 0;

	write_fully(fds[1], "xx", 2);
	submit_read(&cb, fds[0], &byte, 1, 0);
	check_equal(outcome(&cb), 1);
	check_equal(byte, 'x');
	check(now_ns() - begin < stretched_ns(AT_ONCE_NS));
}

static int read_stream_of_parent(void)
{
	struct aiocb cb;
	char byte;
	int fds[2];

	for (int i = 0; i < 5; i++) {
		pid_t pid;

		open_pipe(fds);
		submit_read(&cb, fds[0], &byte, 1, 0);
		eventually(others_are_asleep());
		pid = fork();
		if (!pid) {
			read_at_once(fds);
			_exit(0);
		}
		check_child(pid);
		check_equal(outcome(&cb), 1);
		close_pair(fds);
	}
	return 0;
}

TEST_IN_CHILD(test_child_reads_a_stream_of_its_parent_at_once, read_stream_of_parent, 30000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fork_amid_cancels),
		cmocka_unit_test(test_fork_amid_closes),
		cmocka_unit_test(test_fork_amid_syncs),
		cmocka_unit_test(test_signal_of_a_child_reaches_the_child),
		cmocka_unit_test(test_child_reads_a_stream_of_its_parent_at_once),
	};

	/* A child that ends with requests under way ends when the disk has done them. */
	choose_default_deadline(30000);
	return cmocka_run_group_tests_name("fork_amid", tests, NULL, NULL);
}
