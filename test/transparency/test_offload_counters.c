// SPDX-License-Identifier: MIT
/*
 * test_offload_counters.c - which requests a worker serves without the engine
 *
 * A program of its own does one thing often, and the counters that rtaio leaves
 * at its end are looked at.  On a file in memory nothing depends on the disk.
 */
#include "frozen.h"
#include "gate.h"
#include "offload.h"

#include <stdatomic.h>
#include <sys/mman.h>

static void copy_deep(bool is_read, unsigned int depth)
{
	struct work work;

	work_open_filled(&work, memory_file(), 0, FILE_SIZE, BLOCK, depth);
	for (size_t i = 0; i < 3000; i++)
		work_transfer(&work, is_read, i % NR_BLOCKS * BLOCK, BLOCK);
	work_close(&work);
}

static void transfer_alone(bool is_read)
{
	struct work work;

	work_open_filled(&work, memory_file(), 0, LONG_SIZE, LONG_SIZE, 1);
	for (int i = 0; i < 50; i++)
		work_transfer(&work, is_read, 0, LONG_SIZE);
	work_close(&work);
}

#define NR_SYNCS 600

/* A log on a disk: a thread that waits for a commit falls asleep, and soon makes the next. */
static void sync_often(void)
{
	char *buf = direct_buffer(BLOCK);
	int fd = direct_file(BLOCK, 0);
	struct aiocb write_cb, sync_cb;

	if (fd < 0)
		fd = memory_file();
	check_equal(fcntl(fd, F_SETFL, 0), 0); /* without O_DIRECT */
	for (int i = 0; i < NR_SYNCS; i++) {
		submit_write(&write_cb, fd, buf, BLOCK, (off_t)i * BLOCK);
		aiocb_init(&sync_cb, fd, NULL, 0, 0);
		check_equal(aio_fsync(O_DSYNC, &sync_cb), 0);
		check_equal(outcome(&sync_cb), 0);
		check_equal(outcome(&write_cb), BLOCK);
	}
	free(buf);
}

/* A caller that waits for a list copies, too, and so waits for less. Entries are of two blocks. */
static void read_lists(unsigned int length)
{
	const size_t size = 2 * BLOCK;
	static struct aiocb cbs[DEPTH_MAX];
	struct aiocb *list[DEPTH_MAX];
	struct work work;

	work_open_filled(&work, memory_file(), 0, FILE_SIZE, BLOCK, 1);
	for (int round = 0; round < 500; round++) {
		for (unsigned int i = 0; i < length; i++) {
			list[i] = &cbs[i];
			aiocb_init_lio(&cbs[i], LIO_READ, work.fd, work.found + i * size, size,
				       (off_t)(i * size));
		}
		memset(work.found, 0, length * size);
		check_equal(lio_listio(LIO_WAIT, list, (int)length, NULL), 0);
		for (unsigned int i = 0; i < length; i++)
			check_equal(aio_return(&cbs[i]), size);
		check_memory(work.found, work.image, length * size);
	}
	work_close(&work);
}

#define NR_COLD 200

/* The facts known of the file are still known when another thread has to read it. */
static void write_beside_cold_reads(void)
{
	char *buf = direct_buffer(BLOCK);
	int fd = direct_file(FILE_SIZE, 0);
	struct aiocb cb;

	if (fd < 0)
		fd = memory_file();
	check_equal(fcntl(fd, F_SETFL, 0), 0); /* without O_DIRECT */
	check_equal(fsync(fd), 0);
	for (int i = 0; i < NR_COLD; i++) {
		check_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
		check(pread(fd, buf, BLOCK, 0) >= 0);
		/* The first is there: nobody expects the other one not to be. */
		submit_read(&cb, fd, buf, BLOCK, 0);
		check(outcome(&cb) >= 0);
		submit_read(&cb, fd, buf, BLOCK, FILE_SIZE / 2);
		check(outcome(&cb) >= 0);
		submit_write(&cb, fd, buf, BLOCK, 0);
		check_equal(outcome(&cb), BLOCK);
	}
	free(buf);
}

#define NR_QUEUED   32
#define NR_ROUNDS   20
#define CANCEL_SIZE (16 * LONG_SIZE)

/*
 * Behind a write that has begun, as the file shows, all others wait for their
 * turn and can be cancelled.  The first may be waited for without: no processor
 * for the program while it lasts.
 */
