// SPDX-License-Identifier: MIT
/*
 * test_in_flight.c - how much of the device's work a program has begun
 *
 * The kernel ends no transfer that a device has, and a process that exits waits for all
 * of them.  So only a limited amount is handed over; the rest can be cancelled, and is not done
 * when the program ends.  The disk is a loop device, whose file is on a file system
 * that can be frozen: what is written to it then stays in flight.
 */
#include "frozen.h"

#include <stdatomic.h>
#include <sys/wait.h>

#define SIZE       (1 << 20)
#define NR         64
#define NR_BEGUN   24 /* at most, of one file: 16 MiB, and what a file may have however full it is */
#define FIRST_SIZE 4096
#define NR_FIRST   50

static struct aiocb cbs[NR];
static char *data;
static int disk;

/* A library may have to use a file before it knows what it is. */
static void find_out(void)
{
	struct aiocb cb;

	for (int i = 0; i < NR_FIRST; i++) {
		submit_write(&cb, disk, data, FIRST_SIZE, (off_t)NR * SIZE);
		check_equal(outcome(&cb), FIRST_SIZE);
		short_pause();
	}
}

static bool open_disk(void)
{
	char image[64], device[32];
	int file, loop;

	if (!frozen_start())
		return false;
	data = direct_buffer(SIZE);
	file = frozen_file(0);
	check_equal(ftruncate(file, (off_t)(NR + 1) * SIZE), 0);
	snprintf(image, sizeof(image), "/proc/self/fd/%d", file);
	loop = frozen_attach(image, device);
	check(loop >= 0);
	disk = open(device, O_RDWR | O_DIRECT | O_CLOEXEC);
	check(disk >= 0);
	memset(data, 'x', SIZE);
	return true;
}

static void submit_all(void)
{
	for (int i = 0; i < NR; i++)
		submit_write(&cbs[i], disk, data, SIZE, (off_t)i * SIZE);
}

static bool is_written(int i)
{
	char *found = direct_buffer(SIZE);
	bool is_same;

	check_equal(pread(disk, found, SIZE, (off_t)i * SIZE), SIZE);
	is_same = memcmp(found, data, SIZE) == 0;
	free(found);
	return is_same;
}

static int nr_written(void)
{
	int nr = 0;

	for (int i = 0; i < NR; i++)
		nr += is_written(i);
	return nr;
}

/* ---- cancellation ---- */

static int cancel_each(void)
{
	int nr_cancelled = 0;

	if (!open_disk())
		return CHILD_SKIPPED;
	find_out();
	frozen_stop();
	submit_all();
	for (int i = NR - 1; i >= 0; i--) {
		if (aio_cancel(disk, &cbs[i]) != AIO_CANCELED)
			continue;
		check_equal(aio_error(&cbs[i]), ECANCELED);
		nr_cancelled++;
	}
	frozen_go_on();
	for (int i = 0; i < NR; i++) {
		bool is_cancelled = aio_error(&cbs[i]) == ECANCELED;

		check_equal(outcome(&cbs[i]), is_cancelled ? -ECANCELED : SIZE);
		check_equal(is_written(i), !is_cancelled);
	}
	if (nr_cancelled < NR - NR_BEGUN)
		check_failed("only %d of %d were cancelled", nr_cancelled, NR);
	return 0;
}

TEST_OR_SKIP(test_what_a_slow_disk_has_not_begun_is_cancelled_at_once, cancel_each, 40000)

/* A request that would overtake one in flight, or be overtaken by it, has not begun. */
static int cancel_what_overlaps(void)
{
	static struct aiocb write, read;
	char *found = direct_buffer(FIRST_SIZE);

	if (!open_disk())
		return CHILD_SKIPPED;
	find_out();
	frozen_stop();
	submit_write(&cbs[0], disk, data, FIRST_SIZE, 0);
	submit_write(&write, disk, data, FIRST_SIZE, 0);
	submit_read(&read, disk, found, FIRST_SIZE, 0);
	check_equal(aio_cancel(disk, &read), AIO_CANCELED);
	check_equal(aio_cancel(disk, &write), AIO_CANCELED);
	check_equal(outcome(&read), -ECANCELED);
	check_equal(outcome(&write), -ECANCELED);
	frozen_go_on();
	check_equal(outcome(&cbs[0]), FIRST_SIZE);
	free(found);
	return 0;
}

