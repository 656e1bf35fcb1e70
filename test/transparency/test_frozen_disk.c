// SPDX-License-Identifier: MIT
/*
 * test_frozen_disk.c - requests on a file system that is frozen, and the others
 *
 * A snapshot freezes a file system for seconds: what writes to it sleeps, also
 * with RWF_NOWAIT.  Requests on other files, those in memory above all, know
 * nothing of that; nor do close() and the signals of the program.
 */
#include "offload.h"
#include "frozen.h"

#include <stdatomic.h>

#define NR_WRITES 4
#define NR_AHEAD  12
#define NR_READS  2000

static int disk, memory;
static struct aiocb writes[NR_WRITES];
static atomic_bool is_submitted, is_over;
static atomic_uint nr_submitted;

/* Both files have their data in the page cache. */
static bool open_files(void)
{
	char *data = direct_buffer(LONG_SIZE);

	if (!frozen_start())
		return false;
	disk = frozen_file(0);
	memory = memory_file();
	pattern_fill(data, 0, LONG_SIZE);
	check_equal(pwrite(disk, data, LONG_SIZE, 0), LONG_SIZE);
	check_equal(pwrite(memory, data, LONG_SIZE, 0), LONG_SIZE);
	check_equal(fsync(disk), 0);
	free(data);
	return true;
}

static void submit_writes(size_t size)
{
	char *data = direct_buffer(LONG_SIZE);

	for (size_t i = 0; i < NR_WRITES; i++)
		submit_write(&writes[i], disk, data, size, (off_t)(i * size % LONG_SIZE));
	atomic_store(&is_submitted, true);
}

/* In a thread of its own: where the call itself waits, that is another matter. */
static void *submit_short(void *arg)
{
	(void)arg;
	submit_writes(BLOCK);
	return NULL;
}

static void *submit_long(void *arg)
{
	(void)arg;
	submit_writes(LONG_SIZE);
	return NULL;
}

static void check_written(size_t size)
{
	eventually(atomic_load(&is_submitted));
	for (int i = 0; i < NR_WRITES; i++)
		check_equal(outcome(&writes[i]), size);
}

/* The program has many under way, and looks at its results late. */
static void read_deep(int fd, int nr)
{
	static struct aiocb cbs[DEPTH];
	static char bufs[DEPTH][BLOCK];

	for (int i = 0; i < nr + DEPTH; i++) {
		struct aiocb *cb = &cbs[i % DEPTH];
		off_t offset = (off_t)(i * 7 % (LONG_SIZE / BLOCK)) * BLOCK;

		if (i >= DEPTH)
			check_equal(outcome(cb), BLOCK);
		if (i < nr)
			submit_read(cb, fd, bufs[i % DEPTH], BLOCK, offset);
	}
}

static int read_amid(void *(*submit)(void *arg), size_t size)
{
	pthread_t thread;

	if (!open_files())
		return CHILD_SKIPPED;
	read_deep(memory, NR_READS);
	submit(NULL);
	check_written(size);
	atomic_store(&is_submitted, false);
	frozen_stop();
	thread = start_thread(submit, NULL);
	eventually(nobody_else_runs());
	read_deep(memory, NR_READS);
	use_aio_briefly();
	frozen_go_on();
	check_written(size);
	join_thread(thread);
	return 0;
}

static int read_amid_short(void)
{
	return read_amid(submit_short, BLOCK);
}

static int read_amid_long(void)
{
	return read_amid(submit_long, LONG_SIZE);
}

TEST_OFFLOAD(test_short_writes_of_a_frozen_disk_hold_up_no_reads, read_amid_short, 40000)
TEST_OFFLOAD(test_long_writes_of_a_frozen_disk_hold_up_no_reads, read_amid_long, 40000)

/* For as long as it takes. */
static void wait_for(struct aiocb *cb)
{
	const struct aiocb *list[] = { cb };

	while (aio_error(cb) == EINPROGRESS)
		aio_suspend(list, 1, NULL);
	check_equal(aio_return(cb), BLOCK);
}

/* A program that writes one block after the other, some ahead of its results. */
static void *write_ahead(void *arg)
{
	static struct aiocb ahead[NR_AHEAD];
	char *data = direct_buffer(BLOCK);

	(void)arg;
	for (int i = 0; !atomic_load(&is_over); i++) {
		struct aiocb *cb = &ahead[i % NR_AHEAD];

		if (i >= NR_AHEAD)
			wait_for(cb);
		submit_write(cb, disk, data, BLOCK, (off_t)(i % 64) * BLOCK);
		atomic_fetch_add(&nr_submitted, 1);
	}
	return NULL;
}

static int freeze_a_busy_disk(void)
{
	pthread_t thread;

	if (!open_files())
		return CHILD_SKIPPED;
	thread = start_thread(write_ahead, NULL);
	eventually(atomic_load(&nr_submitted) > 20000);
	frozen_stop();
	eventually(nobody_else_runs());
	read_deep(memory, NR_READS);
	use_aio_briefly();
	atomic_store(&is_over, true);
	frozen_go_on();
	join_thread(thread);
	return 0;
}

TEST_OFFLOAD(test_disk_that_freezes_amid_writes_holds_up_no_reads, freeze_a_busy_disk, 40000)

/* ---- the calls themselves ---- */

static void *close_disk(void *arg)
{
	(void)arg;
	check_equal(close(disk), 0);
	return NULL;
}

static int close_amid_writes(void)
{
	if (!open_files())
		return CHILD_SKIPPED;
	frozen_stop();
	start_thread(submit_long, NULL);
	eventually(atomic_load(&is_submitted) && nobody_else_runs());
	join_thread(start_thread(close_disk, NULL));
	frozen_go_on();
	return 0;
}

TEST_OR_SKIP(test_close_returns_while_a_disk_is_frozen, close_amid_writes, 40000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_short_writes_of_a_frozen_disk_hold_up_no_reads),
		cmocka_unit_test(test_long_writes_of_a_frozen_disk_hold_up_no_reads),
		cmocka_unit_test(test_disk_that_freezes_amid_writes_holds_up_no_reads),
		cmocka_unit_test(test_close_returns_while_a_disk_is_frozen),
	};

	return cmocka_run_group_tests_name("frozen_disk", tests, NULL, NULL);
}
