// SPDX-License-Identifier: MIT
/*
 * test_identity.c - files whose attributes are no help
 *
 * Some file systems show another inode number each time they are asked, and some
 * that have lost their disk or server answer nothing but EIO, or nothing.  An open
 * file is the same file all the while: its requests end as the plain calls would.
 */
#include "served.h"

#include <stdatomic.h>
#include <sys/stat.h>

#define SIZE       4096
#define LONG       (128 * 1024) /* more than is tried in the call that submits */
#define NR_WAITING 16
#define NR_ROUNDS  200

static int fd;
static struct aiocb cbs[NR_WAITING];
static char bufs[NR_WAITING][SIZE];

/* A request waits for earlier ones that it overlaps: the last ones wait the longest. */
static void submit_overlapping(void)
{
	for (int i = 0; i < NR_WAITING; i++) {
		if (i % 2)
			submit_read(&cbs[i], fd, bufs[i], SIZE, 0);
		else
			submit_write(&cbs[i], fd, bufs[i], SIZE, 0);
	}
	eventually(served_nr_held() > 0);
}

static ino_t look_at_inode(void)
{
	struct stat st;

	check_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

/* ---- another inode number at each look ---- */

static int change_while_waiting(void *name)
{
	ino_t before;

	if (!served_start())
		return CHILD_SKIPPED;
	fd = served_open(name, O_RDWR);
	before = look_at_inode();
	submit_overlapping();
	served_change_inodes();
	check(look_at_inode() != before);
	served_release();
	for (int i = 0; i < NR_WAITING; i++)
		check_equal(outcome(&cbs[i]), SIZE);
	return 0;
}

static atomic_bool is_over;

static void *look_again_and_again(void *arg)
{
	(void)arg;
	while (!atomic_load(&is_over))
		look_at_inode();
	return NULL;
}

/* Reads, writes and syncs, some under way at once. */
static void use_file(void)
{
	for (int i = 0; i < NR_WAITING; i++) {
		aiocb_init(&cbs[i], fd, bufs[i], SIZE, i % 4 * SIZE);
		if (i % 4 == 3)
			check_equal(aio_fsync(O_DSYNC, &cbs[i]), 0);
		else
			check_equal(i % 4 == 2 ? aio_write(&cbs[i]) : aio_read(&cbs[i]), 0);
	}
	for (int i = 0; i < NR_WAITING; i++)
		check_equal(outcome(&cbs[i]), i % 4 == 3 ? 0 : SIZE);
}

static int change_all_the_time(void *name)
{
	pthread_t thread;

	if (!served_start())
		return CHILD_SKIPPED;
	fd = served_open(name, O_RDWR);
	served_change_inodes();
	thread = start_thread(look_again_and_again, NULL);
	for (int i = 0; i < NR_ROUNDS; i++)
		use_file();
	atomic_store(&is_over, true);
	join_thread(thread);
	return 0;
}

/* ---- nothing but EIO ---- */

static int spoil_while_waiting(void *name)
{
	struct stat st;

	if (!served_start())
		return CHILD_SKIPPED;
	fd = served_open(name, O_RDWR);
	submit_overlapping();
	served_spoil_inodes();
	check_equal(fstat(fd, &st), -1);
	check_equal(errno, EIO);
	served_release();
	outcome(&cbs[0]);
	/* The file system is asked for these only now. */
	for (int i = 1; i < NR_WAITING; i++)
		check_equal(outcome(&cbs[i]), -EIO);
	return 0;
}

static int use_spoilt(void *name)
{
	struct stat st;

	if (!served_start())
		return CHILD_SKIPPED;
	fd = served_open(name, O_RDWR);
	served_spoil_inodes();
	check_equal(fstat(fd, &st), -1);
	for (int i = 0; i < NR_WAITING; i++) {
		if (i % 2)
			submit_read(&cbs[i], fd, bufs[i], SIZE, 0);
		else
			submit_write(&cbs[i], fd, bufs[i], SIZE, 0);
	}
	for (int i = 0; i < NR_WAITING; i++)
		check_equal(outcome(&cbs[i]), -EIO);
	return 0;
}

/* ---- no attributes at all ---- */

/* A short read is final.  The server would not tell whether the file ends there. */
static int read_short(void *name)
{
	char *buf = direct_buffer(LONG);

	if (!served_start())
		return CHILD_SKIPPED;
	fd = served_open(name, O_RDONLY);
	check_equal(read_now(fd, buf, LONG, LONG), LONG / 2);
	check_pattern(buf, LONG, LONG / 2);
	check_equal(served_nr_held(), 0);
	return 0;
}

#define TEST_SERVED(test, function, name)                                                    \
	static void test(void **state)                                                       \
	{                                                                                    \
		(void)state;                                                                 \
		support_check_or_skip_child(in_child_with(function, name, 60000), #function, \
					    __FILE__, __LINE__);                             \
	}

TEST_SERVED(test_waiting_requests_survive_another_inode_number, change_while_waiting, "held-cached")
TEST_SERVED(test_waiting_direct_requests_survive_another_inode_number, change_while_waiting, "held")
TEST_SERVED(test_requests_survive_ever_new_inode_numbers, change_all_the_time, "cached")
TEST_SERVED(test_direct_requests_survive_ever_new_inode_numbers, change_all_the_time, "direct")
TEST_SERVED(test_waiting_requests_on_a_bad_inode_fail_as_calls_do, spoil_while_waiting, "held")
TEST_SERVED(test_requests_on_a_bad_inode_fail_as_calls_do, use_spoilt, "direct")
TEST_SERVED(test_short_read_asks_for_no_attributes, read_short, "secret-short")

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_waiting_requests_survive_another_inode_number),
		cmocka_unit_test(test_waiting_direct_requests_survive_another_inode_number),
		cmocka_unit_test(test_requests_survive_ever_new_inode_numbers),
		cmocka_unit_test(test_direct_requests_survive_ever_new_inode_numbers),
		cmocka_unit_test(test_waiting_requests_on_a_bad_inode_fail_as_calls_do),
		cmocka_unit_test(test_requests_on_a_bad_inode_fail_as_calls_do),
		cmocka_unit_test(test_short_read_asks_for_no_attributes),
	};

	return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