TEST_OR_SKIP(test_what_overlaps_a_transfer_in_flight_has_not_begun, cancel_what_overlaps, 40000)

/* ---- the end of the process ---- */

static void submit_and_exit(int tell)
{
	find_out();
	frozen_stop();
	submit_all();
	eventually(nobody_else_runs());
	check_equal(write(tell, "x", 1), 1);
	exit(0);
}

/* Whether by exit or by a signal: from then on none of its threads begins anything. */
static int end_amid_writes(void)
{
	int ends[2], nr;
	pid_t pid;
	char byte;

	if (!open_disk())
		return CHILD_SKIPPED;
	open_pipe(ends);
	pid = fork();
	check(pid >= 0);
	if (pid == 0)
		submit_and_exit(ends[1]);
	check_equal(read(ends[0], &byte, 1), 1);
	check_equal(kill(pid, SIGKILL), 0);
	frozen_go_on();
	wait_for_child(pid);
	nr = nr_written();
	if (nr == 0 || nr > NR_BEGUN)
		check_failed("%d of %d were written", nr, NR);
	return 0;
}

TEST_OR_SKIP(test_exit_leaves_undone_what_a_slow_disk_has_not_begun, end_amid_writes, 40000)

/* ---- a child of fork ---- */

/* Submits all and cancels what has not begun. */
static int nr_begun(void)
{
	int nr = 0;

	submit_all();
	eventually(nobody_else_runs());
	for (int i = NR - 1; i >= 0; i--)
		nr += aio_cancel(disk, &cbs[i]) != AIO_CANCELED;
	return nr;
}

/* The requests in flight are the parent's: the child may begin as many. */
static int begin_in_a_child(void)
{
	int ends[2], nr_in_child, nr;
	pid_t pid;

	if (!open_disk())
		return CHILD_SKIPPED;
	find_out();
	open_pipe(ends);
	frozen_stop();
	nr = nr_begun();
	pid = fork();
	check(pid >= 0);
	if (pid == 0) {
		nr_in_child = nr_begun();
		check_equal(write(ends[1], &nr_in_child, sizeof(nr_in_child)), sizeof(nr_in_child));
		_exit(0);
	}
	check_equal(read(ends[0], &nr_in_child, sizeof(nr_in_child)), sizeof(nr_in_child));
	frozen_go_on();
	wait_for_child(pid);
	if (nr_in_child < nr / 2)
		check_failed("the child began %d, its parent %d", nr_in_child, nr);
	return 0;
}

TEST_OR_SKIP(test_child_begins_as_much_as_its_parent, begin_in_a_child, 40000)

/* ---- a closed descriptor ---- */

static atomic_bool is_closed;

static void *close_disk(void *arg)
{
	(void)arg;
	check_equal(close(disk), 0);
	atomic_store(&is_closed, true);
	return NULL;
}

/* Another file gets the descriptor while most of the requests wait. */
static int close_amid_writes(void)
{
	int again, other;

	if (!open_disk())
		return CHILD_SKIPPED;
	again = dup(disk);
	find_out();
	frozen_stop();
	submit_all();
	start_thread(close_disk, NULL);
	eventually(atomic_load(&is_closed));
	other = temp_file(0);
	check_equal(dup2(other, disk), disk);
	frozen_go_on();
	for (int i = 0; i < NR; i++)
		check_equal(outcome(&cbs[i]), SIZE);
	check_equal(file_size(disk), 0);
	disk = again;
	check_equal(nr_written(), NR);
	return 0;
}

TEST_OR_SKIP(test_queued_transfers_keep_their_file_when_it_is_closed, close_amid_writes, 40000)

/* ---- other files ---- */

static void transfer_each(int fd, size_t size, bool is_write)
{
	struct aiocb others[8];

	for (int i = 0; i < 8; i++) {
		off_t offset = (off_t)(i * (int)size);

		if (is_write)
			submit_write(&others[i], fd, data, size, offset);
		else
			submit_read(&others[i], fd, data, size, offset);
	}
	for (int i = 0; i < 8; i++)
		check_equal(outcome(&others[i]), size);
}