static void cancel_often(void)
{
	static struct aiocb cbs[NR_QUEUED];
	char *buf = malloc(CANCEL_SIZE), *seen;
	int nr_in_vain = 0;

	memset(buf, 'w', CANCEL_SIZE);
	for (int round = 0; round < NR_ROUNDS; round++) {
		int fd = memory_file(), nr_canceled = 0, ret;

		check_equal(ftruncate(fd, CANCEL_SIZE), 0);
		seen = mmap(NULL, CANCEL_SIZE, PROT_READ, MAP_SHARED, fd, 0);
		check(seen != MAP_FAILED);
		submit_write(&cbs[0], fd, buf, CANCEL_SIZE, 0);
		eventually(atomic_load((_Atomic char *)seen) == 'w');
		for (int i = 1; i < NR_QUEUED; i++)
			submit_write(&cbs[i], fd, buf, LONG_SIZE, CANCEL_SIZE);
		ret = aio_cancel(fd, NULL);
		check(ret == AIO_CANCELED || ret == AIO_NOTCANCELED || ret == AIO_ALLDONE);
		for (int i = 0; i < NR_QUEUED; i++) {
			ssize_t res;

			check(ret == AIO_NOTCANCELED || aio_error(&cbs[i]) != EINPROGRESS);
			res = outcome(&cbs[i]);
			nr_canceled += res == -ECANCELED;
			check(res == -ECANCELED || res == (i ? LONG_SIZE : CANCEL_SIZE));
		}
		nr_in_vain += nr_canceled < NR_QUEUED / 2;
		munmap(seen, CANCEL_SIZE);
		close(fd);
	}
	free(buf);
	check(nr_in_vain < NR_ROUNDS / 2);
}

#define NR_RACERS    4
#define NR_RACED     1500 /* by each */
#define NR_AFTERWARD (2 * NR_RACED)
#define RACED_SIZE   (LONG_SIZE / 8)

static int raced[NR_RACERS];
static atomic_bool race_is_over;

/* Nobody cancels anything on the first descriptor. */
static void write_alone(int fd, char *buf)
{
	struct aiocb cb;
	ssize_t res;

	submit_write(&cb, fd, buf, RACED_SIZE, 0);
	res = outcome(&cb);
	check(res == RACED_SIZE || (res == -ECANCELED && fd != raced[0]));
}

static void *write_in_race(void *arg)
{
	int *fd = arg;
	char *buf = calloc(1, RACED_SIZE);

	for (int i = 0; i < NR_RACED; i++)
		write_alone(*fd, buf);
	free(buf);
	return NULL;
}

static void *cancel_in_race(void *arg)
{
	while (!atomic_load(&race_is_over))
		for (int i = 1; i < NR_RACERS; i++)
			aio_cancel(raced[i], NULL);
	return arg;
}

/* Whatever was cancelled at whatever moment, afterwards all goes on as before. */
static void cancel_in_submission(void)
{
	pthread_t racers[NR_RACERS], cancellers[2];
	char *buf = calloc(1, RACED_SIZE);

	for (int i = 0; i < NR_RACERS; i++)
		raced[i] = memory_file();
	for (int i = 0; i < NR_RACERS; i++)
		racers[i] = start_thread(write_in_race, &raced[i]);
	for (int i = 0; i < 2; i++)
		cancellers[i] = start_thread(cancel_in_race, NULL);
	for (int i = 0; i < NR_RACERS; i++)
		join_thread(racers[i]);
	atomic_store(&race_is_over, true);
	for (int i = 0; i < 2; i++)
		join_thread(cancellers[i]);
	for (int i = 0; i < NR_RACERS * NR_AFTERWARD; i++)
		write_alone(raced[i % NR_RACERS], buf);
	free(buf);
}

#define NR_BEHIND 256

static void write_behind_one_that_waits(void)
{
	static struct aiocb cbs[NR_BEHIND], first;
	char *buf = calloc(1, RACED_SIZE);
	int fd = memory_file();
	struct gate gate;

	check(gate_make(&gate, RACED_SIZE));
	submit_write(&first, fd, gate.memory, RACED_SIZE, 0);
	gate_await(&gate);
	for (int i = 0; i < NR_BEHIND; i++)
		submit_write(&cbs[i], fd, buf, RACED_SIZE, (off_t)(i + 1) * RACED_SIZE);
	gate_open(&gate, 'x');
	check_equal(outcome(&first), RACED_SIZE);
	for (int i = 0; i < NR_BEHIND; i++)
		check_equal(outcome(&cbs[i]), RACED_SIZE);
	free(buf);
}

