// SPDX-License-Identifier: MIT
/*
 * test_starvation.c - requests that hang leave all others alone
 *
 * A dead server or a frozen disk holds what was asked of it, however much that
 * is.  The requests on every other file go on: nothing that is bounded, threads
 * or depth, may be spent on one file or one file system.
 */
#include "served.h"
#include "sockets.h"

#include <sys/resource.h>

#define SIZE     4096
#define NR_MAX   300
#define LONG     (1 << 20)
#define NR_LINES 12

/* ---- what hangs ---- */

static struct aiocb hung[NR_MAX];
static int nr_hung;

static void hang_in(bool is_read, int fd, int nr)
{
	static char bufs[NR_MAX][SIZE];

	for (int i = 0; i < nr; i++, nr_hung++) {
		struct aiocb *cb = &hung[nr_hung];

		aiocb_init(cb, fd, bufs[nr_hung], SIZE, (off_t)i % (SERVED_SIZE / SIZE) * SIZE);
		check_equal(is_read ? aio_read(cb) : aio_write(cb), 0);
	}
}

static void check_still_hung(void)
{
	for (int i = 0; i < nr_hung; i++)
		check_equal(aio_error(&hung[i]), EINPROGRESS);
}

/* ---- what must go on ---- */

static void write_much(void)
{
	int fd = temp_file(0);
	char *data = direct_buffer(LONG);
	struct aiocb cb;

	submit_write(&cb, fd, data, LONG, 0);
	check_equal(outcome(&cb), LONG);
	aiocb_init(&cb, fd, NULL, 0, 0);
	check_equal(aio_fsync(O_SYNC, &cb), 0);
	check_equal(outcome(&cb), 0);
	close(fd);
	free(data);
}

static void read_much(void)
{
	int fd = temp_file_filled(LONG);
	char *data = direct_buffer(LONG);
	struct aiocb cb;

	submit_read(&cb, fd, data, LONG, 0);
	check_equal(outcome(&cb), LONG);
	check_pattern(data, 0, LONG);
}

/* From the page cache, from the disk, and past the cache. */
static void read_little(void)
{
	int fd = temp_file_filled(SIZE), direct = direct_file(SIZE, 0);
	char *data = direct_buffer(SIZE);

	check_equal(read_now(fd, data, SIZE, 0), SIZE);
	evict(fd);
	check_equal(read_now(fd, data, SIZE, 0), SIZE);
	if (direct >= 0)
		check_equal(read_now(direct, data, SIZE, 0), SIZE);
	check_pattern(data, 0, SIZE);
}

static void check_others_go_on(void)
{
	read_little();
	read_much();
	write_much();
	use_aio();
	check_still_hung();
}

/* ---- one file that hangs ---- */

struct plan {
	const char *name;
	bool is_read;
	int nr_files, nr_each;
};

static int hang_as_planned(void *arg)
{
	const struct plan *plan = arg;
	char name[32];

	if (!served_start())
		return CHILD_SKIPPED;
	for (int i = 0; i < plan->nr_files; i++) {
		snprintf(name, sizeof(name), "%s%d", plan->name, i);
		hang_in(plan->is_read, served_open(name, O_RDWR), plan->nr_each);
	}
	eventually(served_nr_held() > 0 && nobody_else_runs());
	check_others_go_on();
	served_release(); /* a search for leaks waits for threads that hang */
	return 0;
}

#define TEST_PLAN(test, ...) TEST_WITH_PLAN(test, hang_as_planned, 60000, __VA_ARGS__)

TEST_PLAN(test_one_hung_read_stops_nothing, "held-cached", true, 1, 1)
TEST_PLAN(test_one_hung_direct_read_stops_nothing, "held", true, 1, 1)
TEST_PLAN(test_one_hung_write_stops_nothing, "held-cached", false, 1, 1)
TEST_PLAN(test_one_hung_direct_write_stops_nothing, "held", false, 1, 1)
TEST_PLAN(test_40_hung_reads_stop_nothing, "held-cached", true, 1, 40)
TEST_PLAN(test_40_hung_writes_stop_nothing, "held-cached", false, 1, 40)
TEST_PLAN(test_40_hung_direct_writes_stop_nothing, "held", false, 1, 40)
TEST_PLAN(test_300_hung_reads_stop_nothing, "held-cached", true, 1, 300)
TEST_PLAN(test_300_hung_writes_stop_nothing, "held", false, 1, 300)
TEST_PLAN(test_10_hung_files_stop_nothing, "held", false, 10, 30)
TEST_PLAN(test_100_hung_files_stop_nothing, "held", false, 100, 3)

/* ---- an fsync waits for its own file only ---- */