static int use_another_file(void)
{
	int fd = direct_file(8 * SIZE, 0);

	if (fd < 0 || !open_disk())
		return CHILD_SKIPPED;
	find_out();
	frozen_stop();
	submit_all();
	for (int i = 0; i < 4; i++) {
		transfer_each(fd, 4096, i % 2);
		transfer_each(fd, SIZE, i % 2);
	}
	use_aio();
	frozen_go_on();
	for (int i = 0; i < NR; i++)
		check_equal(outcome(&cbs[i]), SIZE);
	return 0;
}

TEST_OR_SKIP(test_stopped_disk_leaves_other_files_alone, use_another_file, 40000)

/* ---- large transfers ---- */

#define LARGE    (24 << 20)
#define NR_LARGE 4

/* Each is more than may be in flight, and all are in one list. */
static int transfer_large(void)
{
	struct aiocb *list[NR_LARGE];
	int fd = direct_file(SIZE, 0);
	char *large, *found;

	if (fd < 0) {
		printf("no O_DIRECT here");
		return CHILD_SKIPPED;
	}
	large = direct_buffer(LARGE);
	found = direct_buffer((size_t)NR_LARGE * LARGE);
	memset(large, 'y', LARGE);
	for (int i = 0; i < NR_LARGE; i++)
		submit_write(&cbs[i], fd, large, LARGE, (off_t)i * LARGE);
	for (int i = 0; i < NR_LARGE; i++)
		check_equal(outcome(&cbs[i]), LARGE);
	for (int i = 0; i < NR_LARGE; i++) {
		list[i] = &cbs[i];
		aiocb_init_lio(&cbs[i], LIO_READ, fd, found + (size_t)i * LARGE, LARGE,
			       (off_t)i * LARGE);
	}
	check_equal(lio_listio(LIO_WAIT, list, NR_LARGE, NULL), 0);
	for (int i = 0; i < NR_LARGE; i++) {
		check_equal(aio_return(&cbs[i]), LARGE);
		check_memory(found + (size_t)i * LARGE, large, LARGE);
	}
	return 0;
}

TEST_OR_SKIP(test_transfers_larger_than_may_be_in_flight_are_done, transfer_large, 40000)

/* ---- waits ---- */

#define LATE_NS     400000000
#define NR_ATTEMPTS 3 /* other programs use the processor, too: once in time is enough */

/* Never early; true if it was not late either. */
static bool wait_in_time(unsigned int ms)
{
	struct timespec timeout = { ms / 1000, ms % 1000 * 1000000L };
	const struct aiocb *list[] = { &cbs[0] };
	uint64_t begin = now_ns(), took;

	check_equal(aio_suspend(list, 1, &timeout), -1);
	check_equal(errno, EAGAIN);
	took = now_ns() - begin;
	check(took >= (uint64_t)ms * 1000000);
	return took <= (uint64_t)ms * 1000000 + LATE_NS;
}

static void check_wait(unsigned int ms)
{
	for (int i = 0; i < NR_ATTEMPTS; i++)
		if (wait_in_time(ms))
			return;
	check_failed("%d waits for %u ms have all ended late", NR_ATTEMPTS, ms);
}

static int wait_for_a_stopped_disk(void)
{
	if (!open_disk())
		return CHILD_SKIPPED;
	for (int i = 0; i < 4; i++)
		find_out();
	frozen_stop();
	submit_write(&cbs[0], disk, data, FIRST_SIZE, 0);
	check_wait(400);
	check_wait(1200);
	check_equal(aio_error(&cbs[0]), EINPROGRESS);
	frozen_go_on();
	check_equal(outcome(&cbs[0]), FIRST_SIZE);
	return 0;
}

TEST_OR_SKIP(test_wait_for_a_stopped_disk_ends_in_time, wait_for_a_stopped_disk, 40000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_a_slow_disk_has_not_begun_is_cancelled_at_once),
		cmocka_unit_test(test_what_overlaps_a_transfer_in_flight_has_not_begun),
		cmocka_unit_test(test_exit_leaves_undone_what_a_slow_disk_has_not_begun),
		cmocka_unit_test(test_child_begins_as_much_as_its_parent),
		cmocka_unit_test(test_queued_transfers_keep_their_file_when_it_is_closed),
		cmocka_unit_test(test_stopped_disk_leaves_other_files_alone),
		cmocka_unit_test(test_wait_for_a_stopped_disk_ends_in_time),
		cmocka_unit_test(test_transfers_larger_than_may_be_in_flight_are_done),
	};

	return cmocka_run_group_tests_name("in_flight", tests, NULL, NULL);
}