#define NR_WRITERS 4
#define NR_WRITTEN 20000

static void *write_often(void *fd)
{
	static struct aiocb cbs[NR_WRITERS][DEPTH];
	static atomic_int nr_begun;
	struct aiocb *mine = cbs[atomic_fetch_add(&nr_begun, 1)];
	int own = reopen(*(int *)fd, O_RDWR);
	char *buf = direct_buffer(BLOCK);

	for (int i = 0; i < NR_WRITTEN; i++) {
		if (i >= DEPTH)
			check_equal(outcome(&mine[i % DEPTH]), BLOCK);
		submit_write(&mine[i % DEPTH], own, buf, BLOCK, (off_t)(i * 1201 % 2000) * BLOCK);
	}
	for (int i = 0; i < DEPTH; i++)
		check_equal(outcome(&mine[i]), BLOCK);
	free(buf);
	return NULL;
}

/* They wait for each other, at the file's lock, and not for the disk. */
static void write_to_one_file(void)
{
	pthread_t threads[NR_WRITERS];
	int fd = temp_file(0);

	for (int i = 0; i < NR_WRITERS; i++)
		threads[i] = start_thread(write_often, &fd);
	for (int i = 0; i < NR_WRITERS; i++)
		join_thread(threads[i]);
}

#define NR_MIXED 3000

/* Requests of two pages, each third of them a write, if @has_reads. */
static int work_on(const char *type, int flags, bool has_reads)
{
	struct work work;

	if (!frozen_start_as(type, NULL))
		return CHILD_SKIPPED;
	work_open_filled(&work, frozen_file(flags), 0, FILE_SIZE, 2 * BLOCK, DEPTH);
	for (size_t i = 0; i < NR_MIXED; i++)
		work_transfer(&work, has_reads && i % 3 != 0, i % (NR_BLOCKS / 2) * 2 * BLOCK,
			      2 * BLOCK);
	work_close(&work);
	return 0;
}

static int play_role(const char *role)
{
	/* A failed check ends the program, and nobody else. */
	support_is_child = true;
	if (!strcmp(role, "xfs"))
		return work_on("xfs", 0, true);
	if (!strcmp(role, "btrfs"))
		return work_on("btrfs", O_DIRECT, false);
	if (!strcmp(role, "reads"))
		copy_deep(true, DEPTH);
	else if (!strcmp(role, "waits")) {
		copy_deep(false, 1);
		copy_deep(true, 1);
	} else if (!strcmp(role, "long-writes"))
		transfer_alone(false);
	else if (!strcmp(role, "long-reads"))
		transfer_alone(true);
	else if (!strcmp(role, "syncs"))
		sync_often();
	else if (!strcmp(role, "lists"))
		read_lists(DEPTH_MAX);
	else if (!strcmp(role, "short-lists"))
		read_lists(4);
	else if (!strcmp(role, "cold"))
		write_beside_cold_reads();
	else if (!strcmp(role, "cancel"))
		cancel_often();
	else if (!strcmp(role, "cancel-race"))
		cancel_in_submission();
	else if (!strcmp(role, "writes-behind"))
		write_behind_one_that_waits();
	else if (!strcmp(role, "writers"))
		write_to_one_file();
	else
		return 1;
	return 0;
}

/* In some run; in one the machine may have no processor for it at the time. */
static void check_more_are_offloaded(long least, const char *role, bool is_forced,
				     const char *counters)
{
	long count = count_in_role(role, is_forced, counters);

	if (count < 0)
		skip_because("nothing counts requests here");
	eventually(count > least || (count = count_in_role(role, is_forced, counters)) > least);
}

static void check_is_offloaded(const char *role, bool is_forced, const char *counters)
{
	check_more_are_offloaded(0, role, is_forced, counters);
}

static void test_deep_reads_are_offloaded(void **state)
{
	(void)state;
	check_is_offloaded("reads", false, "copier_reads offload_reads");
	check_is_offloaded("reads", true, "copier_reads offload_reads");
}

static void test_lone_long_transfers_are_offloaded(void **state)
{
	(void)state;
	check_is_offloaded("long-writes", false, "offload_writes");
	check_is_offloaded("long-reads", false, "copier_reads offload_reads");
}