/* A write hangs on a file, and a sync waits behind it. */
static int hang_with_sync(void)
{
	static struct aiocb sync;
	int fd = served_open("held", O_RDWR);

	/* Whatever threads there are for such requests exist and rest. */
	for (int i = 0; i < 10; i++)
		write_much();
	eventually(nobody_else_runs());
	hang_in(false, fd, 1);
	eventually(served_nr_held() == 1);
	aiocb_init(&sync, fd, NULL, 0, 0);
	check_equal(aio_fsync(O_SYNC, &sync), 0);
	return fd;
}

/* A table of fds with fewer entries than there are fds: at any power of two they share one. */
static int sync_other_files(void)
{
	int file = temp_file(0), fd;
	char data[SIZE] = "";
	struct aiocb cb;

	if (!served_start())
		return CHILD_SKIPPED;
	fd = hang_with_sync();
	for (int distance = 1; distance <= 512; distance *= 2) {
		int other = fcntl(file, F_DUPFD, fd + distance);

		submit_write(&cb, other, data, SIZE, 0);
		check_equal(outcome(&cb), SIZE);
		aiocb_init(&cb, other, NULL, 0, 0);
		check_equal(aio_fsync(O_SYNC, &cb), 0);
		check_equal(outcome(&cb), 0);
		close(other);
	}
	check_still_hung();
	served_release();
	return 0;
}

static void *close_fd(void *fd)
{
	check_equal(close(*(int *)fd), 0);
	return NULL;
}

static int close_with_sync(void)
{
	int fd;

	if (!served_may_close() || !served_start())
		return CHILD_SKIPPED;
	fd = hang_with_sync();
	join_thread(start_thread(close_fd, &fd));
	served_release();
	return 0;
}

TEST_OR_SKIP(test_syncs_of_other_files_do_not_wait, sync_other_files, 60000)
TEST_OR_SKIP(test_close_does_not_wait_for_a_sync, close_with_sync, 30000)

/* ---- threads that are not to be had ---- */

static struct aiocb reads[NR_LINES];
static int lines[NR_LINES][2];
static char bytes[NR_LINES];

/* Each read would block in a thread of its own. */
static void read_lines(void)
{
	for (int i = 0; i < NR_LINES; i++)
		open_timed_socket(lines[i]);
	for (int i = 0; i < NR_LINES; i++)
		submit_read(&reads[i], lines[i][0], &bytes[i], 1, 0);
	eventually(nobody_else_runs());
}

#define NR_PROCESSES 5

static void limit_processes(void)
{
	become_nobody();
	set_soft_limit(RLIMIT_NPROC, NR_PROCESSES);
}

/* A request that no thread has taken has not begun: at most one per thread has. */
static int cancel_without_threads(void)
{
	int nr_kept = 0;

	limit_processes();
	read_lines();
	for (int i = NR_LINES - 1; i >= 0; i--)
		nr_kept += aio_cancel(lines[i][0], &reads[i]) == AIO_NOTCANCELED;
	check(nr_kept < NR_PROCESSES);
	return 0;
}

static void close_lines(void)
{
	for (int i = NR_LINES - 1; i >= 0; i--)
		check_equal(close(lines[i][0]), 0);
}

static int close_without_threads(void)
{
	limit_processes();
	read_lines();
	close_lines();
	return 0;
}

TEST_IN_CHILD(test_reads_without_a_thread_are_cancelled, cancel_without_threads, 30000)
TEST_IN_CHILD(test_reads_without_a_thread_do_not_stop_close, close_without_threads, 30000)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_hung_read_stops_nothing),
		cmocka_unit_test(test_one_hung_direct_read_stops_nothing),
		cmocka_unit_test(test_one_hung_write_stops_nothing),
		cmocka_unit_test(test_one_hung_direct_write_stops_nothing),
		cmocka_unit_test(test_40_hung_reads_stop_nothing),
		cmocka_unit_test(test_40_hung_writes_stop_nothing),
		cmocka_unit_test(test_40_hung_direct_writes_stop_nothing),
		cmocka_unit_test(test_300_hung_reads_stop_nothing),
		cmocka_unit_test(test_300_hung_writes_stop_nothing),
		cmocka_unit_test(test_10_hung_files_stop_nothing),
		cmocka_unit_test(test_100_hung_files_stop_nothing),
		cmocka_unit_test(test_syncs_of_other_files_do_not_wait),
		cmocka_unit_test(test_close_does_not_wait_for_a_sync),
		cmocka_unit_test(test_reads_without_a_thread_are_cancelled),
		cmocka_unit_test(test_reads_without_a_thread_do_not_stop_close),
	};

	return cmocka_run_group_tests_name("starvation", tests, NULL, NULL);
}
