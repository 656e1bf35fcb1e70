// SPDX-License-Identifier: MIT
/*
 * test_flood.c - many long reads of what is in memory hold up nothing else
 *
 * They keep a processor busy for a while.  A byte through a pipe is there meanwhile,
 * and a request that waits is cancelled, also one on another file that waits for room.
 *
 * How long that takes is the machine's business.  What counts is how many of the
 * reads end in between: signals of one number arrive in the order of completion.
 * Sometimes the machine does something else in between, so several attempts are made.
 * None would succeed if the flood held the request up.
 */
#include "transparency.h"

#define NR_READS     1024
#define SIZE         (1 << 20)
#define NR_BETWEEN   256 /* of the reads at most, where nothing is held up */
#define NR_ATTEMPTS  18
#define NR_ENOUGH    4 /* of the attempts */
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

static void submit_reads(int fd, char *buf, int nr)
{
	static struct aiocb *list[NR_READS];

	for (int i = 0; i < nr; i++) {
		list[i] = &reads[i];
		aiocb_init_lio(&reads[i], LIO_READ, fd, buf, SIZE, 0);
		notify_by_signal(&reads[i].aio_sigevent, SIGRTMIN, VALUE_READ);
	}
	check_equal(lio_listio(LIO_NOWAIT, list, nr, NULL), 0);
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

/* A read that cannot be cancelled gets its byte. */
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
	submit_reads(file, buf, NR_READS);
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
	int file = temp_file_filled(SIZE), nr_passed = 0;
	char *buf = direct_buffer(SIZE);

	change_mask(SIG_BLOCK, SIGRTMIN);
	for (int i = 0; i < NR_ATTEMPTS && nr_passed < NR_ENOUGH; i++)
		nr_passed += count_between(file, buf, act) <= NR_BETWEEN;
	check_equal(nr_passed, NR_ENOUGH);
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

#define NR_FLOODS  40
#define NR_COPIES  64
#define OTHER_SIZE (128 * 1024)

/* What can be done at once is so behind what has been submitted before it, on whichever file. */
static int cancel_behind_flood(void)
{
	int file = temp_file_filled(SIZE), behind = temp_file_filled(SIZE), nr_cancelled = 0;
	char *buf = direct_buffer(SIZE), *other_buf = direct_buffer(OTHER_SIZE);

	change_mask(SIG_BLOCK, SIGRTMIN);
	for (int i = 0; i < NR_FLOODS; i++) {
		submit_reads(file, buf, NR_COPIES);
		aiocb_init(&other, behind, other_buf, OTHER_SIZE, 0);
		notify_by_signal(&other.aio_sigevent, SIGRTMIN, VALUE_OTHERS);
		check_equal(aio_read(&other), 0);
		nr_cancelled += aio_cancel(behind, NULL) == AIO_CANCELED;
		await(&other);
		submit_read(&other, behind, other_buf, OTHER_SIZE, OTHER_SIZE);
		check_equal(outcome(&other), OTHER_SIZE);
		check_pattern(other_buf, OTHER_SIZE, OTHER_SIZE);
		for (int j = 0; j < NR_COPIES; j++)
			check_equal(outcome(&reads[j]), SIZE);
	}
	printf("# %d of %d were cancelled\n", nr_cancelled, NR_FLOODS);
	use_aio();
	return 0;
}

TEST_IN_CHILD(test_file_behind_a_flood_is_cancelled, cancel_behind_flood, 60000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_byte_passes_a_flood_of_copies),
		cmocka_unit_test(test_cancel_passes_a_flood_of_copies),
		cmocka_unit_test(test_file_behind_a_flood_is_cancelled),
	};

	return cmocka_run_group_tests_name("flood", tests, NULL, NULL);
}