/* When a thread sees that one is done, the lane is free for the next. */
static void test_lone_syncs_are_offloaded(void **state)
{
	(void)state;
	check_more_are_offloaded(NR_SYNCS * 19 / 20, "syncs", false, "offload_fsyncs");
}

/* Linux AIO copies them together, or another thread copies a part. */
static void test_long_lists_are_not_read_one_by_one(void **state)
{
	(void)state;
	check_is_offloaded("lists", false, "inline_batches copier_reads offload_reads");
}

static void test_cold_reads_leave_writes_to_the_caller(void **state)
{
	(void)state;
	check_more_are_offloaded(NR_COLD / 2, "cold", true, "inline_writes");
}

static void test_what_waits_for_a_worker_can_be_cancelled(void **state)
{
	(void)state;
	check_is_offloaded("cancel", false, "offload_writes");
	check_is_offloaded("cancel", false, "cancellations");
}

/* They would have to wait in any case, and nobody is woken only to find that out. */
static void test_burst_of_writes_is_left_to_the_thread_that_writes(void **state)
{
	struct gate gate;

	(void)state;
	if (!gate_make(&gate, BLOCK))
		skip();
	gate_open(&gate, 'x');
	check_more_are_offloaded(NR_BEHIND - 1, "writes-behind", false, "offload_writes");
	check(count_in_role("writes-behind", false, "engine_wakes") < NR_BEHIND / 4);
}

static void test_cancelling_amid_submissions_leaves_nothing_behind(void **state)
{
	(void)state;
	check_more_are_offloaded((long)NR_RACERS * NR_RACED, "cancel-race", false,
				 "offload_writes");
}

static void test_threads_that_write_to_one_file_copy_themselves(void **state)
{
	(void)state;
	if (is_emulated())
		skip_because("an emulated processor stops as if the disk were waited for");
	check_more_are_offloaded((long)NR_WRITERS * NR_WRITTEN * 3 / 4, "writers", false,
				 "inline_writes");
}

/* A write of another thread would hold the file's lock, and send the next ones away. */
static void test_writes_beside_reads_on_xfs_are_copied_by_the_caller(void **state)
{
	(void)state;
	check_more_are_offloaded(NR_MIXED / 3 * 3 / 4, "xfs", true, "inline_writes");
	/* Until the first write is done, nobody knows what file system it is. */
	check(count_in_role("xfs", true, "copier_reads") < NR_MIXED / 10);
}

/* The ring would leave each to a thread of the kernel. */
static void test_direct_writes_on_btrfs_are_for_workers(void **state)
{
	(void)state;
	check_more_are_offloaded(NR_MIXED * 3 / 4, "btrfs", false, "offload_writes engine_workers");
}

/* The caller would wait for the other thread. */
static void test_copies_that_are_waited_for_are_not_offloaded(void **state)
{
	long count = count_in_role("waits", false, "offload_writes");

	(void)state;
	if (count < 0)
		skip_because("nothing counts requests here");
	check_equal(count, 0);
	check_equal(count_in_role("waits", false, "copier_reads offload_reads"), 0);
	check_equal(count_in_role("short-lists", false, "copier_reads offload_reads"), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deep_reads_are_offloaded),
		cmocka_unit_test(test_lone_long_transfers_are_offloaded),
		cmocka_unit_test(test_lone_syncs_are_offloaded),
		cmocka_unit_test(test_long_lists_are_not_read_one_by_one),
		cmocka_unit_test(test_cold_reads_leave_writes_to_the_caller),
		cmocka_unit_test(test_what_waits_for_a_worker_can_be_cancelled),
		cmocka_unit_test(test_burst_of_writes_is_left_to_the_thread_that_writes),
		cmocka_unit_test(test_cancelling_amid_submissions_leaves_nothing_behind),
		cmocka_unit_test(test_threads_that_write_to_one_file_copy_themselves),
		cmocka_unit_test(test_writes_beside_reads_on_xfs_are_copied_by_the_caller),
		cmocka_unit_test(test_direct_writes_on_btrfs_are_for_workers),
		cmocka_unit_test(test_copies_that_are_waited_for_are_not_offloaded),
	};

	if (argc > 2 && !strcmp(argv[1], "--role"))
		return play_role(argv[2]);
	return cmocka_run_group_tests_name("offload_counters", tests, NULL, NULL);
}
