// SPDX-License-Identifier: MIT
/*
 * test_flood.c - many long reads of what is in memory hold up nothing else
 *
 * They keep a processor busy for a while.  A byte through a pipe is there meanwhile,
 * and a request that waits is cancelled.
 *
 * How long that takes is the machine's business.  What counts is how many of the
 * reads end in between: signals of one number arrive in the order of completion.
 * Sometimes the machine does something else in between, so that the majority decides.
 */
#include "transparency.h"

#define NR_READS     1024
#define SIZE         (1 << 20)
#define NR_BETWEEN   256 /* of the reads at most, where nothing is held up */
#define NR_ATTEMPTS  9
#define VALUE_READ   1
#define VALUE_OTHERS 2

static struct aiocb reads[NR_READS], other;
static char byte;

static void wait_for_signal(siginfo_t *info)
{
	struct timespec deadline = { .tv_sec = default_deadline_ms() / 1000 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	while (sigtimedwait(&set, info, &deadline) < 0)
		check(errno == EINTR);
}

static void submit_reads(int fd, char *buf)
{
	static struct aiocb *list[NR_READS];

	for (int i = 0; i < NR_READS; i++) {
		list[i] = &reads[i];
		aiocb_init_lio(&reads[i], LIO_READ, fd, buf, SIZE, 0);
		notify_by_signal(&reads[i].aio_sigevent, SIGRTMIN, VALUE_READ);
	}
	check_equal(lio_listio(LIO_NOWAIT, list, NR_READS, NULL), 0);
}

static int nr_ended(void)
{
	int nr = 0;

	for (int i = 0; i < NR_READS; i++)
		nr += aio_error(&reads[i]) != EINPROGRESS;
	return nr;
}

static void submit_other(int fd)
{
	aiocb_init(&other, fd, &byte, 1, 0);
	notify_by_signal(&other.aio_sigevent, SIGRTMIN, VALUE_OTHERS);
	check_equal(aio_read(&other), 0);
}

static void transfer_byte(int fds[2])
{
	write_fully(fds[1], "x", 1);
	submit_other(fds[0]);
}

/* What cannot be cancelled gets its byte. */
static void cancel_read(int fds[2])
{
	submit_other(fds[0]);
	if (aio_cancel(fds[0], &other) != AIO_CANCELED)
		write_fully(fds[1], "x", 1);
}

/* How many reads end while @act is under way, once the first of them has ended? */
static int count_between(int file, char *buf, void (*act)(int fds[2]))
{
	int fds[2], nr_before = 0, position = 0;
	siginfo_t info;

	open_pipe(fds);
	submit_reads(file, buf);
	for (int i = 0; i <= NR_READS; i++) {
		wait_for_signal(&info);
		if (i == 0) {
			nr_before = nr_ended();
			act(fds);
		}
		if (info.si_value.sival_int == VALUE_OTHERS)
			position = i;
	}
	for (int i = 0; i < NR_READS; i++)
		check_equal(outcome(&reads[i]), SIZE);
	await(&other);
	close_pair(fds);
	return position - nr_before;
}

static int act_in_flood(void (*act)(int fds[2]))
{
	int file = temp_file_filled(SIZE), nr_held_up = 0;
	char *buf = direct_buffer(SIZE);

	change_mask(SIG_BLOCK, SIGRTMIN);
	for (int i = 0; i < NR_ATTEMPTS; i++)
		nr_held_up += count_between(file, buf, act) > NR_BETWEEN;
	check(nr_held_up <= NR_ATTEMPTS / 2);
	return 0;
}

static int transfer_in_flood(void)
{
	return act_in_flood(transfer_byte);
}

static int cancel_in_flood(void)
{
	return act_in_flood(cancel_read);
}

TEST_IN_CHILD(test_byte_passes_a_flood_of_copies, transfer_in_flood, 60000)
TEST_IN_CHILD(test_cancel_passes_a_flood_of_copies, cancel_in_flood, 60000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_byte_passes_a_flood_of_copies),
		cmocka_unit_test(test_cancel_passes_a_flood_of_copies),
	};

	return cmocka_run_group_tests_name("flood", tests, NULL, NULL);
}
